//! Decoders: from what was recorded to what was intended.
//!
//! | decoder | decides by | classes |
//! |---|---|---|
//! | [`Cca`] | correlation with sines of each flicker's frequency | any |
//! | [`Fbcca`] | the same in several sub-bands | any |

mod cca;
mod fbcca;
mod made_up;
mod segment;
mod targets;

pub use cca::Cca;
pub use fbcca::Fbcca;
