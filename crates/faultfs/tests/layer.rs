//! The layer against SQLite itself.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use parley_faultfs::{Disk, Fault, Op, Plan, Style, read_folder, watch, write_folder};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rusqlite::Connection;

#[test]
fn a_record_played_to_its_end_is_the_file_and_a_cut_before_a_sync_loses_what_came_after() {
    let folder = tempfile::tempdir().unwrap();
    let watch = watch(folder.path());
    watch.record();
    let path = folder.path().canonicalize().unwrap().join("a.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (n)").unwrap();
    for n in 0..20 {
        connection.execute("INSERT INTO t VALUES (?1)", [n]).unwrap();
        watch.mark(n);
    }
    let ops = watch.taken();
    let mut disk = Disk::default();
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let image = tempfile::tempdir().unwrap();
    let mut marked = None;
    for op in &ops {
        disk.play(op);
        if let Op::Mark(n) = op {
            marked = Some(*n);
            for style in Style::ALL {
                write_folder(image.path(), &disk.cut(style, &mut random)).unwrap();
                let left: u64 = Connection::open(image.path().join("a.db"))
                    .unwrap()
                    .query_row("SELECT count(*) FROM t", [], |row| row.get(0))
                    .unwrap();
                assert_eq!(left, n + 1, "{style:?}");
            }
        }
    }
    assert_eq!(marked, Some(19));
    assert_eq!(disk.cut(Style::Kept, &mut random), read_folder(folder.path()).unwrap());
}

#[test]
fn writes_fail_from_the_chosen_one_on_and_work_again() {
    for fault in [Fault::Full, Fault::Device, Fault::ReadOnly] {
        let folder = tempfile::tempdir().unwrap();
        let watch = watch(folder.path());
        let path = folder.path().canonicalize().unwrap().join("a.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (n)").unwrap();
        watch.fail(Some(Plan { from: 2, fault }));
        let done = connection.execute("INSERT INTO t VALUES (1)", []);
        assert!(done.is_err() && watch.failed() > 0, "{fault:?}");
        assert_eq!(connection.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0)).unwrap(), 0);
        watch.fail(None);
        connection.execute("INSERT INTO t VALUES (1)", []).unwrap();
    }
}
