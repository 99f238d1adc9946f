//! The server inside this process, on a fresh database, with one workspace: for scenarios that need no kill.

use std::time::{Duration, Instant};

use parley_domain::permission::Role;
use parley_domain::policy::{DevicePolicy, OrderScope};
use parley_domain::protocol::session::Secret;
use parley_domain::{InboxId, MemberId, WorkspaceId};
use parley_server::admin::{NewMember, NewWhatsapp, NewWorkspace};
use parley_server::{App, Config, Database, Deps, Running};
use tempfile::TempDir;
use tokio::net::TcpListener;
use xtask::failure::{Context, Failure};

use crate::Fallible;
use crate::meta::http;
use crate::stack::{ACCESS_TOKEN, APP_ID, APP_SECRET, DEV, Login, RHEA};

/// A served server.
pub struct Inside {
    pub app: App,
    pub workspace: WorkspaceId,
    pub admin: MemberId,
    running: Running,
    http: reqwest::Client,
    _folder: TempDir,
}

/// A database of its own on the MariaDB that `PARLEY_TEST_MYSQL_URL` names; `None` without that variable.
pub async fn fresh_mysql() -> Fallible<Option<Database>> {
    let Ok(base) = std::env::var("PARLEY_TEST_MYSQL_URL") else { return Ok(None) };
    let name = format!("t_{:032x}", rand::random::<u128>());
    let connection = sea_orm::Database::connect(&base).await?;
    let create = format!("CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
    sea_orm::ConnectionTrait::execute_unprepared(&connection, &create).await?;
    Ok(Some(Database::MySql(format!("{base}/{name}"))))
}

impl Inside {
    /// Opens, makes the workspace “Casa Lumen” with Rhea as its admin, serves on a free port.
    pub async fn start(database: Database) -> Fallible<Self> {
        let folder = tempfile::tempdir()?;
        let mut config = Config::new(folder.path().join("server"));
        config.database = database;
        let app = App::open(config, Deps::system()).await?;
        let (workspace, admin) = app
            .admin()
            .create_workspace(NewWorkspace {
                name: "Casa Lumen".into(),
                admin_name: RHEA.name.into(),
                admin_email: RHEA.email.into(),
                admin_password: Secret::new(RHEA.password),
            })
            .await?;
        // What is looked at here is sync: desks hold everything in scope, however old.
        let policy = DevicePolicy {
            message_window_days: 3_650,
            conversations_max: 10_000_000,
            orders: OrderScope::All,
            role: Default::default(),
            ..DevicePolicy::default()
        };
        app.admin().set_device_policy(workspace, Some(policy)).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let running = app.serve(listener)?;
        Ok(Self { app, workspace, admin, running, http: http(), _folder: folder })
    }

    /// The address, as a member types it.
    pub fn address(&self) -> String {
        format!("http://{}", self.running.address())
    }

    /// Where Meta posts.
    pub fn webhook(&self) -> String {
        format!("{}/webhooks/meta/{APP_ID}", self.address())
    }

    /// Connects a number through the one app.
    pub async fn connect(&self, waba: &str, phone_number_id: &str, graph_url: Option<String>) -> Fallible<InboxId> {
        let new = NewWhatsapp {
            name: format!("Inbox {phone_number_id}"),
            app: APP_ID.into(),
            app_secret: Secret::new(APP_SECRET),
            verify_token: Secret::new("sim-verify-token"),
            waba: waba.into(),
            phone_number_id: phone_number_id.into(),
            display_phone: "+1 555-010-0001".into(),
            token: Secret::new(ACCESS_TOKEN),
            graph_url,
        };
        Ok(self.app.admin().connect_whatsapp(self.workspace, new).await?)
    }

    /// Adds Dev as an agent with that inbox.
    pub async fn add_dev(&self, inbox: InboxId) -> Fallible<MemberId> {
        self.add_agent(DEV, inbox).await
    }

    /// Adds an agent with that inbox.
    pub async fn add_agent(&self, login: Login, inbox: InboxId) -> Fallible<MemberId> {
        let new = NewMember {
            name: login.name.into(),
            email: login.email.into(),
            password: Secret::new(login.password),
            role: Role::Agent,
        };
        let member = self.app.admin().add_member(self.workspace, new).await?;
        self.app.admin().grant_inbox(self.workspace, member, inbox).await?;
        Ok(member)
    }

    /// Posts a body as Meta does; returns the status.
    pub async fn post(&self, body: &[u8], signature: Option<&str>) -> Fallible<u16> {
        let mut request = self.http.post(self.webhook()).header("content-type", "application/json").body(body.to_vec());
        if let Some(signature) = signature {
            request = request.header("x-hub-signature-256", signature);
        }
        Ok(request.send().await.context("posting a webhook")?.status().as_u16())
    }

    /// Waits until every stored body was taken up.
    pub async fn applied(&self) -> Fallible {
        let started = Instant::now();
        while !parley_server::db::raw::take_new(self.app.db(), 1).await?.is_empty() {
            if started.elapsed() > Duration::from_secs(60) {
                return Err(Failure::new("stored webhooks are not taken up"));
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }

    /// One number that a query of the test's own counts.
    pub async fn count(&self, sql: &str) -> Fallible<i64> {
        use sea_orm::{ConnectionTrait, Statement};
        let connection = self.app.db().reader();
        let row = connection.query_one_raw(Statement::from_string(connection.get_database_backend(), sql)).await?;
        let row = row.ok_or_else(|| Failure::new("the query has no row"))?;
        Ok(row.try_get_by_index::<i64>(0)?)
    }

    /// Ends the server.
    pub async fn stop(self) {
        self.running.stop().await;
    }
}
