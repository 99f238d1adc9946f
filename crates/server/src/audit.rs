//! The audit log: who did what to a workspace, in a chain of hashes that shows any later change.
//!
//! Promise: an entry is written in the transaction of the act it tells of, with the end of the workspace's chain locked, so a
//! chain has no gap and no fork. Each entry's hash covers the entry and the hash before it; a checkpoint signs the last hash
//! every [`AUDIT_CHECKPOINT_ENTRIES`] entries or [`AUDIT_CHECKPOINT_EVERY`] milliseconds and stands in two places, the database
//! and `audit-checkpoints.jsonl` in the data directory, so that the end of a chain cannot be cut off unseen (SECURITY.md A38).
//! Entries name rows by id and fields by name: no message text, no phone number, no e-mail address.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use parley_domain::limits::{AUDIT_CHECKPOINT_ENTRIES, AUDIT_CHECKPOINT_EVERY};
use parley_domain::protocol::access::{AuditEntry, AuditPage};
use parley_domain::{AuditId, MemberId, Timestamp, WorkspaceId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::app::Core;
use crate::db::audit::{self, CheckpointRow, EntryRow};
use crate::db::{Db, Txn, transaction};
use crate::error::{Error, Result};
use crate::secrets::Keys;

/// Second place of the checkpoints, in the data directory.
pub const FILE: &str = "audit-checkpoints.jsonl";
/// Entries of one page at most.
const PAGE: u32 = 200;
/// Entries read at a time by [`verify`].
const SLICE: u64 = 1_000;

/// What is to be written down.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Who acted; `None` for the server itself or its command line.
    pub actor: Option<MemberId>,
    /// `kind.verb` in the past, such as `device.revoked`: catalogs translate it.
    pub action: &'static str,
    /// `kind/id` of what was acted on.
    pub target: &'a str,
    /// Names of fields, roles, counts. No personal data.
    pub details: &'a str,
}

/// Writes an entry in the transaction of its act. The head of the chain is locked until the transaction ends: call it last.
///
/// # Errors
/// The database failed.
pub async fn record(txn: &Txn, core: &Core, workspace: WorkspaceId, entry: Entry<'_>) -> Result<()> {
    let head = audit::lock(txn, workspace, &beginning()).await?;
    let mut row = EntryRow {
        place: head.place + 1,
        at: core.now(),
        actor: entry.actor,
        action: entry.action.to_owned(),
        target: entry.target.to_owned(),
        details: entry.details.to_owned(),
        prev: head.hash,
        hash: String::new(),
    };
    row.hash = hash(workspace, &row);
    audit::append(txn, workspace, row).await
}

/// The hash before the first entry.
fn beginning() -> String {
    "0".repeat(64)
}

fn put(hasher: &mut Sha256, part: &[u8]) {
    // Every part has its length before it, so that no two entries read the same.
    hasher.update((part.len() as u64).to_be_bytes());
    hasher.update(part);
}

pub(crate) fn hash(workspace: WorkspaceId, entry: &EntryRow) -> String {
    let mut hasher = Sha256::new();
    put(&mut hasher, b"parley audit entry 1");
    put(&mut hasher, workspace.0.as_bytes());
    put(&mut hasher, &entry.place.to_be_bytes());
    put(&mut hasher, &entry.at.0.to_be_bytes());
    put(&mut hasher, entry.actor.as_ref().map_or(&[][..], |actor| actor.0.as_bytes()));
    put(&mut hasher, entry.action.as_bytes());
    put(&mut hasher, entry.target.as_bytes());
    put(&mut hasher, entry.details.as_bytes());
    put(&mut hasher, entry.prev.as_bytes());
    hex::encode(hasher.finalize())
}

/// What a checkpoint's signature is over.
fn signed(workspace: WorkspaceId, place: u64, hash: &str, at: Timestamp) -> [u8; 32] {
    let mut hasher = Sha256::new();
    put(&mut hasher, b"parley audit checkpoint 1");
    put(&mut hasher, workspace.0.as_bytes());
    put(&mut hasher, &place.to_be_bytes());
    put(&mut hasher, hash.as_bytes());
    put(&mut hasher, &at.0.to_be_bytes());
    hasher.finalize().into()
}

