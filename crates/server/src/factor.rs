//! The second factor: codes of six digits that change every 30 seconds (TOTP, RFC 6238, SHA-1), and recovery codes.
//!
//! Promise: the seed is sealed for its place; a code, and every earlier one, is used up by its use; a recovery code is stored
//! hashed and good once.

use parley_domain::limits::RECOVERY_CODES;
use parley_domain::protocol::access::{RecoveryCodes, TwoFactorOffer};
use parley_domain::protocol::session::Secret;
use parley_domain::{Code, MemberId, Timestamp, WorkspaceId};
use subtle::ConstantTimeEq;
use totp_rs::{Algorithm, TOTP};
use zeroize::Zeroizing;

use crate::app::Core;
use crate::db::factors::{self, Factor};
use crate::db::{Txn, access};
use crate::envelope::{self, DataKey};
use crate::error::{Error, Result};
use crate::seal::Place;
use crate::secrets::token_hash;
use crate::session::WorkspaceCtx;

/// Seconds that a code lasts.
const STEP: i64 = 30;
/// Steps that clocks may be apart.
const SKEW: i64 = 1;
/// Bytes of a seed.
const SEED: usize = 20;
/// Bytes of a recovery code.
const RECOVERY: usize = 10;
/// Digits and capitals without those that are mistaken for each other.
const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

const WRONG: Error = Error::Refused(Code::BadSecondFactor, "the code is wrong, or was used before");

/// Uses a code or a recovery code up.
///
/// # Errors
/// [`Code::BadSecondFactor`].
pub async fn spend(txn: &Txn, core: &Core, workspace: WorkspaceId, member: MemberId, code: &Secret) -> Result<()> {
    let mut factor = factors::find(txn, workspace, member).await?.ok_or(WRONG)?;
    let sealed = factor.seed.as_ref().ok_or(WRONG)?;
    let seed = open(txn, core, workspace, member, "seed", sealed).await?;
    let code = plain(code);
    if code.len() == 6 {
        factor.last_step = step_of(&seed, &code, core.now(), factor.last_step)?;
        return factors::put(txn, workspace, member, factor).await;
    }
    if factors::spend_code(txn, workspace, member, &recovery_hash(member, &code)).await? { Ok(()) } else { Err(WRONG) }
}

/// Begins to set a second factor up: a new seed, which counts once a code of it was given. The present one stays until then.
///
/// # Errors
/// The database failed.
pub async fn begin(
    txn: &Txn,
    core: &Core,
    ctx: &WorkspaceCtx,
    seed: &[u8; SEED],
    key: &DataKey,
) -> Result<TwoFactorOffer> {
    let (workspace, member) = (ctx.workspace(), ctx.member());
    let mut factor = factors::find(txn, workspace, member).await?.unwrap_or_default();
    factor.pending = Some(seal(core, key, workspace, member, "pending", seed)?);
    factors::put(txn, workspace, member, factor).await?;
    let totp = totp(seed, ctx.email().expose())?;
    Ok(TwoFactorOffer { secret: Secret::new(totp.get_secret_base32()), uri: Secret::new(totp.get_url()) })
}

/// A new seed.
pub fn new_seed(core: &Core) -> Zeroizing<[u8; SEED]> {
    let mut seed = Zeroizing::new([0; SEED]);
    core.randomness.fill(&mut *seed);
    seed
}

/// New recovery codes.
pub fn new_codes(core: &Core) -> RecoveryCodes {
    let codes = (0..RECOVERY_CODES).map(|_| {
        let mut bytes = Zeroizing::new([0u8; RECOVERY]);
        core.randomness.fill(&mut *bytes);
        Secret::new(written(&bytes))
    });
    RecoveryCodes { codes: codes.collect() }
}

/// 16 letters in groups of four.
fn written(bytes: &[u8; RECOVERY]) -> String {
    let bits = bytes.iter().fold(0u128, |bits, byte| bits << 8 | u128::from(*byte));
    let mut text = String::with_capacity(19);
    for place in 0..16u32 {
        if place > 0 && place % 4 == 0 {
            text.push('-');
        }
        let index = usize::try_from(bits >> (75 - 5 * place) & 31).unwrap_or(0);
        text.push(char::from(ALPHABET.get(index).copied().unwrap_or(b'2')));
    }
    text
}

