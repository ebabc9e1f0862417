//! Makes the table: its families, each with one version of every cell and no end of its time.

use googleapis_tonic_google_bigtable_admin_v2::google::bigtable::admin::v2 as api;

use api::bigtable_table_admin_client::BigtableTableAdminClient;
use api::gc_rule::Rule;
use api::modify_column_families_request::{Modification, modification::Mod};
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};

use super::Bigtable;
use super::config::BigtableConfig;
use super::status::of_status;
use crate::table::{Family, TableError};

const SERVER: &str = "https://bigtableadmin.googleapis.com";
const SCOPE: &str = "https://www.googleapis.com/auth/bigtable.admin.table";
/// What garbage collection is to keep: the newest version of each cell, for ever. Under a rule by age a recording of 2009 would be
/// removed while it is replayed.
const KEEP: Rule = Rule::MaxNumVersions(1);

/// What went wrong: with the call, or with what is there.
enum Trouble {
    Call(Status),
    Rule { family: String, found: String },
}

impl From<Status> for Trouble {
    fn from(status: Status) -> Self {
        Self::Call(status)
    }
}

impl Bigtable {
    /// Makes the table and its column families, as far as they are not there. Each family keeps one version of a cell, for ever.
    ///
    /// # Errors
    /// The server does not let this user, cannot be reached, or a family is there with other garbage collection, which would keep too much or remove
    /// results: it is left as it is.
    pub fn create(&self) -> Result<(), TableError> {
        let this = self.clone();
        let config = &self.0.config;
        let done = self.0.engine.run(config.deadline, async move { this.make().await });
        done.map_err(|stuck| stuck.tell(config, "create"))?.map_err(|trouble| match trouble {
            Trouble::Call(status) => of_status(config, "create", &status),
            Trouble::Rule { family, found } => TableError::Failed {
                table: config.name(),
                action: "create",
                reason: format!("family {family}: expected garbage collection to keep 1 version without a maximum age, found {found}"),
            },
        })
    }

    async fn make(&self) -> Result<(), Trouble> {
        let BigtableConfig { project, instance, table, emulator, .. } = &self.0.config;
        let parent = format!("projects/{project}/instances/{instance}");
        let name = format!("{parent}/tables/{table}");
        let mut client = BigtableTableAdminClient::new(channel(emulator.as_deref())?);
        let families = Family::ALL.map(|family| (family.name().to_owned(), column_family()));
        let create = api::CreateTableRequest {
            parent: parent.clone(),
            table_id: table.clone(),
            table: Some(api::Table { column_families: families.into(), ..api::Table::default() }),
            ..api::CreateTableRequest::default()
        };
        match client.create_table(self.signed(create, "parent", &parent).await?).await {
            Err(status) if status.code() == Code::AlreadyExists => {}
            other => return Ok(other.map(drop)?),
        }
        let view = api::table::View::SchemaView.into();
        let get = api::GetTableRequest { name: name.clone(), view };
        let found = client.get_table(self.signed(get, "name", &name).await?).await?.into_inner();
        let mut missing = Vec::new();
        for family in Family::ALL {
            match found.column_families.get(family.name()) {
                Some(there) if there.gc_rule.as_ref().and_then(|gc| gc.rule.as_ref()) == Some(&KEEP) => {}
                Some(there) => {
                    let found = format!("{:?}", there.gc_rule.as_ref().map(|gc| &gc.rule));
                    return Err(Trouble::Rule { family: family.name().to_owned(), found });
                }
                None => missing.push(Modification {
                    id: family.name().to_owned(),
                    r#mod: Some(Mod::Create(column_family())),
                    ..Modification::default()
                }),
            }
        }
        if !missing.is_empty() {
            let modify = api::ModifyColumnFamiliesRequest {
                name: name.clone(),
                modifications: missing,
                ..api::ModifyColumnFamiliesRequest::default()
            };
            client.modify_column_families(self.signed(modify, "name", &name).await?).await?;
        }
        Ok(())
    }

    /// A request with its route and, but for the emulator, a token.
    async fn signed<T>(&self, message: T, field: &str, resource: &str) -> Result<Request<T>, Status> {
        let unfit = |error: &dyn std::fmt::Display| Status::unauthenticated(error.to_string());
        let mut request = Request::new(message);
        let route = format!("{field}={}", resource.replace('/', "%2F"));
        let route = MetadataValue::try_from(route).map_err(|error| unfit(&error))?;
        request.metadata_mut().insert("x-goog-request-params", route);
        if let Some(tokens) = &self.0.tokens {
            let token = tokens.token(&[SCOPE]).await.map_err(|error| unfit(&error))?;
            let bearer = MetadataValue::try_from(format!("Bearer {}", token.as_str()));
            request.metadata_mut().insert("authorization", bearer.map_err(|error| unfit(&error))?);
        }
        Ok(request)
    }
}

fn column_family() -> api::ColumnFamily {
    api::ColumnFamily { gc_rule: Some(api::GcRule { rule: Some(KEEP) }), ..api::ColumnFamily::default() }
}

fn channel(emulator: Option<&str>) -> Result<Channel, Status> {
    let unfit = |error: tonic::transport::Error| Status::invalid_argument(error.to_string());
    match emulator {
        Some(host) => {
            Endpoint::from_shared(format!("http://{host}")).map(|e| e.connect_lazy()).map_err(unfit)
        }
        None => {
            let tls = ClientTlsConfig::new().with_native_roots();
            Endpoint::from_static(SERVER).tls_config(tls).map(|e| e.connect_lazy()).map_err(unfit)
        }
    }
}