/// A page of the log, newest first, at most 200 entries.
///
/// # Errors
/// The database failed.
pub async fn page(core: &Core, workspace: WorkspaceId, before: Option<u64>, limit: u32) -> Result<AuditPage> {
    let txn = core.db.snapshot().await?;
    let rows = audit::before(&txn, workspace, before, u64::from(limit.clamp(1, PAGE))).await?;
    let ids = |kind: &str| -> BTreeSet<String> {
        rows.iter()
            .filter_map(|row| row.target.split_once('/'))
            .filter(|(k, _)| *k == kind)
            .map(|(_, id)| id.to_owned())
            .collect()
    };
    let mut people = ids("member");
    people.extend(rows.iter().filter_map(|row| row.actor).map(|actor| actor.to_string()));
    let people = audit::member_names(&txn, workspace, &people).await?;
    let mut things: BTreeMap<String, String> = audit::inbox_names(&txn, workspace, &ids("inbox")).await?;
    things.extend(audit::device_names(&txn, workspace, &ids("device")).await?);
    let sealed_upto = audit::peek(&txn, workspace).await?.map_or(0, |head| head.sealed_upto);
    txn.rollback().await?;
    let entries = rows.into_iter().map(|row| {
        let id = row.target.split_once('/').map_or("", |(_, id)| id);
        let name = people.get(id).map(|name| name.expose().to_owned()).or_else(|| things.get(id).cloned());
        AuditEntry {
            id: entry_id(&row.hash),
            place: row.place,
            at: row.at,
            actor: row.actor,
            actor_name: row.actor.and_then(|actor| people.get(&actor.to_string()).cloned()),
            action: row.action,
            target_name: name,
            target: row.target,
            details: row.details,
        }
    });
    Ok(AuditPage { entries: entries.collect(), sealed_upto })
}

/// An entry's id is the beginning of its hash, so that nothing else names it.
fn entry_id(hash: &str) -> AuditId {
    let mut bytes = [0u8; 16];
    if let Some(start) = hash.get(..32) {
        let _ = hex::decode_to_slice(start, &mut bytes);
    }
    AuditId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

/// What is wrong at a place of a chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The entry is not the one that was written, or is not there.
    Entry,
    /// A checkpoint covers a place that the chain no longer reaches.
    Cut,
    /// A checkpoint was changed, or covers another chain than the one that stands here.
    Checkpoint,
}

/// The outcome of [`verify`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// Entries that are as they were written, from the first.
    pub entries: u64,
    /// Place of the last checkpoint, 0 when there is none.
    pub sealed_upto: u64,
    /// The first place that is wrong.
    pub bad: Option<(u64, Fault)>,
}

/// Reads a whole chain and compares it with its hashes and checkpoints, those of the file included.
///
/// # Errors
/// The database failed, or the file cannot be read.
pub async fn verify(core: &Core, workspace: WorkspaceId) -> Result<Verdict> {
    let written = read_file(&core.config.data.join(FILE), workspace)?;
    verify_with(&core.db, &core.keys, workspace, &written).await
}

async fn verify_with(db: &Db, keys: &Keys, workspace: WorkspaceId, written: &[CheckpointRow]) -> Result<Verdict> {
    let txn = db.snapshot().await?;
    let head = audit::peek(&txn, workspace).await?;
    let checkpoints = audit::checkpoints(&txn, workspace).await?;
    let sealed_upto = checkpoints.iter().chain(written).map(|checkpoint| checkpoint.place).max().unwrap_or(0);
    let mut marks: BTreeMap<u64, Vec<&CheckpointRow>> = BTreeMap::new();
    for checkpoint in checkpoints.iter().chain(written) {
        marks.entry(checkpoint.place).or_default().push(checkpoint);
    }
    let (mut place, mut before) = (0u64, beginning());
    let bad = 'chain: loop {
        let rows = match audit::after(&txn, workspace, place, SLICE).await {
            Ok(rows) => rows,
            // A row that cannot even be read is among the next slice; entry by entry it is found.
            Err(Error::Damaged(_)) => break one_by_one(&txn, workspace, place, before.clone()).await?,
            Err(error) => return Err(error),
        };
        if rows.is_empty() {
            break None;
        }
        for row in rows {
            let expected = place + 1;
            if row.place != expected || row.prev != before || hash(workspace, &row) != row.hash {
                break 'chain Some((expected, Fault::Entry));
            }
            for mark in marks.get(&expected).into_iter().flatten() {
                let bytes = signed(workspace, mark.place, &mark.hash, mark.at);
                if mark.hash != row.hash || !keys.checkpoint_is_ours(&bytes, &mark.signature) {
                    break 'chain Some((expected, Fault::Checkpoint));
                }
            }
            place = expected;
            before = row.hash;
        }
    };
    txn.rollback().await?;
    let end = head.as_ref().map_or(0, |head| head.place);
    let bad = bad.or_else(|| {
        if place < sealed_upto || place < end {
            Some((place + 1, Fault::Cut))
        } else {
            head.filter(|head| head.hash != before).map(|_| (place, Fault::Entry))
        }
    });
    Ok(Verdict { entries: bad.map_or(place, |(bad, _)| bad.saturating_sub(1).min(place)), sealed_upto, bad })
}

