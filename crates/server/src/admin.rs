//! Administration: workspaces, members, inboxes, devices. The commands ([`command`]) and the
//! tests call the same functions, on a server that runs too ([`socket`]).

pub mod command;
pub mod socket;

use std::path::Path;
use std::sync::Arc;

use parley_domain::channel::Channel;
use parley_domain::entity::{Key, Kind};
use parley_domain::order::{Pipeline, Stage};
use parley_domain::permission::Role;
use parley_domain::policy::DevicePolicy;
use parley_domain::protocol::access::{InviteRequest, Invited, UpdateMemberRequest};
use parley_domain::protocol::session::Secret;
use parley_domain::workspace::{Inbox, Label};
use parley_domain::{
    AppId, Code, ContactId, DeviceId, Email, InboxId, LabelId, MemberId, PersonName, Phone, PhoneNumberId, PipelineId,
    StageId, WabaId, WorkspaceId,
};

use crate::access::{devices, invitations, members};
use crate::app::Core;
use crate::audit::{self, Entry, Verdict};
use crate::backup::{self, Count};
use crate::db::admin::{self, AppRow, Connection};
use crate::db::jobs::{self, JobRow};
use crate::db::rows::{self, Written};
use crate::db::sequence::{self, Moved};
use crate::db::{Txn, access, keys, teams, transaction};
use crate::egress;
use crate::envelope::{self, DataKey};
use crate::erasure;
use crate::error::{Error, Result};
use crate::seal::Place;

/// A new workspace with its first admin.
#[derive(Clone, Debug)]
pub struct NewWorkspace {
    pub name: String,
    pub admin_name: PersonName,
    pub admin_email: Email,
    pub admin_password: Secret,
}

/// A new member.
#[derive(Clone, Debug)]
pub struct NewMember {
    pub name: PersonName,
    pub email: Email,
    pub password: Secret,
    pub role: Role,
}

/// A WhatsApp number and its way to Meta.
#[derive(Clone, Debug)]
pub struct NewWhatsapp {
    pub name: String,
    pub app: AppId,
    pub app_secret: Secret,
    pub verify_token: Secret,
    pub waba: WabaId,
    pub phone_number_id: PhoneNumberId,
    /// As customers see it.
    pub display_phone: Phone,
    /// Meta's access token.
    pub token: Secret,
    /// Scheme and host of the Graph API, when it is not the server's.
    pub graph_url: Option<String>,
}

/// The functions of administration.
#[derive(Clone)]
pub struct Admin(Arc<Core>);

