//! Damaged files: noticed, set aside, saved from, made anew.
//!
//! Promise: a damaged file is never read as if it were whole, and never overwritten in place. The replica is fetched again from
//! the server, the outbox keeps what could be read of it. What was set aside stays encrypted, in `damaged/`, until the rows
//! are here again, and goes with the desk.
//!
//! Every page carries a seal of its content and its number, so a changed or moved page fails when it is read. A file that was
//! taken back to an earlier state is whole by itself; what tells is that it was in use and its write-ahead log is gone.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use parley_domain::{Code, ConversationId, MessageText, Timestamp};
use rusqlite::Connection;
use tokio::sync::Notify;

use super::cipher::{self, Key, Purpose};
use super::outbox::{self, DraftMode, Pending};
use super::schema::{self, Step};
use super::session;
use crate::Result;

/// Where damaged files are set aside.
const ASIDE: &str = "damaged";
/// There while the files are open: found at opening, the last user died.
const IN_USE: &str = "in-use";
/// There when a query met a damaged page: the next opening looks at every page.
const SUSPECT: &str = "suspect";
/// Places behind an unreadable row that are tried one by one.
const LOOK_BEHIND: i64 = 4_000;

/// What opening had to mend.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Mended {
    /// The replica was damaged, or fell back to an earlier state: its rows are fetched again.
    pub replica: bool,
    /// The outbox was damaged; what was readable is in the new one.
    pub outbox: bool,
    /// Attachments were damaged.
    pub media: bool,
}

impl Mended {
    /// What the member is told, the graver first.
    pub fn code(self) -> Option<Code> {
        if self.outbox {
            return Some(Code::OutboxRecovered);
        }
        (self.replica || self.media).then_some(Code::StoreRebuilt)
    }
}

/// How a folder was left by its last user.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Left {
    /// A page was found damaged: every page is looked at.
    pub suspect: bool,
    /// The last user died.
    pub in_use: bool,
}

/// Reads how the folder was left, and finishes a change of files that was interrupted.
pub fn left(dir: &Path, files: &[PathBuf]) -> Result<Left> {
    for file in files {
        let ready = beside(file, "ready");
        if ready.exists() && !file.exists() {
            fs::rename(&ready, file)?;
        } else if ready.exists() {
            fs::remove_file(&ready)?;
        }
    }
    Ok(Left { suspect: dir.join(SUSPECT).exists(), in_use: dir.join(IN_USE).exists() })
}

/// Whether a file was in use and lost its log: it may have fallen back to an earlier state.
pub fn lost_log(left: Left, file: &Path) -> bool {
    left.in_use && file.exists() && !beside(file, "db-wal").exists()
}

/// Looks at every page and index.
pub fn examine(connection: &Connection) -> Result<()> {
    let clean = |sql: &str, wanted: &[&str]| -> Result<bool> {
        let mut statement = connection.prepare(sql)?;
        let lines = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(lines == wanted)
    };
    if clean("PRAGMA cipher_integrity_check", &[])? && clean("PRAGMA integrity_check", &["ok"])? {
        Ok(())
    } else {
        Err(Code::StoreDamaged.into())
    }
}

/// What could be read of an outbox.
#[derive(Debug, Default)]
pub struct Saved {
    pub intents: Vec<Pending>,
    pub drafts: HashMap<(ConversationId, DraftMode), MessageText>,
}

