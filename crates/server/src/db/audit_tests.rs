//! A thousand entries; whatever is done to any of them in the database is found, and named by its place.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::sync::Arc;

use parley_domain::limits::AUDIT_CHECKPOINT_EVERY;
use parley_domain::protocol::session::Secret;
use parley_domain::time::{ManualClock, SeededRandomness};
use parley_domain::{Clock, Email, MemberId, PersonName, Randomness, WorkspaceId};
use sea_orm::{ConnectionTrait, Statement};

use crate::admin::NewWorkspace;
use crate::audit::{Entry, FILE, Fault, Verdict, checkpoint, hash, page, record, verify};
use crate::db::audit::{self, EntryRow};
use crate::system::{SystemClock, SystemRandomness};
use crate::{App, Config, Database, Deps};

const ENTRIES: u64 = 1_000;

struct World {
    app: App,
    clock: Arc<ManualClock>,
    workspace: WorkspaceId,
    dir: tempfile::TempDir,
}

impl World {
    async fn new(database: Database) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        let config = Config { database, ..Config::new(dir.path()) };
        let deps = Deps { clock: clock.clone(), randomness: Arc::new(SeededRandomness::new(38)) };
        let app = App::open(config, deps).await.unwrap();
        let new = NewWorkspace {
            name: "Lantern & Loom".to_owned(),
            admin_name: PersonName::new("Ada"),
            admin_email: Email::new("ada@example.org"),
            admin_password: Secret::new("correct horse battery"),
        };
        let (workspace, member) = app.admin().create_workspace(new).await.unwrap();
        let world = Self { app, clock, workspace, dir };
        world.record(2, ENTRIES, Some(member)).await;
        world
    }

    async fn sqlite() -> Self {
        Self::new(Database::Sqlite).await
    }

    async fn mysql() -> Option<Self> {
        let server = std::env::var("PARLEY_TEST_MYSQL_URL").ok().filter(|url| !url.is_empty())?;
        let mut bytes = [0u8; 8];
        SystemRandomness.fill(&mut bytes);
        let name = format!("parley_audit_{}", hex::encode(bytes));
        let connection = sea_orm::Database::connect(format!("{server}/mysql")).await.unwrap();
        let make = format!("CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
        connection.execute_unprepared(&make).await.unwrap();
        connection.close().await.unwrap();
        Some(Self::new(Database::MySql(format!("{server}/{name}"))).await)
    }

    async fn record(&self, from: u64, upto: u64, actor: Option<MemberId>) {
        let core = &self.app.core;
        let txn = core.db.begin().await.unwrap();
        for n in from..upto {
            let target = format!("member/{n}");
            let entry = Entry { actor, action: "member.updated", target: &target, details: "role=agent" };
            record(&txn, core, self.workspace, entry).await.unwrap();
            self.clock.advance(7);
        }
        txn.commit().await.unwrap();
    }

    async fn sql(&self, sql: &str) {
        let done = self.app.db().writer().execute_unprepared(sql).await.unwrap();
        assert!(done.rows_affected() > 0, "{sql}");
    }

    async fn bad(&self) -> Option<(u64, Fault)> {
        verify(&self.app.core, self.workspace).await.unwrap().bad
    }

    /// Does something to the table, sees what is found, and takes it back.
    async fn found(&self, done: &[String], undone: &[String]) -> Option<(u64, Fault)> {
        for sql in done {
            self.sql(sql).await;
        }
        let found = self.bad().await;
        for sql in undone {
            self.sql(sql).await;
        }
        found
    }

    async fn flip(&self, place: u64) {
        let column = ["at", "actor", "action", "target", "details", "prev", "hash"][(place % 7) as usize];
        // One character more, one less, or another moment: what stood there is kept beside and put back.
        let (change, back) = match column {
            "at" => ("at + 1".to_owned(), "at - 1".to_owned()),
            "actor" => {
                let read = format!("SELECT actor FROM audit WHERE place = {place}");
                let backend = self.app.db().reader().get_database_backend();
                let row = self.app.db().reader().query_one_raw(Statement::from_string(backend, read)).await.unwrap();
                let was: Option<String> = row.unwrap().try_get_by_index(0).unwrap();
                let was = was.map_or("NULL".to_owned(), |was| format!("'{was}'"));
                ("'018f0000-0000-7000-8000-000000000001'".to_owned(), was)
            }
            "prev" | "hash" => (
                format!("REPLACE(REPLACE(REPLACE({column}, 'a', '#'), 'b', 'a'), '#', 'b')"),
                format!("REPLACE(REPLACE(REPLACE({column}, 'a', '#'), 'b', 'a'), '#', 'b')"),
            ),
            _ => (format!("REPLACE({column}, 'e', 'E')"), format!("REPLACE({column}, 'E', 'e')")),
        };
        let set = |value: &str| format!("UPDATE audit SET {column} = {value} WHERE place = {place}");
        assert_eq!(self.found(&[set(&change)], &[set(&back)]).await, Some((place, Fault::Entry)), "{place} {column}");
    }

    async fn delete(&self, place: u64) {
        let keep = format!("INSERT INTO audit_kept SELECT * FROM audit WHERE place = {place}");
        let delete = format!("DELETE FROM audit WHERE place = {place}");
        let back = "INSERT INTO audit SELECT * FROM audit_kept".to_owned();
        let clear = "DELETE FROM audit_kept".to_owned();
        let expected = if place == ENTRIES { Fault::Cut } else { Fault::Entry };
        assert_eq!(self.found(&[keep, delete], &[back, clear]).await, Some((place, expected)));
    }

    async fn reorder(&self, place: u64) {
        let other = if place == ENTRIES { place - 1 } else { place + 1 };
        let swap = vec![
            format!("UPDATE audit SET place = -1 WHERE place = {place}"),
            format!("UPDATE audit SET place = {place} WHERE place = {other}"),
            format!("UPDATE audit SET place = {other} WHERE place = -1"),
        ];
        assert_eq!(self.found(&swap, &swap).await, Some((place.min(other), Fault::Entry)));
    }
}

