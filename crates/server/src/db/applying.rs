//! What the apply worker asks and writes beside the synced rows: dedupe keys, identities, routing, early statuses.

use std::collections::HashSet;

use parley_domain::channel::Channel;
use parley_domain::contact::Identity;
use parley_domain::{Bsuid, ContactId, InboxId, MessageId, Phone, StageId, Timestamp, Username, Wamid, WorkspaceId};
use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::rows::{self, Stored, among, maybe, of_conversation, of_message, typed};
use super::{Db, table};
use crate::error::Result;

/// Where an item of a number belongs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    pub workspace: WorkspaceId,
    pub inbox: InboxId,
    /// The app through which the number is connected.
    pub app: String,
    /// The portfolio scope within which BSUIDs mean something.
    pub scope: String,
    pub phone_number_id: String,
}

/// The inboxes of these numbers.
pub async fn routes(db: &Db, numbers: &[String]) -> Result<Vec<Route>> {
    use table::inbox::{Column, Entity};
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let rows = Entity::find().filter(among(Column::PhoneNumberId, numbers)).all(db.reader()).await?;
    rows.into_iter()
        .map(|row| {
            Ok(Route {
                workspace: typed(&row.workspace)?,
                inbox: typed(&row.id)?,
                app: row.app_id,
                scope: row.waba,
                phone_number_id: row.phone_number_id,
            })
        })
        .collect()
}

/// Locks the inboxes, so that two workers never make the same contact.
pub async fn lock_inboxes<C: ConnectionTrait>(txn: &C, workspace: WorkspaceId, inboxes: &[InboxId]) -> Result<()> {
    use table::inbox::{Column, Entity};
    let ids: Vec<String> = inboxes.iter().map(InboxId::to_string).collect();
    let _: Vec<String> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(among(Column::Id, &ids))
        .order_by_asc(Column::Id)
        .lock_exclusive()
        .into_tuple()
        .all(txn)
        .await?;
    Ok(())
}

/// Which of these dedupe keys are known.
pub async fn known<C: ConnectionTrait>(txn: &C, hashes: &[String]) -> Result<HashSet<String>> {
    use table::dedupe::{Column, Entity};
    if hashes.is_empty() {
        return Ok(HashSet::new());
    }
    let found: Vec<String> = Entity::find()
        .select_only()
        .column(Column::Hash)
        .filter(among(Column::Hash, hashes))
        .into_tuple()
        .all(txn)
        .await?;
    Ok(found.into_iter().collect())
}

/// Remembers dedupe keys. Fails when one is known: somebody else applied the item meanwhile.
pub async fn remember<C: ConnectionTrait>(txn: &C, hashes: Vec<String>, expires_at: Timestamp) -> Result<()> {
    let rows = hashes.into_iter().map(|hash| table::dedupe::Model { hash, expires_at: expires_at.0 }).collect();
    rows::insert::<table::dedupe::ActiveModel, table::dedupe::Model, _>(txn, rows).await
}

/// Identities under any of these ids in the scope, current and former.
pub async fn identities<C: ConnectionTrait>(
    txn: &C,
    workspace: WorkspaceId,
    scope: &str,
    bsuids: &[String],
    parents: &[String],
    phones: &[String],
) -> Result<Vec<Identity>> {
    use table::contact_identity::{Column, Entity};
    let mut rows = Vec::new();
    for (column, values) in [(Column::ActiveBsuid, bsuids), (Column::ParentBsuid, parents), (Column::Phone, phones)] {
        if values.is_empty() {
            continue;
        }
        rows.extend(
            Entity::find()
                .filter(Column::Workspace.eq(workspace.to_string()))
                .filter(Column::Scope.eq(scope))
                .filter(among(column, values))
                .order_by_asc(Column::Since)
                .all(txn)
                .await?,
        );
    }
    let mut seen = HashSet::new();
    rows.into_iter().filter(|row| seen.insert(row.id.clone())).map(identity).collect()
}

/// The identities of a contact in a scope, newest first.
pub async fn identities_of<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    contact: ContactId,
    scope: &str,
) -> Result<Vec<Identity>> {
    use table::contact_identity::{Column, Entity};
    let rows = Entity::find()
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Contact.eq(contact.to_string()))
        .filter(Column::Scope.eq(scope))
        .order_by_desc(Column::Since)
        .all(connection)
        .await?;
    rows.into_iter().map(identity).collect()
}

fn identity(row: table::contact_identity::Model) -> Result<Identity> {
    Ok(Identity {
        id: typed(&row.id)?,
        contact: typed(&row.contact)?,
        channel: rows::word(&row.channel)?,
        scope: row.scope,
        bsuid: row.bsuid.map(Bsuid::new),
        parent_bsuid: row.parent_bsuid.map(Bsuid::new),
        phone: row.phone.map(Phone::new),
        username: row.username.map(Username::new),
        since: Timestamp(row.since),
        until: row.until.map(Timestamp),
    })
}

/// Writes identities, new ones and changed ones. Phones are stored as digits.
pub async fn put_identities<C: ConnectionTrait>(
    txn: &C,
    workspace: WorkspaceId,
    identities: &[(Identity, bool)],
) -> Result<()> {
    use table::contact_identity::{ActiveModel, Column, Model};
    let model = |identity: &Identity| {
        let bsuid = identity.bsuid.as_ref().map(|id| id.expose().to_owned());
        Model {
            workspace: workspace.to_string(),
            id: identity.id.to_string(),
            contact: identity.contact.to_string(),
            channel: channel_word(identity.channel),
            scope: identity.scope.clone(),
            active_bsuid: bsuid.clone().filter(|_| identity.until.is_none()),
            bsuid,
            parent_bsuid: identity.parent_bsuid.as_ref().map(|id| id.expose().to_owned()),
            phone: identity.phone.as_ref().map(Phone::digits),
            username: identity.username.as_ref().map(|name| name.expose().to_owned()),
            since: identity.since.0,
            until: identity.until.map(|until| until.0),
        }
    };
    let rows = |new: bool| identities.iter().filter(|(_, fresh)| *fresh == new).map(|(row, _)| model(row)).collect();
    // Ended ones first: they give their BSUID free.
    rows::upsert::<ActiveModel, Model, _, _, _>(
        txn,
        rows(false),
        &[Column::Workspace, Column::Id],
        &[Column::Bsuid, Column::ActiveBsuid, Column::ParentBsuid, Column::Phone, Column::Username, Column::Until],
    )
    .await?;
    rows::insert::<ActiveModel, Model, _>(txn, rows(true)).await
}

