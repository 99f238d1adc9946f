//! Envelope encryption: each workspace has data keys of its own, kept in the database under a key-encryption key (KEK) that
//! stands in the key file alone.
//!
//! Promise: a sealed value names the version of its data key and opens only at its own place, under its own workspace's key; a
//! wrapped data key opens only for its own workspace and version (SECURITY.md A39). Deleting a workspace's wrapped keys makes
//! all its sealed values unreadable for good, in every backup that was made after it too. No opened data key is kept between
//! two calls, so that this holds at once. Values that were sealed before data keys existed open as before.

use parley_domain::protocol::session::Secret;
use parley_domain::{InboxId, Randomness, WorkspaceId};
use sea_orm::ConnectionTrait;
use zeroize::Zeroizing;

use crate::app::Core;
use crate::db::admin::Connection;
use crate::db::keys::{self, WrappedRow};
use crate::db::{Txn, transaction};
use crate::error::{Error, Result};
use crate::seal::{self, Place, Purpose, Sealer};

/// What a value begins with that was sealed by a data key; then its version, four bytes. A value without it was sealed before.
const MARK: [u8; 8] = *b"parley\x00\x01";

/// An opened data key.
pub(crate) struct DataKey {
    version: u32,
    key: Zeroizing<[u8; 32]>,
}

impl DataKey {
    /// Seals bytes for their place, which must be in the key's workspace.
    pub fn seal(&self, place: Place<'_>, bytes: &[u8], randomness: &dyn Randomness) -> Result<Vec<u8>> {
        let mut out = Vec::with_capacity(MARK.len() + 4 + bytes.len() + 40);
        out.extend_from_slice(&MARK);
        out.extend_from_slice(&self.version.to_be_bytes());
        let bound = bound(&out, place);
        out.extend_from_slice(&seal::encrypt(&self.key, &bound, bytes, randomness)?);
        Ok(out)
    }
}

/// The header is bound too: another version cannot be claimed.
fn bound(header: &[u8], place: Place<'_>) -> Vec<u8> {
    let mut bound = header.to_vec();
    bound.extend_from_slice(&place.bound());
    bound
}

fn split(sealed: &[u8]) -> Option<(&[u8], u32, &[u8])> {
    let (header, body) = sealed.split_at_checked(MARK.len() + 4)?;
    let version = header.strip_prefix(&MARK)?.try_into().ok().map(u32::from_be_bytes)?;
    Some((header, version, body))
}

/// The newest data key of a workspace (`None`: of the rows that belong to none), made when there is none. Not to be called
/// within a transaction.
///
/// # Errors
/// The database failed, or the key file lacks the KEK.
pub(crate) async fn key(core: &Core, workspace: Option<WorkspaceId>) -> Result<DataKey> {
    let owner = owner(workspace);
    if let Some(row) = keys::newest(core.db.reader(), &owner).await? {
        return unwrap(core, &row);
    }
    transaction!(core.db, |txn| mint(&txn, core, &owner))
}

fn owner(workspace: Option<WorkspaceId>) -> String {
    workspace.map_or_else(String::new, |workspace| workspace.to_string())
}

async fn mint(txn: &Txn, core: &Core, owner: &str) -> Result<DataKey> {
    if let Some(row) = keys::newest(txn, owner).await? {
        return unwrap(core, &row);
    }
    let mut key = Zeroizing::new([0u8; 32]);
    core.randomness.fill(&mut *key);
    let row = wrap(core, owner, 1, &key)?;
    keys::put(txn, row, core.now()).await?;
    Ok(DataKey { version: 1, key })
}

fn wrap(core: &Core, owner: &str, version: u32, key: &[u8; 32]) -> Result<WrappedRow> {
    let (kek, secret) = core.keys.newest_kek()?;
    let row = version.to_string();
    let place = Place { workspace: owner, table: "workspace_key", column: "wrapped", row: &row };
    let wrapped = seal::encrypt(&secret, &bound(kek.as_bytes(), place), key, &*core.randomness)?;
    Ok(WrappedRow { owner: owner.to_owned(), version, kek, wrapped })
}

fn unwrap(core: &Core, row: &WrappedRow) -> Result<DataKey> {
    let secret = core.keys.kek(&row.kek)?;
    let version = row.version.to_string();
    let place = Place { workspace: &row.owner, table: "workspace_key", column: "wrapped", row: &version };
    let opened = Zeroizing::new(seal::decrypt(&secret, &bound(row.kek.as_bytes(), place), &row.wrapped)?);
    let key = opened.as_slice().try_into().map_err(|_| Error::Sealed)?;
    Ok(DataKey { version: row.version, key: Zeroizing::new(key) })
}

/// Opens what was sealed for this place, in whatever format.
///
/// # Errors
/// [`Error::Sealed`]: another place, another key, changed bytes, or the key was shredded.
pub(crate) async fn open<C: ConnectionTrait>(
    core: &Core,
    connection: &C,
    place: Place<'_>,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>> {
    let Some((header, version, body)) = split(sealed) else {
        return Sealer::new(&core.keys, Purpose::Credential).open(place, sealed).map(Zeroizing::new);
    };
    let row = keys::version(connection, place.workspace, version).await?.ok_or(Error::Sealed)?;
    let key = unwrap(core, &row)?;
    seal::decrypt(&key.key, &bound(header, place), body).map(Zeroizing::new)
}

/// Opens a text.
///
/// # Errors
/// As [`open`]; or it is no text.
pub(crate) async fn open_text<C: ConnectionTrait>(
    core: &Core,
    connection: &C,
    place: Place<'_>,
    sealed: &[u8],
) -> Result<Secret> {
    let opened = open(core, connection, place, sealed).await?;
    std::str::from_utf8(&opened).map(Secret::new).map_err(|_| Error::Sealed)
}

/// An inbox's access token.
///
/// # Errors
/// As [`open`].
pub(crate) async fn inbox_token(
    core: &Core,
    workspace: WorkspaceId,
    inbox: InboxId,
    connection: &Connection,
) -> Result<Secret> {
    let (owner, row) = (workspace.to_string(), inbox.to_string());
    let place = Place { workspace: &owner, table: "inbox", column: "token", row: &row };
    open_text(core, core.db.reader(), place, &connection.token).await
}

/// Makes a new KEK and wraps every data key under it; returns how many. KEKs before it stay in the file, as backups need them.
///
/// # Errors
/// The key file cannot be written, or a wrapped key does not open.
pub(crate) async fn rotate(core: &Core) -> Result<usize> {
    // The new KEK is on the disk before anything depends on it.
    core.keys.add_kek(&core.config.data, &*core.randomness, core.new_id())?;
    transaction!(core.db, |txn| rewrap(&txn, core))
}

async fn rewrap(txn: &Txn, core: &Core) -> Result<usize> {
    let rows = keys::all(txn).await?;
    let count = rows.len();
    for row in rows {
        let opened = unwrap(core, &row)?;
        keys::put(txn, wrap(core, &row.owner, row.version, &opened.key)?, core.now()).await?;
    }
    Ok(count)
}