const KEPT: &str = "CREATE TABLE audit_kept AS SELECT * FROM audit WHERE place < 0";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_of_a_thousand_entries_changed_is_found() {
    let world = World::sqlite().await;
    assert_eq!(world.bad().await, None);
    for place in 1..=ENTRIES {
        world.flip(place).await;
    }
    let verdict = verify(&world.app.core, world.workspace).await.unwrap();
    assert_eq!((verdict.entries, verdict.bad), (ENTRIES, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_of_a_thousand_entries_deleted_is_found() {
    let world = World::sqlite().await;
    world.app.db().writer().execute_unprepared(KEPT).await.unwrap();
    for place in 1..=ENTRIES {
        world.delete(place).await;
    }
    assert_eq!(world.bad().await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_of_a_thousand_entries_in_another_order_is_found() {
    let world = World::sqlite().await;
    for place in 1..=ENTRIES {
        world.reorder(place).await;
    }
    assert_eq!(world.bad().await, None);
}

/// Whoever knows how an entry is hashed makes the hash fit: the next entry, or the head, still holds the old one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_was_written_anew_with_its_right_hash_is_found() {
    let world = World::sqlite().await;
    for place in [1, 2, 500, ENTRIES - 1, ENTRIES] {
        let mut rows = audit::after(world.app.db().reader(), world.workspace, place - 1, 1).await.unwrap();
        let was = rows.remove(0);
        let mut forged = EntryRow { details: "role=admin".to_owned(), ..was.clone() };
        forged.hash = hash(world.workspace, &forged);
        let set = |row: &EntryRow| {
            format!("UPDATE audit SET details = '{}', hash = '{}' WHERE place = {place}", row.details, row.hash)
        };
        let found = world.found(&[set(&forged)], &[set(&was)]).await;
        assert_eq!(found, Some(((place + 1).min(ENTRIES), Fault::Entry)));
    }
    assert_eq!(world.bad().await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_entry_is_found_on_mysql() {
    let Some(world) = World::mysql().await else { return };
    world.app.db().writer().execute_unprepared(KEPT).await.unwrap();
    for place in (1..=ENTRIES).step_by(37).chain([ENTRIES - 1, ENTRIES]) {
        world.flip(place).await;
        world.delete(place).await;
        world.reorder(place).await;
    }
    assert_eq!(world.bad().await, None);
    cut_off(world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_was_cut_off_is_found_after_the_next_checkpoint() {
    cut_off(World::sqlite().await).await;
}

/// Takes the last ten entries away, and everything in the database that knew of them.
async fn cut_off(world: World) {
    checkpoint(&world.app.core, false).await.unwrap();
    let verdict = verify(&world.app.core, world.workspace).await.unwrap();
    assert_eq!(verdict, Verdict { entries: ENTRIES, sealed_upto: ENTRIES, bad: None });
    world.record(ENTRIES + 1, ENTRIES + 11, None).await;
    world.clock.advance(AUDIT_CHECKPOINT_EVERY - 1_000);
    checkpoint(&world.app.core, false).await.unwrap();
    let early = verify(&world.app.core, world.workspace).await.unwrap();
    assert_eq!(early.sealed_upto, ENTRIES, "it is not time yet, and ten are few");
    world.clock.advance(1_000);
    checkpoint(&world.app.core, false).await.unwrap();
    let verdict = verify(&world.app.core, world.workspace).await.unwrap();
    assert_eq!(verdict, Verdict { entries: ENTRIES + 10, sealed_upto: ENTRIES + 10, bad: None });
    // Whoever cuts the end off also makes the head tell so.
    world.sql(&format!("DELETE FROM audit WHERE place > {ENTRIES}")).await;
    world
        .sql(&format!(
            "UPDATE audit_head SET place = {ENTRIES}, sealed_upto = {ENTRIES}, \
             hash = (SELECT hash FROM audit WHERE place = {ENTRIES})"
        ))
        .await;
    let file = world.dir.path().join(FILE);
    let text = std::fs::read_to_string(&file).unwrap();
    // The table's checkpoint alone tells,
    std::fs::remove_file(&file).unwrap();
    assert_eq!(world.bad().await, Some((ENTRIES + 1, Fault::Cut)));
    // and the file's alone too.
    std::fs::write(&file, &text).unwrap();
    world.sql(&format!("DELETE FROM audit_checkpoint WHERE place > {ENTRIES}")).await;
    assert_eq!(world.bad().await, Some((ENTRIES + 1, Fault::Cut)));
    // A chain written anew up to the old length bears no checkpoint.
    world.record(ENTRIES + 1, ENTRIES + 11, None).await;
    assert_eq!(world.bad().await, Some((ENTRIES + 10, Fault::Checkpoint)));
    // A checkpoint that was made to fit is not signed.
    let forged = text.replace("\"place\":1010", "\"place\":1000");
    assert_ne!(forged, text);
    std::fs::write(&file, forged).unwrap();
    assert_eq!(world.bad().await, Some((ENTRIES, Fault::Checkpoint)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acts_are_in_the_log_with_names_and_without_addresses() {
    let world = World::sqlite().await;
    let first = page(&world.app.core, world.workspace, Some(3), 10).await.unwrap();
    let told: Vec<_> = first.entries.iter().map(|e| (e.place, e.action.as_str(), e.target_name.as_deref())).collect();
    assert_eq!(told, [(2, "member.added", Some("Ada")), (1, "workspace.created", None)]);
    let last = page(&world.app.core, world.workspace, None, 5_000).await.unwrap();
    assert_eq!(last.entries.len(), 200);
    assert_eq!(last.entries.first().unwrap().actor_name, Some(PersonName::new("Ada")));
    let ids: BTreeSet<_> = last.entries.iter().map(|entry| entry.id).collect();
    assert_eq!(ids.len(), 200);
    let text = serde_json::to_string(&first).unwrap();
    assert!(!text.contains("example.org"));
}
