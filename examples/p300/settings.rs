//! Which recordings are meant, and every setting that the result depends on.

use std::error::Error;
use std::path::{Path, PathBuf};

use super::folds::Plan;
use super::options::{Method, Options};

/// The files that are meant: those named, and in directories all that have no leading point in their names, by name.
pub fn recordings(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries: Result<Vec<PathBuf>, _> =
            std::fs::read_dir(path)?.map(|entry| entry.map(|e| e.path())).collect();
        let mut inside: Vec<PathBuf> =
            entries?.into_iter().filter(|file| file.is_file() && !name(file).starts_with('.')).collect();
        if inside.is_empty() {
            return Err(format!("{}: expected recordings in it, found none", path.display()).into());
        }
        inside.sort();
        files.append(&mut inside);
    }
    Ok(files)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Every setting that the result depends on.
pub fn all(
    options: &Options,
    plan: &Plan,
    train: &[PathBuf],
    test: &[PathBuf],
) -> Vec<(&'static str, String)> {
    let names = |files: &[PathBuf]| files.iter().map(|file| name(file)).collect::<Vec<_>>().join(", ");
    let model = plan.whole();
    let fitted = match (&options.model, plan.count()) {
        (Some(file), _) => name(file),
        (None, 1) => names(train),
        (None, folds) => format!("{folds} folds of the trials, in their order, as many of a class in each"),
    };
    let classes = options.classes.iter().map(|(label, name)| format!("{name} at marker {label}"));
    let (band, before, after) = (&options.bandpass, options.before_ms, options.after_ms);
    let limit = model.limit().map_or("no limit".to_owned(), |limit| format!("{limit} µV peak to peak"));
    let filters = model.xdawn().map_or(0, |xdawn| xdawn.filters().len());
    let each = format!("{filters}: {} for each class, covariances shrunk (OAS)", filters / 2);
    vec![
        ("decoder", model.method().to_owned()),
        ("xDAWN", each),
        (
            "regression",
            if options.decoder == Method::Lda {
                format!("none; discriminant shrunk (Ledoit-Wolf), on means of {} samples", options.means_of)
            } else {
                "covariances shrunk (OAS), C = 1".to_owned()
            },
        ),
        ("fitted to", format!("{fitted}; {} channels at {}", model.montage().len(), model.rate())),
        (
            "decodes",
            format!(
                "{}; {} samples a packet, speed {:?}, workers {}",
                names(test),
                options.packet,
                options.speed,
                options.workers
            ),
        ),
        ("channels", model.montage().join(", ")),
        ("filter", format!("causal Butterworth of order 4, {}-{} Hz; no re-reference", band.start, band.end)),
        (
            "trials",
            format!(
                "-{before} to {after} ms about the marker, the first {before} ms their baseline: {}",
                classes.collect::<Vec<_>>().join(", ")
            ),
        ),
        ("artifacts", limit),
    ]
}