impl Admin {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self(core)
    }

    /// Sets the workspace's policy for desks; `None` goes back to the default.
    ///
    /// # Errors
    /// The policy would break one of its own rules, or the database failed.
    pub async fn set_device_policy(&self, workspace: WorkspaceId, policy: Option<DevicePolicy>) -> Result<()> {
        crate::access::policy::set(&self.0, workspace, None, policy).await
    }

    /// Makes a workspace with its first admin, a pipeline and labels.
    ///
    /// # Errors
    /// The address is taken, or the password is unusable.
    pub async fn create_workspace(&self, new: NewWorkspace) -> Result<(WorkspaceId, MemberId)> {
        let core = &self.0;
        let workspace = WorkspaceId(core.new_id());
        let member = MemberId(core.new_id());
        let email = self.free_address(&new.admin_email).await?;
        let password =
            core.passwords.hash(&new.admin_password, &[new.admin_name.expose(), &email], core.salt()).await?;
        let (pipeline, stages, labels) = self.starters();
        let lineage = core.random_token();
        transaction!(core.db, |txn| make_workspace(
            &txn, core, workspace, member, &new, &email, &password, &lineage, &pipeline, &stages, &labels
        ))?;
        Ok((workspace, member))
    }

    /// Adds a member. An agent or manager sees no inbox until one is granted.
    ///
    /// # Errors
    /// The address is taken, or the password is unusable.
    pub async fn add_member(&self, workspace: WorkspaceId, new: NewMember) -> Result<MemberId> {
        let core = &self.0;
        let member = MemberId(core.new_id());
        let email = self.free_address(&new.email).await?;
        let password = core.passwords.hash(&new.password, &[new.name.expose(), &email], core.salt()).await?;
        let moved = transaction!(core.db, |txn| make_member(&txn, core, workspace, member, &new, &email, &password))?;
        core.pokes.moved(moved);
        Ok(member)
    }

    /// Connects a WhatsApp number. Admins see it; others see it when it is granted. Items that waited for it are applied.
    ///
    /// # Errors
    /// The number is connected already, or the Graph address may not be called.
    pub async fn connect_whatsapp(&self, workspace: WorkspaceId, new: NewWhatsapp) -> Result<InboxId> {
        let core = &self.0;
        if let Some(url) = &new.graph_url {
            egress::check(url)?;
        }
        let inbox = InboxId(core.new_id());
        let (own, common) = (envelope::key(core, Some(workspace)).await?, envelope::key(core, None).await?);
        let seal = |workspace: &str, table, column, row: &str, secret: &Secret| {
            let key = if workspace.is_empty() { &common } else { &own };
            key.seal(Place { workspace, table, column, row }, secret.expose().as_bytes(), &*core.randomness)
        };
        let token = seal(&workspace.to_string(), "inbox", "token", &inbox.to_string(), &new.token)?;
        let app = AppRow {
            app: new.app.clone(),
            secret: seal("", "meta_app", "secret", new.app.as_str(), &new.app_secret)?,
            secret_before: None,
            verify_token: seal("", "meta_app", "verify_token", new.app.as_str(), &new.verify_token)?,
        };
        let row = Inbox {
            id: inbox,
            name: new.name.clone(),
            channel: Channel::Whatsapp,
            address: Some(new.display_phone.clone()),
            connected: true,
        };
        let connection = Connection {
            app: new.app,
            waba: new.waba,
            phone_number_id: new.phone_number_id,
            token,
            graph_url: new.graph_url,
        };
        let moved = transaction!(core.db, |txn| make_inbox(&txn, core, &common, workspace, &row, &app, &connection))?;
        core.apps.forget();
        core.pokes.moved(moved);
        core.wake_waiting();
        Ok(inbox)
    }

    /// Lets a member see an inbox.
    ///
    /// # Errors
    /// The database refuses: one of them is not in the workspace.
    pub async fn grant_inbox(&self, workspace: WorkspaceId, member: MemberId, inbox: InboxId) -> Result<()> {
        transaction!(self.0.db, |txn| grant(&txn, &self.0, workspace, member, inbox, true))?;
        self.0.pokes.permission(member);
        Ok(())
    }

    /// Takes an inbox away from a member.
    ///
    /// # Errors
    /// The database failed.
    pub async fn withdraw_inbox(&self, workspace: WorkspaceId, member: MemberId, inbox: InboxId) -> Result<()> {
        transaction!(self.0.db, |txn| grant(&txn, &self.0, workspace, member, inbox, false))?;
        self.0.pokes.permission(member);
        Ok(())
    }

    /// Changes a member's role, or switches them off; inboxes and teams stay.
    ///
    /// # Errors
    /// No such member, or the workspace would be left without an admin.
    pub async fn update_member(
        &self,
        workspace: WorkspaceId,
        member: MemberId,
        role: Role,
        active: bool,
    ) -> Result<()> {
        let reader = self.0.db.reader();
        let inboxes = teams::inboxes_by_name(reader, workspace, member).await?.into_iter().collect();
        let teams = teams::of_member(reader, workspace, member).await?.into_iter().collect();
        let request = UpdateMemberRequest { member, role, active, inboxes, teams };
        members::update(&self.0, workspace, None, &request).await
    }

    /// Revokes a device: its tokens are dead at once and it is told to wipe itself.
    ///
    /// # Errors
    /// No such device.
    pub async fn revoke_device(&self, workspace: WorkspaceId, device: DeviceId) -> Result<()> {
        devices::revoke_any(&self.0, workspace, device).await
    }

    /// Invites a person.
    ///
    /// # Errors
    /// As over HTTP.
    pub async fn invite(&self, workspace: WorkspaceId, request: &InviteRequest) -> Result<Invited> {
        invitations::invite(&self.0, workspace, None, request).await
    }

    /// Takes a member's second factor off, because it was lost, and closes the member's sessions.
    ///
    /// # Errors
    /// No such member.
    pub async fn reset_two_factor(&self, workspace: WorkspaceId, member: MemberId) -> Result<()> {
        members::reset_two_factor(&self.0, workspace, None, member, None).await
    }

    /// Compares a workspace's audit log with its hashes and checkpoints.
    ///
    /// # Errors
    /// The database failed, or the file of checkpoints cannot be read.
    pub async fn verify_audit(&self, workspace: WorkspaceId) -> Result<Verdict> {
        audit::verify(&self.0, workspace).await
    }

    /// Signs the ends of all audit logs that have grown since their last checkpoint.
    ///
    /// # Errors
    /// The database failed, or the file of checkpoints cannot be written.
    pub async fn seal_audit(&self) -> Result<()> {
        audit::checkpoint(&self.0, true).await
    }

    /// Every workspace there is.
    ///
    /// # Errors
    /// The database failed.
    pub async fn workspaces(&self) -> Result<Vec<WorkspaceId>> {
        audit::workspaces(&self.0).await
    }

    /// Writes the whole database to a new file; returns how many rows. Keys are not in it.
    ///
    /// # Errors
    /// The file is there already or cannot be written, or the database failed.
    pub async fn backup(&self, to: &Path) -> Result<Count> {
        backup::backup(&self.0, to).await
    }

    /// Reads a backup into the empty database, begins a new lineage, and erases again who was erased since.
    ///
    /// # Errors
    /// The database is not empty, or the file is no whole backup; nothing is changed then.
    pub async fn restore(&self, from: &Path) -> Result<Count> {
        let count = backup::restore(&self.0, from).await?;
        erasure::replay(&self.0).await?;
        self.0.apps.forget();
        Ok(count)
    }

    /// Erases a person: name, addresses, and everything said with them; also in backups that are restored later.
    ///
    /// # Errors
    /// No such contact, or the journal cannot be written.
    pub async fn erase_contact(&self, workspace: WorkspaceId, contact: ContactId) -> Result<()> {
        let moved = erasure::erase(&self.0, workspace, contact).await?;
        self.0.pokes.moved(moved);
        Ok(())
    }

    /// Jobs that failed for good.
    ///
    /// # Errors
    /// The database failed.
    pub async fn dead_jobs(&self) -> Result<Vec<JobRow>> {
        jobs::dead(self.0.db.reader()).await
    }

    /// Lets a dead job run again; `false` when there is none of that name.
    ///
    /// # Errors
    /// The database failed.
    pub async fn replay_job(&self, name: &str) -> Result<bool> {
        jobs::replay(self.0.db.writer(), name, self.0.now()).await
    }

    /// Makes a new key that wraps data keys, and wraps them all anew; returns how many.
    ///
    /// # Errors
    /// The key file cannot be written, or a wrapped key does not open.
    pub async fn rotate_keys(&self) -> Result<usize> {
        envelope::rotate(&self.0).await
    }

    /// Deletes a workspace's data keys: nothing that it has sealed opens ever again.
    ///
    /// # Errors
    /// The database failed.
    pub async fn shred_keys(&self, workspace: WorkspaceId) -> Result<()> {
        let core = &self.0;
        transaction!(core.db, |txn| shred(&txn, core, workspace))
    }

    async fn free_address(&self, email: &Email) -> Result<String> {
        let email = crate::access::address(email)?;
        match access::member_by_email(self.0.db.reader(), &email).await? {
            None => Ok(email),
            Some(_) => Err(Error::Refused(Code::Conflict, "a member with that e-mail address exists")),
        }
    }

    /// What a new workspace begins with.
    fn starters(&self) -> (Pipeline, Vec<Stage>, Vec<Label>) {
        let core = &self.0;
        let pipeline = Pipeline { id: PipelineId(core.new_id()), name: "Retail orders".to_owned() };
        let names = ["New", "Confirmed", "Waiting for payment", "Shipped", "Completed"];
        let stages = (0u32..)
            .zip(names)
            .map(|(place, name)| Stage {
                id: StageId(core.new_id()),
                pipeline: pipeline.id,
                name: name.to_owned(),
                place,
                closed: name == "Completed",
            })
            .collect();
        let labels = [("wholesale", "violet"), ("returns", "amber"), ("delivery", "blue")]
            .into_iter()
            .map(|(name, colour)| Label {
                id: LabelId(core.new_id()),
                name: name.to_owned(),
                colour: colour.to_owned(),
            })
            .collect();
        (pipeline, stages, labels)
    }
}

