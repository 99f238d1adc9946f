//! Invitations: a token by e-mail or from hand to hand, good once, for 7 days.

use std::collections::BTreeSet;

use parley_domain::entity::{Key, Kind};
use parley_domain::limits::INVITATION_LIVES;
use parley_domain::permission::Role;
use parley_domain::protocol::access::{AcceptRequest, InvitationOffer, InviteRequest, Invited};
use parley_domain::protocol::session::{Secret, Session};
use parley_domain::{Code, Email, InvitationId, MemberId, PersonName, WorkspaceId};

use super::{address, known, name};
use crate::admin::place;
use crate::app::Core;
use crate::audit::{self, Entry};
use crate::db::access::{self, DeviceRow, MemberRow};
use crate::db::invitations::{self, InvitationRow};
use crate::db::sequence::Moved;
use crate::db::{self, Txn, overview, teams, transaction};
use crate::error::{Error, Result};
use crate::leaving::{Leaving, SubProcessor};
use crate::secrets::token_hash;
use crate::session::{self, Made, NewDevice, Tokens};

const INVALID: Error =
    Error::Refused(Code::InvitationInvalid, "the invitation is not known, was used or taken back, or is too old");

/// Invites a person, in place of an earlier invitation to the same address. The mail is tried once.
///
/// # Errors
/// [`Code::Conflict`] when a member of the workspace has the address, [`Code::NotFound`] for ids that are not its own.
pub async fn invite(
    core: &Core,
    workspace: WorkspaceId,
    actor: Option<MemberId>,
    request: &InviteRequest,
) -> Result<Invited> {
    let token = core.random_token();
    let now = core.now();
    let mut row = InvitationRow {
        workspace,
        id: InvitationId(core.new_id()),
        email: Email::new(address(&request.email)?),
        role: request.role,
        token_hash: token_hash(&token),
        invited_by: actor,
        mailed: false,
        created_at: now,
        expires_at: now + INVITATION_LIVES,
        inboxes: request.inboxes.iter().copied().collect(),
        teams: request.teams.iter().copied().collect(),
    };
    transaction!(core.db, |txn| write(&txn, core, &row))?;
    let pasted = match &core.config.public_url {
        Some(server) => format!("{}#{token}", server.trim_end_matches('/')),
        None => token,
    };
    let inviter = overview::inviter(core.db.reader(), workspace, actor).await?;
    if mail(core, &row, &letter(&inviter, &pasted)).await {
        invitations::mailed(core.db.writer(), workspace, row.id).await?;
        row.mailed = true;
    }
    let invitation = overview::invitation(core.db.reader(), row).await?;
    Ok(Invited { invitation, token: Secret::new(pasted) })
}

/// Whether the letter went out. When it did not, the answer says so, and the token can be handed over.
async fn mail(core: &Core, row: &InvitationRow, letter: &str) -> bool {
    let Some(mailer) = &core.mailer else { return false };
    let leaving = Leaving {
        to: SubProcessor::Smtp,
        workspace: Some(row.workspace),
        purpose: "invitation",
        fields: "email,inviter_name,invitation_token",
    };
    if let Err(kept) = core.leaving.pass(leaving, letter.len(), core.now()) {
        tracing::warn!(?kept, invitation = %row.id, "an invitation may not be mailed");
        return false;
    }
    match mailer.send(&row.email, "Invitation to Parley", letter).await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(%error, invitation = %row.id, "an invitation could not be mailed");
            false
        }
    }
}

fn letter(inviter: &PersonName, pasted: &str) -> String {
    format!(
        "{} invites you to work in Parley.\r\n\r\n\
         Open Parley, choose \"I have an invitation\" and paste this code:\r\n\r\n{pasted}\r\n\r\n\
         It is good once, for 7 days. If you did not expect this, ignore it.\r\n",
        inviter.expose()
    )
}

async fn write(txn: &Txn, core: &Core, row: &InvitationRow) -> Result<()> {
    access::lock(txn, row.workspace).await?;
    known(txn, row.workspace, &BTreeSet::new(), &row.inboxes, &row.teams).await?;
    // Whether another workspace knows the address is none of this one's business.
    let member = access::member_by_email(txn, row.email.expose()).await?;
    if member.is_some_and(|member| member.workspace == row.workspace) {
        return Err(Error::Refused(Code::Conflict, "a member with that e-mail address exists"));
    }
    invitations::put(txn, row).await?;
    let target = format!("invitation/{}", row.id);
    let details = format!("role: {}, inboxes: {}, teams: {}", row.role.as_str(), row.inboxes.len(), row.teams.len());
    let entry = Entry { actor: row.invited_by, action: "member.invited", target: &target, details: &details };
    audit::record(txn, core, row.workspace, entry).await
}

