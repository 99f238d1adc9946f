//! The record of every accepted send.
//!
//! Promise: an entry exists if and only if Meta would have accepted the message; with a path it is on the disk before the
//! caller is answered, so it outlives any process but this one and this one too.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// One accepted send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// When, in milliseconds of the simulator's clock.
    pub at_ms: i64,
    /// The id that was answered.
    pub wamid: String,
    /// The business number.
    pub phone_number_id: String,
    /// `to` as the caller wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// `recipient` as the caller wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// The customer that this resolves to; none if nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// `type`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Body, caption, emoji or template name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The sender's own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub biz_opaque_callback_data: Option<String>,
    /// The message quoted or reacted to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refers_to: Option<String>,
    /// When this customer last wrote to this number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_inbound_ms: Option<i64>,
    /// The code of the failed status that follows, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fails_with: Option<i64>,
}

/// Entries in memory, and on disk if there is a path.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: Vec<LedgerEntry>,
    file: Option<File>,
}

impl Ledger {
    /// Opens for appending; what earlier runs wrote stays and is not read.
    pub fn open(path: Option<&Path>) -> io::Result<Self> {
        let file = path.map(|path| OpenOptions::new().create(true).append(true).open(path)).transpose()?;
        Ok(Self { entries: Vec::new(), file })
    }

    /// Appends one entry, durably if there is a file.
    pub fn append(&mut self, entry: LedgerEntry) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            let mut line = serde_json::to_vec(&entry)?;
            line.push(b'\n');
            file.write_all(&line)?;
            file.sync_data()?;
        }
        self.entries.push(entry);
        Ok(())
    }

    /// Everything accepted in this run, in order.
    pub fn entries(&self) -> &[LedgerEntry] {
        &self.entries
    }
}

/// Reads a ledger file back. A torn last line (the simulator itself was killed) is left out.
pub fn read_file(path: &Path) -> io::Result<Vec<LedgerEntry>> {
    let text = std::fs::read_to_string(path)?;
    let mut entries = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        match serde_json::from_str(line) {
            Ok(entry) => entries.push(entry),
            Err(_) if at + 1 == lines.len() && !text.ends_with('\n') => {}
            Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    }
    Ok(entries)
}