/// Finds the first entry that cannot be read or does not fit, from a place on that does.
async fn one_by_one(
    txn: &Txn,
    workspace: WorkspaceId,
    mut place: u64,
    mut before: String,
) -> Result<Option<(u64, Fault)>> {
    loop {
        let row = match audit::after(txn, workspace, place, 1).await {
            Ok(rows) => rows.into_iter().next(),
            Err(Error::Damaged(_)) => None,
            Err(error) => return Err(error),
        };
        match row {
            Some(row) if row.place == place + 1 && row.prev == before && hash(workspace, &row) == row.hash => {
                place = row.place;
                before = row.hash;
            }
            _ => return Ok(Some((place + 1, Fault::Entry))),
        }
    }
}

/// Every workspace, as the transaction sees them.
pub(crate) async fn workspaces_in(txn: &Txn) -> Result<Vec<WorkspaceId>> {
    audit::workspaces(txn).await
}

/// Every workspace, for the command line.
pub(crate) async fn workspaces(core: &Core) -> Result<Vec<WorkspaceId>> {
    audit::workspaces(core.db.reader()).await
}

/// Signs the ends of all chains that have grown enough, or long enough ago; `all` signs every chain that has grown.
///
/// # Errors
/// The database failed, or the file cannot be written.
pub(crate) async fn checkpoint(core: &Core, all: bool) -> Result<()> {
    for head in audit::unsealed(core.db.reader()).await? {
        let due = head.place - head.sealed_upto >= AUDIT_CHECKPOINT_ENTRIES
            || core.now().since(head.sealed_at) >= AUDIT_CHECKPOINT_EVERY;
        if due || all {
            transaction!(core.db, |txn| seal(&txn, core, head.workspace))?;
        }
    }
    Ok(())
}

async fn seal(txn: &Txn, core: &Core, workspace: WorkspaceId) -> Result<()> {
    let head = audit::lock(txn, workspace, &beginning()).await?;
    if head.place == head.sealed_upto {
        return Ok(());
    }
    let at = core.now();
    let bytes = signed(workspace, head.place, &head.hash, at);
    let signature = core.keys.sign_checkpoint(&bytes);
    let checkpoint = CheckpointRow { place: head.place, at, hash: head.hash, signature };
    // The head was committed before it could be locked, so this line is true even when the transaction fails.
    append_file(core.config.data.join(FILE), Line::from_row(workspace, &checkpoint)).await?;
    audit::seal(txn, workspace, checkpoint).await
}

/// A checkpoint as a line of the file.
#[derive(Serialize, Deserialize)]
struct Line {
    workspace: WorkspaceId,
    place: u64,
    at: Timestamp,
    hash: String,
    signature: String,
}

impl Line {
    fn from_row(workspace: WorkspaceId, row: &CheckpointRow) -> Self {
        Self { workspace, place: row.place, at: row.at, hash: row.hash.clone(), signature: row.signature.clone() }
    }
}

async fn append_file(path: PathBuf, line: Line) -> Result<()> {
    let mut text = serde_json::to_string(&line).map_err(|_| Error::Damaged("audit_checkpoint"))?;
    text.push('\n');
    let done = tokio::task::spawn_blocking(move || {
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    Ok(done.await.map_err(|_| Error::Stopping)??)
}

/// The workspace's checkpoints in the file. A line that was torn by a crash says nothing; a changed one fails its signature.
fn read_file(path: &Path, workspace: WorkspaceId) -> Result<Vec<CheckpointRow>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    Ok(text
        .lines()
        .filter_map(|line| serde_json::from_str::<Line>(line).ok())
        .filter(|line| line.workspace == workspace)
        .map(|line| CheckpointRow { place: line.place, at: line.at, hash: line.hash, signature: line.signature })
        .collect())
}
