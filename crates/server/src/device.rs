//! Contacts of desks: policy, lease, custody of the outbox key, erasures, receipts.
//!
//! Promise: a lease changes only for a desk that has the present one in use, so the present and the previous open every copy
//! there is; both and the outbox key are sealed in their place and go with revocation, wipe and sign-out (SECURITY.md,
//! custody). A receipt counts only when the device's own key signed it.

use ed25519_dalek::Signature;
use parley_domain::lease::grant;
use parley_domain::policy::DevicePolicy;
use parley_domain::protocol::device::{ContactAnswer, ContactRequest, Custody, Deed, Lease, Receipt, ReceiptsRequest};
use parley_domain::protocol::session::Secret;
use parley_domain::{Code, DeviceId, WorkspaceId};
use zeroize::Zeroizing;

use crate::app::Core;
use crate::audit::{self, Entry};
use crate::db::access::{self, DeviceRow};
use crate::db::desks::{self, CopyRow};
use crate::db::{Txn, transaction};
use crate::device_key;
use crate::envelope::{self, DataKey};
use crate::error::{Error, Result};
use crate::seal::Place;
use crate::session::WorkspaceCtx;

/// Erasures in one answer, and receipts in one request.
const ERASURES: u64 = 100;
const RECEIPTS: usize = 200;

/// The policy that holds in a workspace, with its epoch.
pub(crate) async fn policy_of<C: sea_orm::ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
) -> Result<(DevicePolicy, u64)> {
    let own = desks::policy(connection, workspace).await?;
    let epoch = own.as_ref().map_or(0, |row| row.epoch);
    Ok((own.and_then(|row| row.policy).unwrap_or_default(), epoch))
}

/// A contact of the device that asks.
///
/// # Errors
/// [`Code::BadRequest`], [`Code::DeviceRevoked`].
pub async fn contact(core: &Core, ctx: &WorkspaceCtx, request: ContactRequest) -> Result<ContactAnswer> {
    if request.receipts.len() > RECEIPTS {
        return Err(Error::Refused(Code::BadRequest, "too many receipts"));
    }
    let outbox_key = request.outbox_key.as_ref().map(bytes_of).transpose()?;
    let key = envelope::key(core, Some(ctx.workspace())).await?;
    // Drawn before the transaction, so that it can run again.
    let mut fresh = Zeroizing::new([0u8; 32]);
    core.randomness.fill(&mut *fresh);
    transaction!(core.db, |txn| meet(&txn, core, ctx, &request, &key, outbox_key.as_deref(), &fresh))
}

fn bytes_of(key: &Secret) -> Result<Zeroizing<[u8; 32]>> {
    let mut bytes = Zeroizing::new([0u8; 32]);
    hex::decode_to_slice(key.expose(), &mut *bytes)
        .map_err(|_| Error::Refused(Code::BadRequest, "that is no key of 32 bytes"))?;
    Ok(bytes)
}

async fn meet(
    txn: &Txn,
    core: &Core,
    ctx: &WorkspaceCtx,
    request: &ContactRequest,
    key: &DataKey,
    outbox_key: Option<&[u8; 32]>,
    fresh: &[u8; 32],
) -> Result<ContactAnswer> {
    let (workspace, now) = (ctx.workspace(), core.now());
    let device = access::device(txn, ctx.device()).await?.filter(|device| device.workspace == workspace);
    let device = device.ok_or(Error::Refused(Code::Unauthorized, "the session has ended"))?;
    if device.revoked_at.is_some() {
        return Err(Error::Refused(Code::DeviceRevoked, "this device was revoked"));
    }
    let (policy, policy_epoch) = policy_of(txn, workspace).await?;
    let mut copy = desks::copy(txn, workspace, device.id).await?.unwrap_or_default();
    (copy.heard_at, copy.unsent, copy.drafts) = (now, request.unsent, request.drafts);
    let present = copy.lease.is_some().then_some((copy.lease_serial, copy.leased_at));
    let rules = policy.of(ctx.actor().role);
    let serial = grant(present, request.lease, request.renew, now, &rules);
    if present.map(|(serial, _)| serial) != Some(serial) {
        let (owner, row) = (workspace.to_string(), device.id.to_string());
        let sealed = key.seal(lease_place(&owner, &row), fresh, &*core.randomness)?;
        // After a restore the server lacks leases between: what it has is none that the desk was wrapped under.
        let follows = serial == copy.lease_serial.saturating_add(1);
        let before = copy.lease.replace(sealed);
        copy.previous_lease = before.filter(|_| follows);
        (copy.lease_serial, copy.leased_at) = (serial, now);
    }
    if let Some(outbox_key) = outbox_key {
        let (owner, row) = (workspace.to_string(), device.id.to_string());
        copy.outbox_key = Some(key.seal(outbox_place(&owner, &row), outbox_key, &*core.randomness)?);
    }
    let answer = answer(txn, core, &device, &copy, policy, policy_epoch, request).await?;
    desks::put_copy(txn, workspace, device.id, copy).await?;
    for receipt in &request.receipts {
        record(txn, core, workspace, receipt).await?;
    }
    Ok(answer)
}

