//! Sealed values moved, shredded, rotated, and sealed before data keys existed (SECURITY.md A39).
#![allow(clippy::unwrap_used, clippy::expect_used)]

use parley_domain::protocol::session::Secret;
use parley_domain::{AppId, Email, InboxId, PersonName, Phone, PhoneNumberId, WabaId, WorkspaceId};
use sea_orm::ConnectionTrait;

use crate::admin::{NewWhatsapp, NewWorkspace};
use crate::db::admin;
use crate::error::Error;
use crate::seal::{Place, Purpose, Sealer};
use crate::{App, Config, Deps, envelope};

struct World {
    app: App,
    dir: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let app = App::open(Config::new(dir.path()), Deps::system()).await.unwrap();
        Self { app, dir }
    }

    async fn again(self) -> Self {
        self.app.close().await;
        let app = App::open(Config::new(self.dir.path()), Deps::system()).await.unwrap();
        Self { app, dir: self.dir }
    }

    async fn workspace(&self, name: &str) -> WorkspaceId {
        let new = NewWorkspace {
            name: name.to_owned(),
            admin_name: PersonName::new("Ada"),
            admin_email: Email::new(format!("ada@{name}.example")),
            admin_password: Secret::new("correct horse battery"),
        };
        self.app.admin().create_workspace(new).await.unwrap().0
    }

    async fn inbox(&self, workspace: WorkspaceId, number: &str) -> InboxId {
        let new = NewWhatsapp {
            name: "Shop".to_owned(),
            app: AppId("app-1".to_owned()),
            app_secret: Secret::new("app secret"),
            verify_token: Secret::new("verify"),
            waba: WabaId("waba".to_owned()),
            phone_number_id: PhoneNumberId(number.to_owned()),
            display_phone: Phone::new("+1 555-010-0001"),
            token: Secret::new(format!("token of {number}")),
            graph_url: None,
        };
        self.app.admin().connect_whatsapp(workspace, new).await.unwrap()
    }

    async fn token(&self, workspace: WorkspaceId, inbox: InboxId) -> Result<String, Error> {
        let core = &self.app.core;
        let connection = admin::connection(core.db.reader(), workspace, inbox).await?.unwrap();
        envelope::inbox_token(core, workspace, inbox, &connection).await.map(|token| token.expose().to_owned())
    }

    async fn sql(&self, sql: &str) {
        assert!(self.app.db().writer().execute_unprepared(sql).await.unwrap().rows_affected() > 0, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sealed_bytes_of_another_row_or_workspace_do_not_open() {
    let world = World::new().await;
    let (ours, theirs) = (world.workspace("ours").await, world.workspace("theirs").await);
    let (one, two) = (world.inbox(ours, "1").await, world.inbox(ours, "2").await);
    let three = world.inbox(theirs, "3").await;
    assert_eq!(world.token(ours, one).await.unwrap(), "token of 1");
    assert_eq!(world.token(theirs, three).await.unwrap(), "token of 3");
    let copy = |from: InboxId, to: InboxId| {
        format!("UPDATE inbox SET token = (SELECT token FROM inbox WHERE id = '{from}') WHERE id = '{to}'")
    };
    world.sql(&copy(one, two)).await;
    assert!(matches!(world.token(ours, two).await, Err(Error::Sealed)), "another row");
    world.sql(&copy(one, three)).await;
    assert!(matches!(world.token(theirs, three).await, Err(Error::Sealed)), "another workspace");
    // With the key of the other workspace beside it, as from a backup of ours that was put into theirs.
    world
        .sql(&format!(
            "UPDATE workspace_key SET wrapped = (SELECT wrapped FROM workspace_key WHERE workspace = '{ours}') \
             WHERE workspace = '{theirs}'"
        ))
        .await;
    assert!(matches!(world.token(theirs, three).await, Err(Error::Sealed)), "another workspace, with its key");
    assert_eq!(world.token(ours, one).await.unwrap(), "token of 1");
    // The row itself moved: workspace and all.
    world.sql(&format!("UPDATE inbox SET workspace = '{theirs}' WHERE id = '{one}'")).await;
    assert!(matches!(world.token(theirs, one).await, Err(Error::Sealed)), "the row, moved");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shredded_key_closes_everything_its_workspace_sealed() {
    let world = World::new().await;
    let (ours, theirs) = (world.workspace("ours").await, world.workspace("theirs").await);
    let (one, three) = (world.inbox(ours, "1").await, world.inbox(theirs, "3").await);
    world.app.admin().shred_keys(ours).await.unwrap();
    assert!(matches!(world.token(ours, one).await, Err(Error::Sealed)));
    assert_eq!(world.token(theirs, three).await.unwrap(), "token of 3");
    let world = world.again().await;
    // A key that is made later opens nothing of before.
    let two = world.inbox(ours, "2").await;
    assert_eq!(world.token(ours, two).await.unwrap(), "token of 2");
    assert!(matches!(world.token(ours, one).await, Err(Error::Sealed)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotation_wraps_anew_and_everything_still_opens() {
    let world = World::new().await;
    let ours = world.workspace("ours").await;
    let one = world.inbox(ours, "1").await;
    let before = crate::db::keys::all(world.app.db().reader()).await.unwrap();
    assert_eq!(world.app.admin().rotate_keys().await.unwrap(), 2, "the workspace's and that of no workspace");
    let after = crate::db::keys::all(world.app.db().reader()).await.unwrap();
    for (old, new) in before.iter().zip(&after) {
        assert_ne!((&old.kek, &old.wrapped), (&new.kek, &new.wrapped));
    }
    assert_eq!(world.token(ours, one).await.unwrap(), "token of 1");
    let world = world.again().await;
    assert_eq!(world.token(ours, one).await.unwrap(), "token of 1", "the new key is in the file");
    // The old key is there too: a backup from before the rotation opens.
    let txn = world.app.db().begin().await.unwrap();
    for row in before {
        crate::db::keys::put(&txn, row, parley_domain::Timestamp(0)).await.unwrap();
    }
    txn.commit().await.unwrap();
    assert_eq!(world.token(ours, one).await.unwrap(), "token of 1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sealed_before_data_keys_still_opens() {
    let world = World::new().await;
    let ours = world.workspace("ours").await;
    let one = world.inbox(ours, "1").await;
    let core = &world.app.core;
    let (owner, row) = (ours.to_string(), one.to_string());
    let place = Place { workspace: &owner, table: "inbox", column: "token", row: &row };
    let sealed = Sealer::new(&core.keys, Purpose::Credential).seal(place, b"old token", &*core.randomness).unwrap();
    world.sql(&format!("UPDATE inbox SET token = x'{}' WHERE id = '{one}'", hex::encode(sealed))).await;
    assert_eq!(world.token(ours, one).await.unwrap(), "old token");
}
