//! Backup and restore: one file of lines, the same for every database.
//!
//! Promise: a backup is one moment of the database. A restore goes into an empty database or changes nothing: a file that was cut
//! short or changed is refused before the commit. It mints a new lineage for every workspace, so that desks void what they
//! know of the old one (SYNC.md S70); what was on its way to Meta is unconfirmed, never sent again; and people who were erased
//! since are erased again before the port opens ([`crate::erasure`]). Keys are not in it: `secrets.toml` is kept apart.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use parley_domain::WorkspaceId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::app::Core;
use crate::audit::{self, Entry};
use crate::db::dump::{self, Shape};
use crate::db::{Txn, outbox, transaction};
use crate::error::{Error, Result};
use crate::outbox as sending;

/// The first line of a backup.
const FORMAT: &str = "parley backup 1";
/// Rows inserted at a time.
const ROWS: usize = 1_000;

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    // First, because a list of values would also read as one of the others.
    Row(Vec<Value>),
    Begin { format: String, at: i64 },
    Table { table: String, columns: Vec<String> },
    End { rows: u64, sha256: String },
}

/// What was written or read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Count {
    pub rows: u64,
    pub workspaces: usize,
}

struct Writer {
    file: BufWriter<File>,
    hash: Sha256,
}

impl Writer {
    fn line(&mut self, line: &Line) -> Result<()> {
        let mut text = serde_json::to_vec(line).map_err(|_| Error::Damaged("backup"))?;
        text.push(b'\n');
        self.hash.update(&text);
        self.file.write_all(&text)?;
        Ok(())
    }
}

/// Writes the whole database to a new file, readable by its owner alone.
///
/// # Errors
/// The file is there already or cannot be written, or the database failed.
pub(crate) async fn backup(core: &Core, to: &Path) -> Result<Count> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut writer = Writer { file: BufWriter::new(options.open(to)?), hash: Sha256::new() };
    writer.line(&Line::Begin { format: FORMAT.to_owned(), at: core.now().0 })?;
    let txn = core.db.snapshot().await?;
    let mut count = Count { rows: 0, workspaces: 0 };
    for shape in dump::shapes() {
        let columns = shape.columns.iter().map(|name| (*name).to_owned()).collect();
        writer.line(&Line::Table { table: shape.table.to_owned(), columns })?;
        let rows = dump::read(&txn, &shape, |row| writer.line(&Line::Row(row))).await?;
        count.rows += rows;
        if shape.table == "workspace" {
            count.workspaces = usize::try_from(rows).unwrap_or(usize::MAX);
        }
    }
    txn.rollback().await?;
    let sha256 = hex::encode(writer.hash.clone().finalize());
    writer.line(&Line::End { rows: count.rows, sha256 })?;
    writer.file.flush()?;
    writer.file.get_ref().sync_all()?;
    Ok(count)
}

/// Reads a backup into the empty database.
///
/// # Errors
/// The database is not empty, the file is not a whole backup, or the database failed; nothing is changed then.
pub(crate) async fn restore(core: &Core, from: &Path) -> Result<Count> {
    if !dump::is_empty(&core.db).await? {
        return Err(Error::Config("restore needs an empty database".to_owned()));
    }
    let lineage = core.random_token();
    let count = transaction!(core.db, |txn| restore_in(&txn, core, from, &lineage))?;
    // Checkpoints of the old history may lie beyond what the backup holds: they are kept, under another name.
    let marks = core.config.data.join(audit::FILE);
    if marks.exists() {
        let aside = core.config.data.join(format!("{}.before-{}", audit::FILE, core.now().0));
        std::fs::rename(&marks, aside)?;
    }
    Ok(count)
}

async fn restore_in(txn: &Txn, core: &Core, from: &Path, lineage: &str) -> Result<Count> {
    let count = fill(txn, from).await?;
    let workspaces = audit::workspaces_in(txn).await?;
    for (place, workspace) in workspaces.iter().enumerate() {
        begin_again(txn, core, *workspace, &format!("{}{place:04x}", lineage.get(..60).unwrap_or(lineage))).await?;
    }
    Ok(Count { rows: count, workspaces: workspaces.len() })
}

async fn begin_again(txn: &Txn, core: &Core, workspace: WorkspaceId, lineage: &str) -> Result<()> {
    dump::set_lineage(txn, workspace, lineage).await?;
    let mut open = 0;
    for entry in outbox::all(txn).await?.into_iter().filter(|entry| entry.workspace == workspace) {
        sending::unconfirmed_after_restore(txn, core, &entry).await?;
        open += 1;
    }
    let target = format!("workspace/{workspace}");
    let details = format!("unconfirmed={open}");
    let entry = Entry { actor: None, action: "workspace.restored", target: &target, details: &details };
    audit::record(txn, core, workspace, entry).await
}

async fn fill(txn: &Txn, from: &Path) -> Result<u64> {
    let shapes = dump::shapes();
    let mut reader = BufReader::new(File::open(from)?);
    let (mut text, mut hash) = (String::new(), Sha256::new());
    let mut count = 0;
    let mut at: Option<(&Shape, Vec<String>)> = None;
    let mut rows: Vec<Vec<Value>> = Vec::with_capacity(ROWS);
    let mut begun = false;
    loop {
        text.clear();
        if reader.read_line(&mut text)? == 0 {
            return Err(Error::Config("the backup was cut short".to_owned()));
        }
        let line = serde_json::from_str(&text).map_err(|_| Error::Config("that is no backup".to_owned()))?;
        if (!matches!(line, Line::Row(_)) || rows.len() == ROWS)
            && let Some((shape, columns)) = &at
        {
            dump::write(txn, shape, columns, std::mem::take(&mut rows)).await?;
        }
        match line {
            Line::Begin { format, .. } if format == FORMAT && !begun => begun = true,
            Line::Table { table, columns } if begun => {
                let shape = shapes.iter().find(|shape| shape.table == table);
                let newer = || Error::Config("the backup is of a newer version".to_owned());
                at = Some((shape.ok_or_else(newer)?, columns));
            }
            Line::Row(row) if at.is_some() => {
                rows.push(row);
                count += 1;
            }
            Line::End { rows: told, sha256 } if begun => {
                let whole = told == count && sha256 == hex::encode(hash.finalize());
                return if whole { Ok(count) } else { Err(Error::Config("the backup was changed".to_owned())) };
            }
            _ => return Err(Error::Config("that is no backup".to_owned())),
        }
        hash.update(text.as_bytes());
    }
}