async fn answer(
    txn: &Txn,
    core: &Core,
    device: &DeviceRow,
    copy: &CopyRow,
    policy: DevicePolicy,
    policy_epoch: u64,
    request: &ContactRequest,
) -> Result<ContactAnswer> {
    let workspace = device.workspace;
    let lease = open_lease(txn, core, device, copy.lease.as_deref(), copy.lease_serial).await?;
    let lease = lease.ok_or(Error::Damaged("device_copy"))?;
    let before = copy.lease_serial.saturating_sub(1);
    let previous = open_lease(txn, core, device, copy.previous_lease.as_deref(), before).await?;
    let mut erasures = match request.erased_upto {
        // A desk that was made after an erasure never had anything of the person.
        Some(upto) => desks::erasures_after(txn, workspace, upto, device.created_at, ERASURES + 1).await?,
        None => Vec::new(),
    };
    let more_erasures = erasures.len() as u64 > ERASURES;
    erasures.truncate(usize::try_from(ERASURES).unwrap_or(usize::MAX));
    Ok(ContactAnswer {
        server_time: core.now(),
        policy_epoch,
        policy,
        lease,
        previous,
        in_custody: copy.outbox_key.is_some(),
        erasures,
        more_erasures,
        receipts_taken: u32::try_from(request.receipts.len()).unwrap_or(u32::MAX),
    })
}

fn lease_place<'a>(workspace: &'a str, row: &'a str) -> Place<'a> {
    Place { workspace, table: "device_copy", column: "lease", row }
}

fn outbox_place<'a>(workspace: &'a str, row: &'a str) -> Place<'a> {
    Place { workspace, table: "device_copy", column: "outbox_key", row }
}

async fn open_lease(
    txn: &Txn,
    core: &Core,
    device: &DeviceRow,
    sealed: Option<&[u8]>,
    serial: u64,
) -> Result<Option<Lease>> {
    let Some(sealed) = sealed else { return Ok(None) };
    let (owner, row) = (device.workspace.to_string(), device.id.to_string());
    let secret = envelope::open(core, txn, lease_place(&owner, &row), sealed).await?;
    Ok(Some(Lease { serial, secret: Secret::new(hex::encode(&*secret)) }))
}

/// Records receipts of earlier desks. One that no device of this workspace signed is dropped without a word.
///
/// # Errors
/// [`Code::BadRequest`].
pub async fn receipts(core: &Core, ctx: &WorkspaceCtx, request: ReceiptsRequest) -> Result<()> {
    if request.receipts.len() > RECEIPTS {
        return Err(Error::Refused(Code::BadRequest, "too many receipts"));
    }
    transaction!(core.db, |txn| record_all(&txn, core, ctx.workspace(), &request.receipts))
}

async fn record_all(txn: &Txn, core: &Core, workspace: WorkspaceId, receipts: &[Receipt]) -> Result<()> {
    for receipt in receipts {
        record(txn, core, workspace, receipt).await?;
    }
    Ok(())
}

async fn record(txn: &Txn, core: &Core, workspace: WorkspaceId, receipt: &Receipt) -> Result<()> {
    let known = access::device(txn, receipt.device).await?.filter(|device| device.workspace == workspace);
    let Some(device) = known.filter(|device| is_signed(device, receipt)) else { return Ok(()) };
    if !desks::put_receipt(txn, workspace, receipt, core.now()).await? {
        return Ok(());
    }
    let (action, details) = match receipt.deed {
        Deed::Erased { erasure, rows } => ("device.erased", format!("erasure: {erasure}, rows: {rows}")),
        Deed::Wiped { reason, unsent, drafts } => {
            desks::forget_keys(txn, workspace, Some(device.id)).await?;
            ("device.wiped", format!("reason: {}, unsent: {unsent}, drafts: {drafts}", reason.as_str()))
        }
    };
    let target = format!("device/{}", device.id);
    let entry = Entry { actor: Some(device.member), action, target: &target, details: &details };
    audit::record(txn, core, workspace, entry).await
}

fn is_signed(device: &DeviceRow, receipt: &Receipt) -> bool {
    let mut signature = [0; 64];
    let Some(key) = device.key.as_deref().and_then(device_key::parse) else { return false };
    if hex::decode_to_slice(&receipt.signature, &mut signature).is_err() {
        return false;
    }
    let signed = Receipt::signed(receipt.device, receipt.at, receipt.deed);
    key.verify_strict(&signed, &Signature::from_bytes(&signature)).is_ok()
}

/// What is in custody for the device that asks; the member has just given password and second factor on it.
///
/// # Errors
/// The database failed, or the key does not open.
pub async fn recover(core: &Core, ctx: &WorkspaceCtx) -> Result<Custody> {
    let (workspace, device) = (ctx.workspace(), ctx.device());
    let copy = desks::copy(core.db.reader(), workspace, device).await?;
    let Some(sealed) = copy.and_then(|copy| copy.outbox_key) else { return Ok(Custody { outbox_key: None }) };
    let (owner, row) = (workspace.to_string(), device.to_string());
    let key = envelope::open(core, core.db.reader(), outbox_place(&owner, &row), &sealed).await?;
    transaction!(core.db, |txn| note_recovery(&txn, core, ctx, device))?;
    Ok(Custody { outbox_key: Some(Secret::new(hex::encode(&*key))) })
}

async fn note_recovery(txn: &Txn, core: &Core, ctx: &WorkspaceCtx, device: DeviceId) -> Result<()> {
    let target = format!("device/{device}");
    let entry = Entry { actor: Some(ctx.member()), action: "device.recovered", target: &target, details: "" };
    audit::record(txn, core, ctx.workspace(), entry).await
}