fn channel_word(channel: Channel) -> String {
    channel.as_str().to_owned()
}

/// Conversations of these contacts in any inbox, locked.
pub async fn conversations_of<C: ConnectionTrait>(
    txn: &C,
    workspace: WorkspaceId,
    contacts: &[ContactId],
) -> Result<Vec<Stored>> {
    use table::conversation::{Column, Entity};
    if contacts.is_empty() {
        return Ok(Vec::new());
    }
    let contacts: Vec<String> = contacts.iter().map(ContactId::to_string).collect();
    let rows = Entity::find()
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(among(Column::Contact, &contacts))
        .order_by_asc(Column::Id)
        .lock_exclusive()
        .all(txn)
        .await?;
    rows.into_iter().map(of_conversation).collect()
}

/// Messages with these wamids in these inboxes, or with these ids, locked.
pub async fn messages<C: ConnectionTrait>(
    txn: &C,
    workspace: WorkspaceId,
    wamids: &[(InboxId, Wamid)],
    ids: &[MessageId],
) -> Result<Vec<Stored>> {
    use table::message::{Column, Entity};
    let mut by_inbox: std::collections::BTreeMap<InboxId, Vec<String>> = std::collections::BTreeMap::new();
    for (inbox, wamid) in wamids {
        by_inbox.entry(*inbox).or_default().push(wamid.0.clone());
    }
    let mut conditions: Vec<Condition> = by_inbox
        .into_iter()
        .map(|(inbox, wamids)| {
            Condition::all().add(Column::Inbox.eq(inbox.to_string())).add(among(Column::Wamid, &wamids))
        })
        .collect();
    if !ids.is_empty() {
        let ids: Vec<String> = ids.iter().map(MessageId::to_string).collect();
        conditions.push(Condition::all().add(among(Column::Id, &ids)));
    }
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    for condition in conditions {
        let rows = Entity::find()
            .filter(Column::Workspace.eq(workspace.to_string()))
            .filter(condition)
            .order_by_asc(Column::Id)
            .lock_exclusive()
            .all(txn)
            .await?;
        for row in rows {
            if seen.insert(row.id.clone()) {
                found.push(of_message(row)?);
            }
        }
    }
    Ok(found)
}

/// The first stage of the workspace's first pipeline, where new orders come in.
pub async fn first_stage<C: ConnectionTrait>(txn: &C, workspace: WorkspaceId) -> Result<Option<StageId>> {
    let pipeline: Option<String> = table::pipeline::Entity::find()
        .select_only()
        .column(table::pipeline::Column::Id)
        .filter(table::pipeline::Column::Workspace.eq(workspace.to_string()))
        .order_by_asc(table::pipeline::Column::Id)
        .into_tuple()
        .one(txn)
        .await?;
    let Some(pipeline) = pipeline else {
        return Ok(None);
    };
    let stage: Option<String> = table::stage::Entity::find()
        .select_only()
        .column(table::stage::Column::Id)
        .filter(table::stage::Column::Workspace.eq(workspace.to_string()))
        .filter(table::stage::Column::Pipeline.eq(pipeline))
        .order_by_asc(table::stage::Column::Place)
        .into_tuple()
        .one(txn)
        .await?;
    maybe(stage.as_ref())
}

/// A status that came before its message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Orphan {
    pub id: uuid::Uuid,
    pub inbox: InboxId,
    pub wamid: Wamid,
    /// JSON of [`crate::apply::status::Report`].
    pub body: String,
    pub expires_at: Timestamp,
}

/// Parks statuses.
pub async fn park<C: ConnectionTrait>(txn: &C, workspace: WorkspaceId, orphans: Vec<Orphan>) -> Result<()> {
    let rows = orphans
        .into_iter()
        .map(|orphan| table::orphan_status::Model {
            workspace: workspace.to_string(),
            id: orphan.id.to_string(),
            inbox: orphan.inbox.to_string(),
            wamid: orphan.wamid.0,
            body: orphan.body,
            expires_at: orphan.expires_at.0,
        })
        .collect();
    rows::insert::<table::orphan_status::ActiveModel, table::orphan_status::Model, _>(txn, rows).await
}

/// Takes the parked statuses of a message that has become known.
pub async fn unpark<C: ConnectionTrait>(
    txn: &C,
    workspace: WorkspaceId,
    inbox: InboxId,
    wamid: &Wamid,
) -> Result<Vec<String>> {
    use table::orphan_status::{Column, Entity};
    let matching = Condition::all()
        .add(Column::Workspace.eq(workspace.to_string()))
        .add(Column::Inbox.eq(inbox.to_string()))
        .add(Column::Wamid.eq(&wamid.0));
    let rows = Entity::find().filter(matching.clone()).order_by_asc(Column::Id).all(txn).await?;
    if !rows.is_empty() {
        Entity::delete_many().filter(matching).exec(txn).await?;
    }
    Ok(rows.into_iter().map(|row| row.body).collect())
}