/// Takes an invitation back.
///
/// # Errors
/// [`Code::NotFound`].
pub async fn cancel(core: &Core, workspace: WorkspaceId, actor: MemberId, id: InvitationId) -> Result<()> {
    transaction!(core.db, |txn| withdraw(&txn, core, workspace, actor, id))
}

async fn withdraw(txn: &Txn, core: &Core, workspace: WorkspaceId, actor: MemberId, id: InvitationId) -> Result<()> {
    if !invitations::delete(txn, workspace, id).await? {
        return Err(Error::Refused(Code::NotFound, "no such invitation in this workspace"));
    }
    let target = format!("invitation/{id}");
    let entry = Entry { actor: Some(actor), action: "invitation.cancelled", target: &target, details: "" };
    audit::record(txn, core, workspace, entry).await
}

/// What an invitation is for.
///
/// # Errors
/// [`Code::InvitationInvalid`].
pub async fn offer(core: &Core, token: &Secret) -> Result<InvitationOffer> {
    let reader = core.db.reader();
    let row = invitations::by_token(reader, &token_hash(token.expose())).await?;
    let row = row.filter(|row| core.now() < row.expires_at).ok_or(INVALID)?;
    let workspace = overview::inviter(reader, row.workspace, None).await?.into_exposed();
    Ok(InvitationOffer {
        workspace,
        invited_by: overview::inviter(reader, row.workspace, row.invited_by).await?,
        email: row.email,
        role: row.role,
        expires_at: row.expires_at,
    })
}

/// Takes an invitation: makes the member and signs the device in.
///
/// # Errors
/// [`Code::InvitationInvalid`], [`Code::WeakPassword`], [`Code::Conflict`] when the address has become a member's.
pub async fn accept(core: &Core, request: AcceptRequest) -> Result<Session> {
    let hash = token_hash(request.token.expose());
    let row = invitations::by_token(core.db.reader(), &hash).await?;
    let row = row.filter(|row| core.now() < row.expires_at).ok_or(INVALID)?;
    let person = PersonName::new(name(request.name.expose())?);
    let new = NewDevice::checked(None, &request.device_name, request.device_key.as_ref())?;
    let password = core.passwords.hash(&request.password, &[person.expose(), row.email.expose()], core.salt()).await?;
    let (id, made) = (MemberId(core.new_id()), Made::new(core));
    let (member, device, tokens, moved) =
        transaction!(core.db, |txn| take(&txn, core, &hash, id, &person, &password, &new, &made))?;
    core.pokes.moved(moved);
    session::session(core, member, device, tokens).await
}

#[expect(clippy::too_many_arguments, reason = "everything is made outside, so that the transaction can run again")]
async fn take(
    txn: &Txn,
    core: &Core,
    hash: &str,
    id: MemberId,
    person: &PersonName,
    password: &str,
    new: &NewDevice,
    made: &Made,
) -> Result<(MemberRow, DeviceRow, Tokens, Moved)> {
    let found = invitations::by_token(txn, hash).await?.ok_or(INVALID)?;
    let workspace = found.workspace;
    access::lock(txn, workspace).await?;
    // Read again: what was taken while this waited for the lock is gone.
    let row = invitations::by_token(txn, hash).await?.filter(|row| core.now() < row.expires_at).ok_or(INVALID)?;
    if access::member_by_email(txn, row.email.expose()).await?.is_some() {
        return Err(Error::Refused(Code::Conflict, "a member with that e-mail address exists"));
    }
    if !invitations::delete(txn, workspace, row.id).await? {
        return Err(INVALID);
    }
    db::admin::insert_member(txn, workspace, id, person, row.email.expose(), row.role, password.to_owned()).await?;
    teams::set_access(txn, workspace, id, &row.inboxes, &row.teams).await?;
    let member = access::member(txn, workspace, id).await?.ok_or(Error::Damaged("member"))?;
    let (device, tokens) = session::open_device(txn, core, &member, new, made).await?;
    let target = format!("member/{id}");
    let details = format!("role: {}", Role::as_str(row.role));
    let entry = Entry { actor: Some(id), action: "member.joined", target: &target, details: &details };
    audit::record(txn, core, workspace, entry).await?;
    let moved = place(txn, core, workspace, vec![Key::new(Kind::Member, id)]).await?;
    Ok((member, device, tokens, moved))
}