/// Gives rows of the workspace, which are written already, their place in the order of changes.
pub(crate) async fn place(txn: &Txn, core: &Core, workspace: WorkspaceId, keys: Vec<Key>) -> Result<Moved> {
    let rows = rows::load(txn, workspace, keys, false).await?;
    let written: Vec<Written> = rows
        .into_iter()
        .map(|row| {
            let scope = admin::scope_of(&row.entity);
            Written::changed(row.entity, scope)
        })
        .collect();
    let mut block = sequence::take(txn, workspace, written.len(), 0).await?;
    sequence::write(txn, workspace, &mut block, written, core.now()).await
}

#[expect(clippy::too_many_arguments, reason = "everything is made outside, so that the transaction can run again")]
async fn make_workspace(
    txn: &Txn,
    core: &Core,
    workspace: WorkspaceId,
    member: MemberId,
    new: &NewWorkspace,
    email: &str,
    password: &str,
    lineage: &str,
    pipeline: &Pipeline,
    stages: &[Stage],
    labels: &[Label],
) -> Result<Moved> {
    admin::insert_workspace(txn, workspace, &new.name, lineage, core.now()).await?;
    admin::insert_member(txn, workspace, member, &new.admin_name, email, Role::Admin, password.to_owned()).await?;
    admin::insert_pipeline(txn, workspace, pipeline, stages).await?;
    admin::insert_labels(txn, workspace, labels).await?;
    let mut keys = vec![
        Key::new(Kind::Workspace, workspace),
        Key::new(Kind::Member, member),
        Key::new(Kind::Pipeline, pipeline.id),
    ];
    keys.extend(stages.iter().map(|stage| Key::new(Kind::Stage, stage.id)));
    keys.extend(labels.iter().map(|label| Key::new(Kind::Label, label.id)));
    let moved = place(txn, core, workspace, keys).await?;
    note(txn, core, workspace, "workspace.created", &format!("workspace/{workspace}"), "").await?;
    note(txn, core, workspace, "member.added", &format!("member/{member}"), Role::Admin.as_str()).await?;
    Ok(moved)
}