/// Makes `file` anew. The new file is complete before the damaged one is moved, and takes its place by a rename: whenever this is
/// interrupted, the next opening has one of the two.
pub fn renew(file: &Path, name: &str, desk: &str, key: &Key, steps: &[Step]) -> Result<Connection> {
    let saved = if name == "outbox" { save(file, key) } else { Saved::default() };
    let fresh = beside(file, "new");
    remove(&fresh)?;
    remove(&beside(&fresh, "new-wal"))?;
    remove(&beside(&fresh, "new-shm"))?;
    {
        let connection = cipher::open(&fresh, key, Purpose::Create)?;
        schema::create(&connection, name, desk, steps)?;
        if name == "replica" {
            session::note_shapes(&connection)?;
        }
        for item in &saved.intents {
            outbox::put(&connection, item)?;
        }
        for ((conversation, mode), text) in &saved.drafts {
            // Its age is not known any more: it begins again.
            outbox::save_draft(&connection, *conversation, *mode, text.expose(), Timestamp(0))?;
        }
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    }
    let ready = beside(file, "ready");
    fs::rename(&fresh, &ready)?;
    set_aside(file)?;
    fs::rename(&ready, file)?;
    sync_folder(file)?;
    tracing::warn!(
        file = name,
        saved = saved.intents.len(),
        drafts = saved.drafts.len(),
        "a damaged file was made anew"
    );
    cipher::open(file, key, Purpose::Write)
}

/// Reads what can be read: rows in order, and behind a page that cannot be read those that stand further on.
fn save(file: &Path, key: &Key) -> Saved {
    let mut saved = Saved::default();
    let Ok(connection) = cipher::open(file, key, Purpose::Write) else { return saved };
    let (mut place, mut missed) = (0, 0);
    while missed < LOOK_BEHIND {
        match outbox::next(&connection, place) {
            Ok(Some(item)) => {
                (place, missed) = (item.place, 0);
                saved.intents.push(item);
            }
            Ok(None) => break,
            Err(_) => (place, missed) = (place + 1, missed + 1),
        }
    }
    saved.drafts = outbox::drafts(&connection).unwrap_or_default();
    saved
}

/// Moves a file with its log into `damaged/`, over what an earlier damage left there.
fn set_aside(file: &Path) -> Result<()> {
    let (Some(dir), Some(name)) = (file.parent(), file.file_name()) else { return Ok(()) };
    let aside = dir.join(ASIDE);
    crate::desk::make_dir(&aside)?;
    for ending in ["db", "db-wal"] {
        let from = beside(file, ending);
        if from.exists() {
            fs::rename(&from, beside(&aside.join(name), ending))?;
        }
    }
    remove(&beside(file, "db-shm"))
}

/// Deletes what was set aside: the rows are here again.
pub fn forget_damaged(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir.join(ASIDE)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    file.with_extension(ending)
}

fn remove(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn sync_folder(file: &Path) -> Result<()> {
    #[cfg(unix)]
    if let Some(dir) = file.parent() {
        fs::File::open(dir)?.sync_all()?;
    }
    Ok(())
}

/// Tells that a query met a damaged page. The files cannot be trusted until they were opened again.
#[derive(Debug)]
pub struct Alarm {
    dir: PathBuf,
    rung: AtomicBool,
    heard: Notify,
}

impl Alarm {
    /// For the files of this folder, which are in use from now on.
    pub fn set(dir: &Path) -> Result<Self> {
        // Without room for the mark a lost log goes unnoticed; that is no reason not to read.
        let _ = fs::write(dir.join(IN_USE), b"");
        remove(&dir.join(SUSPECT))?;
        Ok(Self { dir: dir.to_owned(), rung: AtomicBool::new(false), heard: Notify::new() })
    }

    /// A page is damaged. The mark that makes the next opening look at every page is best effort: the disk may be failing.
    pub fn ring(&self) {
        if !self.rung.swap(true, Ordering::Relaxed) {
            let _ = fs::write(self.dir.join(SUSPECT), b"");
            tracing::warn!("a damaged page was read");
            self.heard.notify_one();
        }
    }

    /// Waits until a damaged page is met (`true`) or the files are closed.
    pub async fn heard(&self) -> bool {
        self.heard.notified().await;
        self.rung.load(Ordering::Relaxed)
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The files are being closed in good order.
    pub fn rest(&self) {
        let _ = remove(&self.dir.join(IN_USE));
        self.heard.notify_one();
    }
}
