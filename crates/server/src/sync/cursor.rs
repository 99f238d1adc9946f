//! Cursors: where a desk is, authenticated, so that it can neither be made up nor carried to another member.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parley_domain::{MemberId, Timestamp, WorkspaceId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::secrets::Keys;

const MAC: usize = 16;

/// Where a pull goes on, and for whom.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cursor {
    pub lineage: String,
    pub seq: u64,
    pub workspace: WorkspaceId,
    pub member: MemberId,
    pub epoch: u64,
    /// When it was given out: one that is older than tombstones are kept is not served.
    pub at: Timestamp,
}

/// Seals a value as a token for one use.
pub fn give(keys: &Keys, r#use: &str, value: &impl Serialize) -> String {
    let body = serde_json::to_vec(value).unwrap_or_default();
    let mut token = mac(keys, r#use, &body).to_vec();
    token.extend_from_slice(&body);
    URL_SAFE_NO_PAD.encode(token)
}

/// Opens a token of that use; `None` when it is not ours.
pub fn take<T: DeserializeOwned>(keys: &Keys, r#use: &str, token: &str) -> Option<T> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (given, body) = bytes.split_at_checked(MAC)?;
    if !bool::from(mac(keys, r#use, body).ct_eq(given)) {
        return None;
    }
    serde_json::from_slice(body).ok()
}

fn mac(keys: &Keys, r#use: &str, body: &[u8]) -> [u8; MAC] {
    let mut bytes = Vec::with_capacity(r#use.len() + 1 + body.len());
    bytes.extend_from_slice(r#use.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(body);
    let mut short = [0; MAC];
    for (to, from) in short.iter_mut().zip(keys.cursor_mac(&bytes)) {
        *to = from;
    }
    short
}

/// The use of pull cursors.
pub const PULL: &str = "pull";
/// The use of snapshot and backfill places.
pub const WALK: &str = "walk";
