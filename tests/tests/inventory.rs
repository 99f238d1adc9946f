//! `privacy/inventory.toml` against the live schemas of the server and of the desk: no column without a class, a purpose and a
//! retention class; nothing on a desk that must not be there (docs/PRIVACY.md, SRV-2 and DSK-2).

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use parley_client::create_tables;
use parley_domain::limits;
use parley_domain::time::DAY;
use parley_server::db::Db;
use rusqlite::Connection;
use sea_orm::{ConnectionTrait, Database, Statement};
use serde::Deserialize;

/// Classes that tell something about a person.
const PERSONAL: &[Class] = &[Class::Activity, Class::Identity, Class::Content, Class::Commerce];
/// Sub-processors that a column may leave to, beyond the database's host.
const SUB_PROCESSORS: &[&str] = &["meta", "openai", "sheets", "sentry"];

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Class {
    Key,
    State,
    Setting,
    Activity,
    Identity,
    Content,
    Commerce,
    Secret,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Allowed {
    Yes,
    No,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Inventory {
    server: BTreeMap<String, Table>,
    desk: BTreeMap<String, BTreeMap<String, Table>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    purpose: String,
    retention: String,
    #[serde(default)]
    leaves_to: Vec<String>,
    device: Option<Allowed>,
    from: Option<String>,
    columns: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Class(Class),
    Full(Column),
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Column {
    class: Class,
    purpose: Option<String>,
    retention: Option<String>,
    leaves_to: Option<Vec<String>>,
    device: Option<Allowed>,
    from: Option<String>,
}

impl Table {
    /// The column with the table's defaults filled in.
    fn column(&self, name: &str) -> Option<Column> {
        let column = match self.columns.get(name)? {
            Entry::Class(class) => {
                Column { class: *class, purpose: None, retention: None, leaves_to: None, device: None, from: None }
            }
            Entry::Full(column) => column.clone(),
        };
        Some(Column {
            purpose: column.purpose.or_else(|| Some(self.purpose.clone())),
            retention: column.retention.or_else(|| Some(self.retention.clone())),
            leaves_to: column.leaves_to.or_else(|| Some(self.leaves_to.clone())),
            device: column.device.or(self.device),
            ..column
        })
    }
}

/// Table and column names of a live schema.
type Schema = BTreeMap<String, BTreeSet<String>>;

#[tokio::test]
async fn every_column_of_the_server_is_classified() {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open_sqlite(&folder.path().join("server.db")).await.unwrap();
    db.migrate().await.unwrap();
    db.close().await;
    let live = sqlite_schema(&Connection::open(folder.path().join("server.db")).unwrap());
    compare("server on SQLite", &live, &inventory().server);
}

#[tokio::test]
async fn every_column_of_the_server_is_classified_on_mysql() {
    let Ok(url) = std::env::var("PARLEY_TEST_MYSQL_URL") else {
        eprintln!("PARLEY_TEST_MYSQL_URL is not set: MySQL's schema is not looked at");
        return;
    };
    let name = format!("inventory_{}", std::process::id());
    let server = Database::connect(&url).await.unwrap();
    server
        .execute_unprepared(&format!("CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"))
        .await
        .unwrap();
    let db = Db::open_mysql(&format!("{url}/{name}")).await.unwrap();
    db.migrate().await.unwrap();
    db.close().await;
    let rows = server
        .query_all_raw(Statement::from_string(
            server.get_database_backend(),
            format!(
                "SELECT CAST(table_name AS CHAR) AS t, CAST(column_name AS CHAR) AS c \
                 FROM information_schema.columns WHERE table_schema = '{name}'"
            ),
        ))
        .await
        .unwrap();
    let mut live = Schema::new();
    for row in rows {
        live.entry(row.try_get("", "t").unwrap()).or_default().insert(row.try_get("", "c").unwrap());
    }
    server.execute_unprepared(&format!("DROP DATABASE {name}")).await.unwrap();
    compare("server on MySQL", &live, &inventory().server);
}

#[test]
fn every_column_of_the_desk_is_classified() {
    let inventory = inventory();
    for (file, tables) in &inventory.desk {
        compare(&format!("{file}.db"), &desk_schema(file), tables);
    }
    let files: Vec<_> = inventory.desk.keys().map(String::as_str).collect();
    assert_eq!(files, ["media", "outbox", "replica"]);
}

/// The rule of the data map: what may not be on a device is not there, neither under its own name nor as a declared copy.
#[test]
fn nothing_stands_on_a_desk_that_must_not() {
    let inventory = inventory();
    let mut wrong = Vec::new();
    for (file, tables) in &inventory.desk {
        for (name, table) in tables {
            for column_name in table.columns.keys() {
                let column = table.column(column_name).unwrap();
                let place = format!("{file}.{name}.{column_name}");
                if column.class == Class::Secret || column.device == Some(Allowed::No) {
                    wrong.push(format!("{place} must not be on a desk"));
                }
                if let Some((source_table, source)) = source(table, column_name, &column) {
                    match inventory.server.get(&source_table).and_then(|table| table.column(&source)) {
                        None => {
                            wrong.push(format!("{place} says it is from {source_table}.{source}, which is not there"))
                        }
                        Some(origin) if origin.device != Some(Allowed::Yes) => {
                            wrong.push(format!(
                                "{place} is a copy of {source_table}.{source}, which may not leave the server"
                            ));
                        }
                        Some(origin) if origin.class != column.class => {
                            wrong.push(format!("{place} has another class than {source_table}.{source}"));
                        }
                        Some(_) => {}
                    }
                }
                // A column cannot slip by under the name that it has on the server.
                let same = inventory.server.get(name).and_then(|table| table.column(column_name));
                if same.is_some_and(|same| same.device == Some(Allowed::No)) && column.from.is_none() {
                    wrong.push(format!("{place} has the name of a column that may not be on a desk"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn entries_are_complete_and_name_known_classes() {
    let inventory = inventory();
    let retention = retention();
    let classes = retention["class"].as_table().unwrap();
    let mut wrong = Vec::new();
    let tables = inventory.server.iter().map(|(name, table)| (format!("server.{name}"), table, true)).chain(
        inventory.desk.iter().flat_map(|(file, tables)| {
            tables.iter().map(move |(name, table)| (format!("desk.{file}.{name}"), table, false))
        }),
    );
    for (name, table, server) in tables {
        for column_name in table.columns.keys() {
            let column = table.column(column_name).unwrap();
            let mut say = |what: &str| wrong.push(format!("{name}.{column_name}: {what}"));
            if column.purpose.is_none_or(|purpose| purpose.trim().len() < 5) {
                say("no purpose");
            }
            if !classes.contains_key(column.retention.as_deref().unwrap()) {
                say("unknown retention class");
            }
            let leaves_to = column.leaves_to.unwrap();
            if leaves_to.iter().any(|to| !SUB_PROCESSORS.contains(&to.as_str())) {
                say("leaves to an unknown sub-processor");
            }
            if server && column.device.is_none() {
                say("does not say whether it may be on a device");
            }
            if server && column.class == Class::Secret && column.device != Some(Allowed::No) {
                say("a secret that may be on a device");
            }
            if PERSONAL.contains(&column.class) && column.retention.as_deref() == Some("account") {
                say("personal, and kept as long as the account: give it a class of its own");
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A day in the file and a constant in the code are the same promise.
#[test]
fn the_code_keeps_the_days_of_the_file() {
    let retention = retention();
    let days = |class: &str| retention["class"][class]["keep_days"].as_integer().unwrap() * DAY;
    assert_eq!(days("webhook_raw"), limits::RAW_KEPT);
    assert_eq!(days("webhook_raw"), limits::UNKNOWN_NUMBER_WAITS);
    assert_eq!(days("orphan_status"), limits::ORPHAN_STATUS_WAITS);
    assert_eq!(days("dedupe"), limits::DEDUPE_KEPT);
    assert_eq!(days("change"), limits::TOMBSTONE_KEPT);
    assert_eq!(days("outcome"), limits::OUTCOME_KEPT);
    let workspace = &retention["workspace"];
    let device = &retention["device"];
    let number = |table: &toml::Value, name: &str| table[name].as_integer().unwrap();
    assert!(
        number(workspace, "erasure_tombstone_days")
            > number(device, "wipe_after_days") + number(workspace, "backup_days"),
        "a copy could outlive the memory that it was erased"
    );
    assert!(number(device, "wipe_after_days") < number(device, "deletion_promise_days"), "a desk outlives the promise");
    assert_eq!(number(device, "deletion_promise_days"), 30, "the promise to whoever asks for deletion");
    assert!(
        limits::OUTCOME_KEPT > number(device, "wipe_after_days") * DAY,
        "an outcome must outlast any absence of a device"
    );
}

/// Where a desk's column comes from, as table and column of the server; `None` when it is made on the desk.
fn source(table: &Table, name: &str, column: &Column) -> Option<(String, String)> {
    let home = table.from.as_deref().expect("a desk's table says where it is from");
    match column.from.as_deref() {
        Some("desk") => None,
        Some(from) => Some(match from.split_once('.') {
            Some((table, column)) => (table.to_owned(), column.to_owned()),
            None => (home.to_owned(), from.to_owned()),
        }),
        None if home == "desk" => None,
        None => Some((home.to_owned(), name.to_owned())),
    }
}

fn compare(what: &str, live: &Schema, listed: &BTreeMap<String, Table>) {
    let pairs = |table: &str, columns: Vec<&String>| {
        columns.into_iter().map(|column| format!("{table}.{column}")).collect::<Vec<_>>()
    };
    let live: BTreeSet<_> = live.iter().flat_map(|(table, columns)| pairs(table, columns.iter().collect())).collect();
    let listed: BTreeSet<_> =
        listed.iter().flat_map(|(table, entry)| pairs(table, entry.columns.keys().collect())).collect();
    assert!(!live.is_empty(), "{what}: nothing was read");
    let unclassified: Vec<_> = live.difference(&listed).collect();
    let stale: Vec<_> = listed.difference(&live).collect();
    assert!(
        unclassified.is_empty() && stale.is_empty(),
        "{what}: not in privacy/inventory.toml: {unclassified:?}; there, but gone from the schema: {stale:?}"
    );
}

/// The desk's file as a fresh desk makes it.
fn desk_schema(file: &str) -> Schema {
    let connection = Connection::open_in_memory().unwrap();
    create_tables(&connection, file).unwrap();
    sqlite_schema(&connection)
}

/// Tables and virtual tables. What a full-text index keeps beside itself (shadow tables) is classified with it.
fn sqlite_schema(connection: &Connection) -> Schema {
    let mut tables = connection
        .prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual') AND name NOT LIKE 'sqlite%'")
        .unwrap();
    let names: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let columns = |table: &String| {
        let mut columns = connection.prepare("SELECT name FROM pragma_table_info(?1)").unwrap();
        columns.query_map([table], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    names.iter().map(|table| (table.clone(), columns(table))).collect()
}

fn privacy(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../privacy").join(file)).unwrap()
}

fn inventory() -> Inventory {
    toml::from_str(&privacy("inventory.toml")).unwrap()
}

fn retention() -> toml::Value {
    toml::from_str(&privacy("retention.default.toml")).unwrap()
}