/// Writes down what the command line did.
async fn note(
    txn: &Txn,
    core: &Core,
    workspace: WorkspaceId,
    action: &'static str,
    target: &str,
    details: &str,
) -> Result<()> {
    audit::record(txn, core, workspace, Entry { actor: None, action, target, details }).await
}

async fn shred(txn: &Txn, core: &Core, workspace: WorkspaceId) -> Result<()> {
    let keys = keys::shred(txn, workspace).await?;
    note(txn, core, workspace, "workspace.keys_shredded", &format!("workspace/{workspace}"), &format!("keys={keys}"))
        .await
}

async fn make_member(
    txn: &Txn,
    core: &Core,
    workspace: WorkspaceId,
    member: MemberId,
    new: &NewMember,
    email: &str,
    password: &str,
) -> Result<Moved> {
    admin::insert_member(txn, workspace, member, &new.name, email, new.role, password.to_owned()).await?;
    let moved = place(txn, core, workspace, vec![Key::new(Kind::Member, member)]).await?;
    note(txn, core, workspace, "member.added", &format!("member/{member}"), new.role.as_str()).await?;
    Ok(moved)
}

async fn make_inbox(
    txn: &Txn,
    core: &Core,
    common: &DataKey,
    workspace: WorkspaceId,
    inbox: &Inbox,
    app: &AppRow,
    connection: &Connection,
) -> Result<Moved> {
    let mut app = app.clone();
    if let Some(known) = admin::app(txn, &app.app).await? {
        // The secret before stays valid during a rotation. It is sealed for another column, so it is sealed anew.
        app.secret_before = Some(reseal(txn, core, common, &app.app, &known.secret).await?);
    }
    admin::put_app(txn, app, core.now()).await?;
    admin::insert_inbox(txn, workspace, inbox, connection.clone()).await?;
    let moved = place(txn, core, workspace, vec![Key::new(Kind::Inbox, inbox.id)]).await?;
    note(txn, core, workspace, "inbox.connected", &format!("inbox/{}", inbox.id), inbox.channel.as_str()).await?;
    Ok(moved)
}

async fn reseal(txn: &Txn, core: &Core, common: &DataKey, app: &AppId, sealed: &[u8]) -> Result<Vec<u8>> {
    let place = |column| Place { workspace: "", table: "meta_app", column, row: app.as_str() };
    let opened = envelope::open(core, txn, place("secret"), sealed).await?;
    common.seal(place("secret_before"), &opened, &*core.randomness)
}

async fn grant(
    txn: &Txn,
    core: &Core,
    workspace: WorkspaceId,
    member: MemberId,
    inbox: InboxId,
    give: bool,
) -> Result<()> {
    let action = if give {
        admin::grant_inbox(txn, workspace, member, inbox).await?;
        "inbox.granted"
    } else {
        admin::withdraw_inbox(txn, workspace, member, inbox).await?;
        "inbox.withdrawn"
    };
    admin::raise_epoch(txn, workspace, member).await?;
    note(txn, core, workspace, action, &format!("member/{member}"), &format!("inbox/{inbox}")).await
}
