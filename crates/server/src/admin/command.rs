//! The commands of administration as values: the command line makes them, and whoever has the data directory carries them out,
//! the command line itself or a server that runs ([`super::socket`]).

use std::path::PathBuf;

use parley_domain::permission::Role;
use parley_domain::protocol::access::InviteRequest;
use parley_domain::protocol::session::Secret;
use parley_domain::{
    AppId, Code, ContactId, DeviceId, Email, InboxId, MemberId, PersonName, Phone, PhoneNumberId, WabaId, WorkspaceId,
};
use serde::{Deserialize, Serialize};

use super::{Admin, NewMember, NewWhatsapp, NewWorkspace};
use crate::error::{Error, Result};

/// What can be done. Printing it shows no password, token or address.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    CreateWorkspace {
        name: String,
        admin_name: PersonName,
        admin_email: Email,
        password: Secret,
    },
    AddMember {
        workspace: WorkspaceId,
        name: PersonName,
        email: Email,
        role: Role,
        password: Secret,
    },
    ConnectWhatsapp {
        workspace: WorkspaceId,
        name: String,
        app: AppId,
        app_secret: Secret,
        verify_token: Secret,
        waba: WabaId,
        phone_number_id: PhoneNumberId,
        display_phone: Phone,
        token: Secret,
        graph_url: Option<String>,
    },
    GrantInbox {
        workspace: WorkspaceId,
        member: MemberId,
        inbox: InboxId,
    },
    WithdrawInbox {
        workspace: WorkspaceId,
        member: MemberId,
        inbox: InboxId,
    },
    Invite {
        workspace: WorkspaceId,
        request: InviteRequest,
    },
    ResetTwoFactor {
        workspace: WorkspaceId,
        member: MemberId,
    },
    RevokeDevice {
        workspace: WorkspaceId,
        device: DeviceId,
    },
    /// All workspaces without one.
    VerifyAudit {
        workspace: Option<WorkspaceId>,
    },
    /// To a new file, whose path is absolute: the one who writes may stand elsewhere.
    Backup {
        file: PathBuf,
    },
    /// Never by a server that runs: desks are told of the new lineage when it starts.
    Restore {
        file: PathBuf,
    },
    EraseContact {
        workspace: WorkspaceId,
        contact: ContactId,
    },
    DeadJobs,
    ReplayJob {
        name: String,
    },
    RotateKeys,
    ShredKeys {
        workspace: WorkspaceId,
    },
}

/// What to print, and whether what was looked at is as it should be.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Report {
    pub lines: Vec<String>,
    pub sound: bool,
}

impl Report {
    fn of(lines: Vec<String>) -> Self {
        Self { lines, sound: true }
    }

    fn line(line: String) -> Self {
        Self::of(vec![line])
    }
}

/// Carries a command out.
///
/// # Errors
/// As the function of [`Admin`] that does it.
pub async fn carry_out(admin: &Admin, command: Command) -> Result<Report> {
    match command {
        Command::CreateWorkspace { name, admin_name, admin_email, password } => {
            let new = NewWorkspace { name, admin_name, admin_email, admin_password: password };
            let (workspace, member) = admin.create_workspace(new).await?;
            Ok(Report::of(vec![format!("workspace {workspace}"), format!("member {member}")]))
        }
        Command::AddMember { workspace, name, email, role, password } => {
            let new = NewMember { name, email, password, role };
            Ok(Report::line(format!("member {}", admin.add_member(workspace, new).await?)))
        }
        Command::ConnectWhatsapp {
            workspace,
            name,
            app,
            app_secret,
            verify_token,
            waba,
            phone_number_id,
            display_phone,
            token,
            graph_url,
        } => {
            let new = NewWhatsapp {
                name,
                app,
                app_secret,
                verify_token,
                waba,
                phone_number_id,
                display_phone,
                token,
                graph_url,
            };
            Ok(Report::line(format!("inbox {}", admin.connect_whatsapp(workspace, new).await?)))
        }
        Command::GrantInbox { workspace, member, inbox } => nothing(admin.grant_inbox(workspace, member, inbox).await),
        Command::WithdrawInbox { workspace, member, inbox } => {
            nothing(admin.withdraw_inbox(workspace, member, inbox).await)
        }
        Command::Invite { workspace, request } => {
            let invited = admin.invite(workspace, &request).await?;
            let mailed = if invited.invitation.mailed { "mailed" } else { "not mailed: hand it over" };
            let (id, code) = (invited.invitation.id, invited.token.expose());
            Ok(Report::of(vec![format!("invitation {id}"), mailed.to_owned(), format!("code {code}")]))
        }
        Command::ResetTwoFactor { workspace, member } => nothing(admin.reset_two_factor(workspace, member).await),
        Command::RevokeDevice { workspace, device } => nothing(admin.revoke_device(workspace, device).await),
        Command::VerifyAudit { workspace } => verify_audit(admin, workspace).await,
        Command::Backup { file } => {
            let count = admin.backup(&file).await?;
            Ok(Report::line(format!("{} rows of {} workspaces", count.rows, count.workspaces)))
        }
        Command::Restore { file } => {
            let count = admin.restore(&file).await?;
            Ok(Report::line(format!("{} rows of {} workspaces", count.rows, count.workspaces)))
        }
        Command::EraseContact { workspace, contact } => nothing(admin.erase_contact(workspace, contact).await),
        Command::DeadJobs => {
            let jobs = admin.dead_jobs().await?;
            let line = |job: &crate::db::jobs::JobRow| {
                let reason = job.reason.as_deref().unwrap_or("unknown");
                format!("{} {} after {} tries: {reason}", job.name, job.kind, job.attempts)
            };
            Ok(Report::of(jobs.iter().map(line).collect()))
        }
        Command::ReplayJob { name } => {
            if admin.replay_job(&name).await? {
                Ok(Report::of(Vec::new()))
            } else {
                Err(Error::Refused(Code::NotFound, "no dead job has that name"))
            }
        }
        Command::RotateKeys => Ok(Report::line(format!("data keys wrapped anew: {}", admin.rotate_keys().await?))),
        Command::ShredKeys { workspace } => nothing(admin.shred_keys(workspace).await),
    }
}

fn nothing(done: Result<()>) -> Result<Report> {
    done.map(|()| Report::of(Vec::new()))
}

async fn verify_audit(admin: &Admin, workspace: Option<WorkspaceId>) -> Result<Report> {
    let workspaces = match workspace {
        Some(workspace) => vec![workspace],
        None => admin.workspaces().await?,
    };
    let mut report = Report::of(Vec::new());
    for workspace in workspaces {
        let verdict = admin.verify_audit(workspace).await?;
        let (entries, sealed) = (verdict.entries, verdict.sealed_upto);
        report.lines.push(match verdict.bad {
            None => format!("workspace {workspace}: {entries} entries, sealed up to {sealed}, unchanged"),
            Some((place, fault)) => {
                report.sound = false;
                format!("workspace {workspace}: entry {place} is bad ({fault:?}), {entries} before it are unchanged")
            }
        });
    }
    Ok(report)
}
