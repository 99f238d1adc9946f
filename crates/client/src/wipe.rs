//! What is left of a desk that deleted itself: one file with counts and a signature, for the next sign-in to report.
//!
//! Promise: `wiped.json` holds ids, times and counts; no name, no text, no key. It goes when the server has taken it.

use std::path::Path;

use parley_domain::WorkspaceId;
use parley_domain::protocol::device::Receipt;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::desk::DeskEntry;
use crate::keyfile::replace_file;

/// Name of the file in the base directory.
pub const FILE: &str = "wiped.json";
/// More than this many nobody will report any more.
const MOST: usize = 100;

#[derive(Default, Serialize, Deserialize)]
struct Wiped {
    wiped: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    server: String,
    workspace: WorkspaceId,
    receipt: Receipt,
}

fn load(base: &Path) -> Wiped {
    let text = std::fs::read(base.join(FILE)).ok();
    text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

/// Leaves a receipt.
pub fn leave(base: &Path, desk: &DeskEntry, receipt: Receipt) -> Result<()> {
    let mut wiped = load(base);
    wiped.wiped.push(Entry { server: desk.server.clone(), workspace: desk.workspace, receipt });
    let over = wiped.wiped.len().saturating_sub(MOST);
    wiped.wiped.drain(..over);
    replace_file(base, FILE, &serde_json::to_vec(&wiped)?)
}

/// Receipts for this workspace of this server.
pub fn waiting(base: &Path, server: &str, workspace: WorkspaceId) -> Vec<Receipt> {
    let ours = |entry: &Entry| entry.server == server && entry.workspace == workspace;
    load(base).wiped.into_iter().filter(ours).map(|entry| entry.receipt).collect()
}

/// Forgets receipts that were taken; without any left the file goes.
pub fn forget(base: &Path, taken: &[Receipt]) -> Result<()> {
    let mut wiped = load(base);
    wiped.wiped.retain(|entry| !taken.contains(&entry.receipt));
    if !wiped.wiped.is_empty() {
        return replace_file(base, FILE, &serde_json::to_vec(&wiped)?);
    }
    match std::fs::remove_file(base.join(FILE)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
