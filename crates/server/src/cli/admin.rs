//! `parley-server admin …`: the words of the command line, made into the commands of [`parley_server::admin::command`].

use std::io::Read;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use parley_domain::permission::Role;
use parley_domain::protocol::access::InviteRequest;
use parley_domain::protocol::session::Secret;
use parley_domain::{
    AppId, ContactId, DeviceId, Email, InboxId, MemberId, PersonName, Phone, PhoneNumberId, WabaId, WorkspaceId,
};
use parley_server::admin::command::{Command, carry_out};
use parley_server::admin::socket;
use parley_server::{App, Config, Deps, Error, Result};

use super::serve::Mail;

#[derive(Args)]
pub struct Password {
    /// Visible to other programs of this machine; prefer --password-stdin.
    #[arg(long, required_unless_present = "password_stdin")]
    password: Option<String>,
    /// Reads the password from standard input.
    #[arg(long, conflicts_with = "password")]
    password_stdin: bool,
}

impl Password {
    fn read(self) -> Result<Secret> {
        match self.password {
            Some(password) => Ok(Secret::new(password)),
            None => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text)?;
                Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
            }
        }
    }
}

#[derive(Subcommand)]
pub enum AdminCommand {
    /// Makes a workspace with its first admin; prints their ids.
    CreateWorkspace {
        #[arg(long)]
        name: String,
        #[arg(long)]
        admin_email: String,
        #[arg(long)]
        admin_name: String,
        #[command(flatten)]
        password: Password,
    },
    /// Adds a member; prints the id.
    AddMember {
        #[arg(long)]
        workspace: WorkspaceId,
        #[arg(long)]
        name: String,
        #[arg(long)]
        email: String,
        /// agent, manager or admin.
        #[arg(long, value_parser = role)]
        role: Role,
        #[command(flatten)]
        password: Password,
    },
    /// Connects a WhatsApp number; prints the inbox's id.
    ConnectWhatsapp {
        #[arg(long)]
        workspace: WorkspaceId,
        #[arg(long)]
        name: String,
        #[arg(long)]
        app_id: String,
        #[arg(long, env = "PARLEY_APP_SECRET", hide_env_values = true)]
        app_secret: String,
        #[arg(long, env = "PARLEY_VERIFY_TOKEN", hide_env_values = true)]
        verify_token: String,
        #[arg(long)]
        waba_id: String,
        #[arg(long)]
        phone_number_id: String,
        #[arg(long)]
        display_phone: String,
        #[arg(long, env = "PARLEY_META_TOKEN", hide_env_values = true)]
        token: String,
        /// Scheme and host of the Graph API, when it is not the server's.
        #[arg(long)]
        graph_url: Option<String>,
    },
    /// Lets a member see an inbox.
    GrantInbox {
        #[arg(long)]
        workspace: WorkspaceId,
        #[arg(long)]
        member: MemberId,
        #[arg(long)]
        inbox: InboxId,
    },
    /// Takes an inbox away from a member.
    WithdrawInbox {
        #[arg(long)]
        workspace: WorkspaceId,
        #[arg(long)]
        member: MemberId,
        #[arg(long)]
        inbox: InboxId,
    },
    /// The audit log.
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Writes the whole database to a new file. It holds personal data: keep it encrypted, and the key file apart from it.
    Backup { file: PathBuf },
    /// Reads a backup into an empty database and begins a new lineage. The server must not be running.
    Restore { file: PathBuf },
    /// Erases a person for good, in restored backups too.
    EraseContact {
        #[arg(long)]
        workspace: WorkspaceId,
        #[arg(long)]
        contact: ContactId,
    },
    /// Work that failed for good.
    Jobs {
        #[command(subcommand)]
        command: JobsCommand,
    },
    /// Makes a new key that wraps the data keys, and wraps them all anew. Back the key file up afterwards.
    RotateKeys,
    /// Deletes a workspace's data keys: its tokens never open again.
    ShredKeys {
        #[arg(long)]
        workspace: WorkspaceId,
        /// Confirms that this cannot be undone.
        #[arg(long, required = true)]
        for_good: bool,
    },
    /// Invites a person by mail; prints what the person pastes into the sign-in screen. A server that runs sends the mail as it
    /// was told to when it was started.
    Invite {
        #[arg(long)]
        workspace: WorkspaceId,
        #[arg(long)]
        email: String,
        /// agent, manager or admin.
        #[arg(long, value_parser = role)]
        role: Role,
        /// An inbox that the person will see; may be repeated.
        #[arg(long)]
        inbox: Vec<InboxId>,
        #[command(flatten)]
        mail: Mail,
    },
    /// Takes off a second factor that was lost, and closes the member's sessions.
    #[command(name = "reset-2fa")]
    ResetTwoFactor {
        #[arg(long)]
        workspace: WorkspaceId,
        #[arg(long)]
        member: MemberId,
    },
    /// Revokes a device: it is told to wipe itself.
    RevokeDevice {
        #[arg(long)]
        workspace: WorkspaceId,
        #[arg(long)]
        device: DeviceId,
    },
}

