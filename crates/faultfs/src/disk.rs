//! What a disk may hold after a power cut.
//!
//! A file is what was synced, and behind it the operations since, in order. At a cut each of these may have reached the platter
//! or not, whole or in part (a sector of 512 bytes is all or nothing), in any order; nothing that was synced is lost.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use rand::Rng;
use rand::seq::SliceRandom;

use crate::state::Op;

const SECTOR: usize = 512;

/// Contents by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// How much of what was not synced survives a cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// Nothing.
    Dropped,
    /// Everything: the program died, the disk did not.
    Kept,
    /// Some operations, in order, each whole.
    Some,
    /// Some operations, in any order, some of them torn.
    Torn,
}

impl Style {
    /// Every style.
    pub const ALL: [Style; 4] = [Style::Dropped, Style::Kept, Style::Some, Style::Torn];
}

#[derive(Clone, Debug)]
enum Change {
    Create,
    Write { offset: u64, bytes: Vec<u8> },
    Truncate(u64),
    Delete,
}

#[derive(Clone, Debug, Default)]
struct File {
    synced: Option<Vec<u8>>,
    since: Vec<Change>,
}

/// A disk on which recorded operations are played.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    files: BTreeMap<String, File>,
}

impl Disk {
    /// A disk with these files, all synced.
    pub fn new(files: Files) -> Self {
        let files =
            files.into_iter().map(|(name, bytes)| (name, File { synced: Some(bytes), since: Vec::new() })).collect();
        Self { files }
    }

    /// Plays one operation.
    pub fn play(&mut self, op: &Op) {
        let (name, change) = match op {
            Op::Mark(_) => return,
            Op::Create { file } => (file, Some(Change::Create)),
            Op::Write { file, offset, bytes } => (file, Some(Change::Write { offset: *offset, bytes: bytes.clone() })),
            Op::Truncate { file, size } => (file, Some(Change::Truncate(*size))),
            Op::Delete { file, .. } => (file, Some(Change::Delete)),
            Op::Sync { file } => (file, None),
        };
        // SQLite syncs the folder with the first sync of a log or journal: names that came or went are on the platter then.
        if change.is_none() && (name.ends_with("-wal") || name.ends_with("-journal")) {
            self.files.values_mut().for_each(File::settle_name);
        }
        let file = self.files.entry(name.clone()).or_default();
        let settles = change.is_none() || matches!(op, Op::Delete { synced: true, .. });
        file.since.extend(change);
        if settles {
            for change in std::mem::take(&mut file.since) {
                change.reach(&mut file.synced);
            }
        }
    }

    /// What the disk holds when the power goes now.
    pub fn cut(&self, style: Style, random: &mut impl Rng) -> Files {
        let mut left = Files::new();
        for (name, file) in &self.files {
            let mut content = file.synced.clone();
            let mut reached: Vec<Change> = match style {
                Style::Dropped => Vec::new(),
                Style::Kept => file.since.clone(),
                Style::Some => file.since.iter().filter(|_| random.random_bool(0.5)).cloned().collect(),
                Style::Torn => {
                    let mut reached = Vec::new();
                    for change in &file.since {
                        if random.random_bool(0.7) {
                            let torn = random.random_bool(0.4);
                            let change = change.clone();
                            reached.extend(if torn { change.torn(random) } else { vec![change] });
                        }
                    }
                    reached
                }
            };
            if style == Style::Torn {
                reached.shuffle(random);
            }
            for change in reached {
                change.reach(&mut content);
            }
            left.extend(content.map(|content| (name.clone(), content)));
        }
        left
    }
}

impl File {
    fn settle_name(&mut self) {
        let named = self.since.iter().rposition(|change| matches!(change, Change::Create | Change::Delete));
        if let Some(last) = named {
            for change in self.since.drain(..=last) {
                change.reach(&mut self.synced);
            }
        }
    }
}

impl Change {
    fn reach(self, content: &mut Option<Vec<u8>>) {
        match self {
            Self::Create => {
                content.get_or_insert_default();
            }
            Self::Delete => *content = None,
            Self::Truncate(size) => {
                if let Some(content) = content {
                    content.resize(usize::try_from(size).unwrap_or(usize::MAX).min(1 << 32), 0);
                }
            }
            Self::Write { offset, bytes } => {
                let content = content.get_or_insert_default();
                let from = usize::try_from(offset).unwrap_or(usize::MAX).min(1 << 32);
                let to = from + bytes.len();
                if content.len() < to {
                    content.resize(to, 0);
                }
                if let Some(place) = content.get_mut(from..to) {
                    place.copy_from_slice(&bytes);
                }
            }
        }
    }

    /// The sectors of a write that happened to reach the platter.
    fn torn(self, random: &mut impl Rng) -> Vec<Self> {
        let Self::Write { offset, bytes } = self else { return vec![self] };
        let mut parts = Vec::new();
        let mut from = 0;
        while from < bytes.len() {
            let at = usize::try_from(offset).unwrap_or(0) + from;
            let to = (from + SECTOR - at % SECTOR).min(bytes.len());
            if random.random_bool(0.5) {
                parts.push(Self::Write { offset: at as u64, bytes: bytes.get(from..to).unwrap_or_default().to_vec() });
            }
            from = to;
        }
        parts
    }
}

/// Reads every file of a folder but the log's index, which does not outlive its programs.
pub fn read_folder(folder: &Path) -> io::Result<Files> {
    let mut files = Files::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_file() && !name.ends_with("-shm") {
            files.insert(name, fs::read(entry.path())?);
        }
    }
    Ok(files)
}

/// Makes a folder of these files and nothing else.
pub fn write_folder(folder: &Path, files: &Files) -> io::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}
