//! The schema is the same on both databases, and may be brought up to date again and again.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait, Statement};

use crate::world::World;

type Names = BTreeSet<(String, String)>;

async fn names(world: &World, sql: &str) -> Names {
    let connection = world.app().db().reader();
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let rows = connection.query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap())).collect()
}

const SQLITE_COLUMNS: &str = "SELECT m.name, c.name || ':' || c.\"notnull\" FROM sqlite_master m, pragma_table_info(m.name) c \
    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> 'seaql_migrations'";
const MYSQL_COLUMNS: &str = "SELECT CAST(table_name AS CHAR), CAST(CONCAT(column_name, ':', IF(is_nullable = 'NO', 1, 0)) AS CHAR) \
    FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name <> 'seaql_migrations'";
const SQLITE_INDEXES: &str = "SELECT m.name, i.name || ':' || i.\"unique\" || ':' || \
    (SELECT group_concat(name, ',') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno)) \
    FROM sqlite_master m, pragma_index_list(m.name) i WHERE m.type = 'table' AND i.origin = 'c'";
const MYSQL_INDEXES: &str = "SELECT CAST(s.table_name AS CHAR), CAST(CONCAT(s.index_name, ':', 1 - s.non_unique, ':', \
    GROUP_CONCAT(s.column_name ORDER BY s.seq_in_index)) AS CHAR) FROM information_schema.statistics s \
    WHERE s.table_schema = DATABASE() AND s.index_name <> 'PRIMARY' AND s.index_name NOT LIKE 'fk\\_%' \
    AND s.table_name <> 'seaql_migrations' GROUP BY s.table_name, s.index_name, s.non_unique";
const MYSQL_COLLATIONS: &str = "SELECT CAST(table_name AS CHAR), CAST(column_name AS CHAR) FROM information_schema.columns \
    WHERE table_schema = DATABASE() AND table_name <> 'seaql_migrations' AND collation_name IS NOT NULL \
    AND collation_name <> 'utf8mb4_bin'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_databases_have_the_same_tables_columns_and_indexes() {
    let sqlite = World::sqlite().await;
    let columns = names(&sqlite, SQLITE_COLUMNS).await;
    assert!(columns.contains(&("message".to_owned(), "wamid:0".to_owned())));
    let indexes = names(&sqlite, SQLITE_INDEXES).await;
    assert!(indexes.contains(&("change".to_owned(), "change_scope:0:workspace,seq,inbox".to_owned())));
    let Some(mysql) = World::mysql().await else { return };
    assert_eq!(columns, names(&mysql, MYSQL_COLUMNS).await);
    assert_eq!(indexes, names(&mysql, MYSQL_INDEXES).await);
    assert_eq!(names(&mysql, MYSQL_COLLATIONS).await, Names::new(), "every text column tells cases apart");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_does_not_open_the_same_directory() {
    let dir = tempfile::tempdir().unwrap();
    let open = || parley_server::App::open(parley_server::Config::new(dir.path()), parley_server::Deps::system());
    let first = open().await.unwrap();
    assert!(matches!(open().await, Err(parley_server::Error::AlreadyOpen)));
    first.close().await;
    open().await.unwrap().close().await;
}
