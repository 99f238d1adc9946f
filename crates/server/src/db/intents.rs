//! Outcomes of edits, recorded in the transaction of the effect.

use std::collections::HashMap;

use parley_domain::entity::{Key, Kind};
use parley_domain::planted::{Bug, planted};
use parley_domain::protocol::intent::{Outcome, Verdict};
use parley_domain::{Code, DeviceId, IntentId, Timestamp, WorkspaceId};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};

use super::rows::{among, count, id, insert, typed, whole};
use super::table;
use crate::error::{Error, Result};

/// An outcome with the device that asked.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub device: DeviceId,
    pub outcome: Outcome,
}

/// The recorded outcomes of these intents.
pub async fn recorded<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    ids: &[IntentId],
) -> Result<HashMap<IntentId, Recorded>> {
    use table::intent::{Column, Entity};
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<String> = ids.iter().map(IntentId::to_string).collect();
    let rows = Entity::find()
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(among(Column::Id, &ids))
        .all(connection)
        .await?;
    rows.into_iter()
        .map(|row| {
            let recorded = Recorded { device: typed(&row.device)?, outcome: outcome(&row)? };
            Ok((recorded.outcome.id, recorded))
        })
        .collect()
}

/// A device's outcomes with `after < at_seq <= upto`, in order.
pub async fn between<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    device: DeviceId,
    after: u64,
    upto: u64,
) -> Result<Vec<Outcome>> {
    use table::intent::{Column, Entity};
    let rows = Entity::find()
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Device.eq(device.to_string()))
        .filter(Column::AtSeq.gt(whole(after)))
        .filter(Column::AtSeq.lte(whole(upto)))
        .order_by_asc(Column::AtSeq)
        .all(connection)
        .await?;
    rows.iter().map(outcome).collect()
}

fn outcome(row: &table::intent::Model) -> Result<Outcome> {
    let verdict = match row.outcome.as_str() {
        "applied" => Verdict::Applied,
        "no_op" => Verdict::NoOp,
        "refused" => Verdict::Refused { code: row.code.as_deref().map_or(Code::Internal, Code::parse) },
        _ => return Err(Error::Damaged("outcome")),
    };
    Ok(Outcome { id: typed(&row.id)?, verdict, at_seq: count(row.at_seq) })
}

/// Records an outcome and the rows that the intent wrote. A blocked intent is never recorded.
pub async fn record<C: ConnectionTrait>(
    txn: &C,
    workspace: WorkspaceId,
    device: DeviceId,
    outcome: &Outcome,
    wrote: &[Key],
    now: Timestamp,
) -> Result<()> {
    let (word, code) = match outcome.verdict {
        Verdict::Applied => ("applied", None),
        Verdict::NoOp => ("no_op", None),
        Verdict::Refused { code } => ("refused", Some(code.as_str().to_owned())),
        Verdict::Blocked => return Ok(()),
    };
    if planted(Bug::IntentAppliedTwice) {
        use table::intent::{Column, Entity};
        let this = Column::Id.eq(outcome.id.to_string());
        Entity::delete_many().filter(Column::Workspace.eq(workspace.to_string())).filter(this).exec(txn).await?;
        let this = table::intent_write::Column::Intent.eq(outcome.id.to_string());
        table::intent_write::Entity::delete_many().filter(this).exec(txn).await?;
    }
    let row = table::intent::Model {
        workspace: workspace.to_string(),
        id: outcome.id.to_string(),
        device: device.to_string(),
        outcome: word.to_owned(),
        code,
        at_seq: whole(outcome.at_seq),
        at: now.0,
    };
    insert::<table::intent::ActiveModel, _, _>(txn, vec![row]).await?;
    let rows = wrote
        .iter()
        .map(|key| table::intent_write::Model {
            workspace: workspace.to_string(),
            intent: outcome.id.to_string(),
            kind: key.kind.as_str().to_owned(),
            id: key.id.to_string(),
        })
        .collect();
    insert::<table::intent_write::ActiveModel, table::intent_write::Model, _>(txn, rows).await
}

/// What these intents wrote.
pub async fn wrote<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    intents: &[IntentId],
) -> Result<Vec<Key>> {
    use table::intent_write::{Column, Entity};
    if intents.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<String> = intents.iter().map(IntentId::to_string).collect();
    let rows = Entity::find()
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(among(Column::Intent, &ids))
        .all(connection)
        .await?;
    rows.into_iter()
        .map(|row| Ok(Key { kind: Kind::parse(&row.kind).ok_or(Error::Damaged("kind"))?, id: id(&row.id)? }))
        .collect()
}
