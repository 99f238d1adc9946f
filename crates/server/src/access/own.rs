//! One's own access: password, second factor, step-up.
//!
//! Promise: a change of password or of the second factor closes every other session of the member.

use parley_domain::Code;
use parley_domain::protocol::access::{OwnAccess, RecoveryCodes, TwoFactorOffer};
use parley_domain::protocol::session::Secret;

use crate::app::Core;
use crate::audit::{self, Entry};
use crate::db::{Txn, access, factors, transaction};
use crate::envelope::{self, DataKey};
use crate::error::{Error, Result};
use crate::factor;
use crate::session::WorkspaceCtx;

/// One's own access.
///
/// # Errors
/// The database failed.
pub async fn read(core: &Core, ctx: &WorkspaceCtx) -> Result<OwnAccess> {
    let left = factors::codes_left(core.db.reader(), ctx.workspace(), ctx.member()).await?;
    Ok(OwnAccess {
        email: ctx.email().clone(),
        two_factor: ctx.two_factor(),
        two_factor_required: ctx.rules().two_factor_required,
        recovery_codes_left: u32::try_from(left).unwrap_or(u32::MAX),
        stepped_up_until: ctx.stepped_up_until().filter(|until| *until > core.now()),
    })
}

/// Changes the password.
///
/// # Errors
/// [`Code::WeakPassword`].
pub async fn change_password(core: &Core, ctx: &WorkspaceCtx, password: &Secret) -> Result<()> {
    let known = [ctx.name().expose(), ctx.email().expose()];
    let hash = core.passwords.hash(password, &known, core.salt()).await?;
    transaction!(core.db, |txn| write_password(&txn, core, ctx, &hash))?;
    core.pokes.permission(ctx.member());
    Ok(())
}

async fn write_password(txn: &Txn, core: &Core, ctx: &WorkspaceCtx, hash: &str) -> Result<()> {
    access::set_password(txn, ctx.workspace(), ctx.member(), hash).await?;
    access::clear_tokens_of(txn, ctx.workspace(), ctx.member(), Some(ctx.device()), None).await?;
    record(txn, core, ctx, "member.password_changed").await
}

/// Begins to set a second factor up.
///
/// # Errors
/// The database failed.
pub async fn begin_two_factor(core: &Core, ctx: &WorkspaceCtx) -> Result<TwoFactorOffer> {
    let seed = factor::new_seed(core);
    let key = envelope::key(core, Some(ctx.workspace())).await?;
    transaction!(core.db, |txn| factor::begin(&txn, core, ctx, &seed, &key))
}

/// Ends setting it up.
///
/// # Errors
/// [`Code::BadSecondFactor`].
pub async fn confirm_two_factor(core: &Core, ctx: &WorkspaceCtx, code: &Secret) -> Result<RecoveryCodes> {
    let codes = factor::new_codes(core);
    let key = envelope::key(core, Some(ctx.workspace())).await?;
    transaction!(core.db, |txn| confirm(&txn, core, ctx, code, &codes, &key))?;
    core.pokes.permission(ctx.member());
    Ok(codes)
}

async fn confirm(
    txn: &Txn,
    core: &Core,
    ctx: &WorkspaceCtx,
    code: &Secret,
    codes: &RecoveryCodes,
    key: &DataKey,
) -> Result<()> {
    factor::confirm(txn, core, ctx.workspace(), ctx.member(), code, codes, key).await?;
    access::clear_tokens_of(txn, ctx.workspace(), ctx.member(), Some(ctx.device()), None).await?;
    record(txn, core, ctx, "member.two_factor_set").await
}

/// Takes the second factor off.
///
/// # Errors
/// [`Code::SecondFactorRequired`] where the workspace requires one.
pub async fn remove_two_factor(core: &Core, ctx: &WorkspaceCtx) -> Result<()> {
    if ctx.rules().two_factor_required {
        return Err(Error::Refused(Code::SecondFactorRequired, "the workspace requires a second factor"));
    }
    transaction!(core.db, |txn| remove(&txn, core, ctx))?;
    core.pokes.permission(ctx.member());
    Ok(())
}

async fn remove(txn: &Txn, core: &Core, ctx: &WorkspaceCtx) -> Result<()> {
    factor::remove(txn, ctx.workspace(), ctx.member(), Some(ctx.device())).await?;
    record(txn, core, ctx, "member.two_factor_removed").await
}

async fn record(txn: &Txn, core: &Core, ctx: &WorkspaceCtx, action: &'static str) -> Result<()> {
    let target = format!("member/{}", ctx.member());
    let entry = Entry { actor: Some(ctx.member()), action, target: &target, details: "" };
    audit::record(txn, core, ctx.workspace(), entry).await
}
