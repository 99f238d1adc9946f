//! Directories: where a desk's files stand, which desk is the present one, and the lock that keeps a second Parley out.
//!
//! `desk.json` in the base directory points to desks by server address and ids; it holds no name and no e-mail address.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use fs4::fs_std::FileExt;
use parley_domain::{Clock, Code, DeviceId, MemberId, Randomness, WorkspaceId, time};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::keyfile::replace_file;

const FILE: &str = "desk.json";
const LOCK: &str = "lock";

/// The content of `desk.json`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Desks {
    pub version: u32,
    /// Directory of the desk that opens at start.
    pub current: Option<String>,
    /// The server last used, for the sign-in form.
    pub server: Option<String>,
    pub desks: Vec<DeskEntry>,
}

/// Where a desk's secrets stand.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretsIn {
    /// The operating system's keyring.
    #[default]
    Keyring,
    /// A file under the member's passphrase.
    Passphrase,
}

/// One signed-in desk.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeskEntry {
    pub dir: String,
    pub server: String,
    pub workspace: WorkspaceId,
    pub member: MemberId,
    pub device: DeviceId,
    #[serde(default)]
    pub secrets: SecretsIn,
}

impl Desks {
    /// Reads `desk.json`; a missing file means no desks, an unreadable one is [`Code::StoreDamaged`].
    pub fn load(base: &Path) -> Result<Self> {
        match fs::read(base.join(FILE)) {
            Ok(text) => serde_json::from_slice(&text).map_err(|_| Code::StoreDamaged.into()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self { version: 1, ..Self::default() }),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes `desk.json`.
    pub fn save(&self, base: &Path) -> Result<()> {
        make_dir(base)?;
        replace_file(base, FILE, &serde_json::to_vec_pretty(self)?)
    }

    /// The desk that opens at start.
    pub fn present(&self) -> Option<&DeskEntry> {
        let current = self.current.as_deref()?;
        self.desks.iter().find(|desk| desk.dir == current)
    }
}

/// Name for a new desk's directory.
pub fn new_dir(clock: &dyn Clock, randomness: &dyn Randomness) -> String {
    time::new_uuid(clock, randomness).simple().to_string()
}

/// Names of a desk's secrets in the vault.
pub fn store_secret(dir: &str) -> String {
    format!("{dir}/store")
}

/// Name of a desk's lease in the vault.
pub fn lease_secret(dir: &str) -> String {
    format!("{dir}/lease")
}

/// Name of a desk's refresh token in the vault.
pub fn session_secret(dir: &str) -> String {
    format!("{dir}/session")
}

/// Name of a desk's signing key in the vault.
pub fn device_secret(dir: &str) -> String {
    format!("{dir}/device")
}

/// Makes a directory that only its owner can enter.
pub fn make_dir(path: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    Ok(())
}

/// Holds a desk's directory for this process until dropped; the operating system releases it when the process dies.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

impl DirLock {
    /// Takes the lock, or [`Code::AlreadyOpen`].
    pub fn take(dir: &Path) -> Result<Self> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(dir.join(LOCK))?;
        if file.try_lock_exclusive()? { Ok(Self { _file: file }) } else { Err(Code::AlreadyOpen.into()) }
    }
}

/// Paths of the three files.
pub fn paths(dir: &Path) -> [PathBuf; 3] {
    [dir.join("replica.db"), dir.join("outbox.db"), dir.join("media.db")]
}