#[derive(Subcommand)]
pub enum JobsCommand {
    /// Lists dead jobs.
    Dead,
    /// Lets a dead job run again.
    Replay { name: String },
}

#[derive(Subcommand)]
pub enum AuditCommand {
    /// Compares the log with its hashes and checkpoints; fails and names the first bad place when it was changed.
    Verify {
        /// All workspaces without it.
        #[arg(long)]
        workspace: Option<WorkspaceId>,
    },
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| "agent, manager or admin".to_owned())
}

impl AdminCommand {
    /// As a value. Reads a password from standard input where it was asked to.
    fn typed(self) -> Result<Command> {
        Ok(match self {
            Self::CreateWorkspace { name, admin_email, admin_name, password } => Command::CreateWorkspace {
                name,
                admin_name: PersonName::new(admin_name),
                admin_email: Email::new(admin_email),
                password: password.read()?,
            },
            Self::AddMember { workspace, name, email, role, password } => Command::AddMember {
                workspace,
                name: PersonName::new(name),
                email: Email::new(email),
                role,
                password: password.read()?,
            },
            Self::ConnectWhatsapp {
                workspace,
                name,
                app_id,
                app_secret,
                verify_token,
                waba_id,
                phone_number_id,
                display_phone,
                token,
                graph_url,
            } => Command::ConnectWhatsapp {
                workspace,
                name,
                app: AppId(app_id),
                app_secret: Secret::new(app_secret),
                verify_token: Secret::new(verify_token),
                waba: WabaId(waba_id),
                phone_number_id: PhoneNumberId(phone_number_id),
                display_phone: Phone::new(display_phone),
                token: Secret::new(token),
                graph_url,
            },
            Self::GrantInbox { workspace, member, inbox } => Command::GrantInbox { workspace, member, inbox },
            Self::WithdrawInbox { workspace, member, inbox } => Command::WithdrawInbox { workspace, member, inbox },
            Self::Audit { command: AuditCommand::Verify { workspace } } => Command::VerifyAudit { workspace },
            Self::Backup { file } => Command::Backup { file: std::path::absolute(file)? },
            Self::Restore { file } => Command::Restore { file: std::path::absolute(file)? },
            Self::EraseContact { workspace, contact } => Command::EraseContact { workspace, contact },
            Self::Jobs { command: JobsCommand::Dead } => Command::DeadJobs,
            Self::Jobs { command: JobsCommand::Replay { name } } => Command::ReplayJob { name },
            Self::RotateKeys => Command::RotateKeys,
            // Confirmed: the command line demands it.
            Self::ShredKeys { workspace, for_good: _ } => Command::ShredKeys { workspace },
            Self::Invite { workspace, email, role, inbox, mail: _ } => Command::Invite {
                workspace,
                request: InviteRequest { email: Email::new(email), role, inboxes: inbox, teams: Vec::new() },
            },
            Self::ResetTwoFactor { workspace, member } => Command::ResetTwoFactor { workspace, member },
            Self::RevokeDevice { workspace, device } => Command::RevokeDevice { workspace, device },
        })
    }
}

/// Carries the command out, or has the server do it that runs on this data directory; prints what came of it.
///
/// # Errors
/// It was refused or failed, or what was looked at is damaged.
pub async fn administer(config: Config, command: AdminCommand) -> Result<()> {
    let config = match &command {
        AdminCommand::Invite { mail, .. } => mail.clone().put(config),
        _ => config,
    };
    let command = command.typed()?;
    let data = config.data.clone();
    let report = match App::open(config, Deps::system()).await {
        Ok(app) => {
            let done = carry_out(&app.admin(), command).await;
            app.close().await;
            done?
        }
        Err(Error::AlreadyOpen) => socket::ask(&data, &command).await?,
        Err(error) => return Err(error),
    };
    for line in &report.lines {
        println!("{line}");
    }
    if report.sound { Ok(()) } else { Err(Error::Damaged("audit")) }
}