/// Ends setting it up: the new seed replaces the old one, and so do the recovery codes.
///
/// # Errors
/// [`Code::BadSecondFactor`] when the code is not of the new seed, or nothing is being set up.
pub async fn confirm(
    txn: &Txn,
    core: &Core,
    workspace: WorkspaceId,
    member: MemberId,
    code: &Secret,
    codes: &RecoveryCodes,
    key: &DataKey,
) -> Result<()> {
    let factor = factors::find(txn, workspace, member).await?.ok_or(WRONG)?;
    let sealed = factor.pending.as_ref().ok_or(WRONG)?;
    let seed = open(txn, core, workspace, member, "pending", sealed).await?;
    let last_step = step_of(&seed, &plain(code), core.now(), 0)?;
    let seed = Some(seal(core, key, workspace, member, "seed", &seed)?);
    factors::put(txn, workspace, member, Factor { seed, pending: None, last_step }).await?;
    let hashes = codes.codes.iter().map(|code| recovery_hash(member, &plain(code))).collect();
    factors::set_codes(txn, workspace, member, hashes).await
}

/// Takes a member's second factor off and closes the member's sessions on other devices than `but`.
pub async fn remove(
    txn: &Txn,
    workspace: WorkspaceId,
    member: MemberId,
    but: Option<parley_domain::DeviceId>,
) -> Result<()> {
    factors::delete(txn, workspace, member).await?;
    access::clear_tokens_of(txn, workspace, member, but, None).await
}

/// The code without what people write between its letters.
fn plain(code: &Secret) -> Zeroizing<String> {
    let letters = code.expose().chars().filter(|letter| letter.is_ascii_alphanumeric());
    Zeroizing::new(letters.map(|letter| letter.to_ascii_uppercase()).collect())
}

fn recovery_hash(member: MemberId, code: &str) -> String {
    token_hash(&format!("recovery|{member}|{code}"))
}

/// The step whose code this is, later than `last`.
fn step_of(seed: &[u8], code: &str, now: Timestamp, last: i64) -> Result<i64> {
    let totp = totp(seed, "")?;
    let present = now.0.div_euclid(1_000 * STEP);
    let mut found = None;
    for step in present - SKEW..=present + SKEW {
        let right = totp.generate(u64::try_from(step * STEP).unwrap_or(0));
        if bool::from(right.as_bytes().ct_eq(code.as_bytes())) && step > last {
            found = Some(step);
        }
    }
    found.ok_or(WRONG)
}

fn totp(seed: &[u8], account: &str) -> Result<TOTP> {
    // A colon would end the issuer.
    let account = account.replace(':', "");
    TOTP::new(Algorithm::SHA1, 6, 1, STEP.unsigned_abs(), seed.to_vec(), Some("Parley".to_owned()), account)
        .map_err(|_| Error::Damaged("second_factor"))
}

fn place<'a>(workspace: &'a str, column: &'a str, row: &'a str) -> Place<'a> {
    Place { workspace, table: "second_factor", column, row }
}

fn seal(
    core: &Core,
    key: &DataKey,
    workspace: WorkspaceId,
    member: MemberId,
    column: &str,
    seed: &[u8],
) -> Result<Vec<u8>> {
    let (workspace, row) = (workspace.to_string(), member.to_string());
    key.seal(place(&workspace, column, &row), seed, &*core.randomness)
}

async fn open(
    txn: &Txn,
    core: &Core,
    workspace: WorkspaceId,
    member: MemberId,
    column: &str,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>> {
    let (workspace, row) = (workspace.to_string(), member.to_string());
    envelope::open(core, txn, place(&workspace, column, &row), sealed).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn a_code_is_good_for_its_step_and_never_again() {
        // RFC 6238, appendix B: 8 digits 94287082 at 59 s.
        let seed = b"12345678901234567890";
        let at = Timestamp(59_000);
        let step = step_of(seed, "287082", at, 0).unwrap();
        assert_eq!(step, 1);
        assert!(step_of(seed, "287082", at, step).is_err(), "used");
        assert!(step_of(seed, "287082", Timestamp(120_000), 0).is_err(), "too old");
        assert!(step_of(seed, "287083", at, 0).is_err());
    }

    #[test]
    fn recovery_codes_use_all_their_bits() {
        assert_eq!(written(&[0; RECOVERY]), "2222-2222-2222-2222");
        assert_eq!(written(&[255; RECOVERY]), "ZZZZ-ZZZZ-ZZZZ-ZZZZ");
        assert_ne!(written(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 1]), written(&[0; RECOVERY]));
    }
}
