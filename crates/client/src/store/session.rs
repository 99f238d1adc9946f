//! Who is signed in at this desk, and where sync stands.

use std::collections::BTreeSet;

use parley_domain::entity::{Key, Kind};
use parley_domain::permission::{Actor, Role};
use parley_domain::protocol::session::Session;
use parley_domain::{DeviceId, InboxId, MemberId, PersonName, WorkspaceId};
use rusqlite::{Connection, OptionalExtension, params};

use super::retention::Holds;
use super::rows::get;
use super::value::{Id, id, parse};
use crate::Result;

/// The signed-in member, as last told by the server.
#[derive(Clone, Debug)]
pub struct SignedIn {
    pub server: String,
    pub workspace: WorkspaceId,
    pub workspace_name: String,
    pub member: MemberId,
    pub member_name: PersonName,
    pub role: Role,
    pub inboxes: BTreeSet<InboxId>,
    pub device: DeviceId,
    /// What the policy lets this desk hold, now; `None`: everything in scope.
    pub holds: Option<Holds>,
}

impl SignedIn {
    /// What a session says about the member.
    pub fn new(server: &str, session: &Session) -> Self {
        Self {
            server: server.to_owned(),
            workspace: session.workspace,
            workspace_name: session.workspace_name.clone(),
            member: session.member,
            member_name: session.member_name.clone(),
            role: session.role,
            inboxes: session.inboxes.iter().copied().collect(),
            device: session.device,
            holds: None,
        }
    }

    /// Who edits. Inboxes that the server sent are visible too: the session may be older than the rows.
    pub fn actor(&self, connection: &Connection) -> Result<Actor> {
        let mut inboxes = self.inboxes.clone();
        let mut statement = connection.prepare_cached("SELECT id FROM inbox")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            inboxes.insert(get(row, 0)?);
        }
        Ok(Actor { member: self.member, role: self.role, inboxes })
    }
}

/// Stores who is signed in.
pub fn save(connection: &Connection, session: &SignedIn) -> Result<()> {
    connection.execute(
        "INSERT OR REPLACE INTO session VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            session.server,
            id(session.workspace),
            session.workspace_name,
            id(session.member),
            session.member_name.expose(),
            session.role.as_str(),
            serde_json::to_string(&session.inboxes)?,
            Id(session.device.0)
        ],
    )?;
    Ok(())
}

/// Reads who is signed in.
pub fn load(connection: &Connection) -> Result<Option<SignedIn>> {
    let mut statement = connection
        .prepare("SELECT server, workspace, workspace_name, member, member_name, role, inboxes, device FROM session")?;
    let mut rows = statement.query([])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    Ok(Some(SignedIn {
        server: row.get(0)?,
        workspace: get(row, 1)?,
        workspace_name: row.get(2)?,
        member: get(row, 3)?,
        member_name: PersonName::new(row.get::<_, String>(4)?),
        role: parse(row.get_ref(5)?.as_str().unwrap_or_default(), "session.role")?,
        inboxes: serde_json::from_str(row.get_ref(6)?.as_str().unwrap_or_default())?,
        device: get(row, 7)?,
        holds: None,
    }))
}

/// Where sync stands.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Position {
    /// Pulling goes on from here; `None` until a snapshot is complete.
    pub cursor: Option<String>,
    /// Highest `seq` known to be contained.
    pub upto: u64,
    /// Count of snapshots; rows carry it.
    pub generation: i64,
    /// The running snapshot continues after this.
    pub snapshot_after: Option<String>,
    /// Rows of an older generation are still to be swept.
    pub sweep: bool,
    /// Roots whose rows are still to be fetched, with the place reached.
    pub backfill: Vec<(Key, Option<String>)>,
    /// Hidden roots whose rows are still to be deleted.
    pub gone: bool,
}

/// Reads where sync stands.
pub fn position(connection: &Connection) -> Result<Position> {
    let mut position = connection
        .prepare_cached("SELECT cursor, upto, generation, snapshot_after, sweep FROM sync_state WHERE id = 1")?
        .query_row([], |row| {
            Ok(Position {
                cursor: row.get(0)?,
                upto: row.get(1)?,
                generation: row.get(2)?,
                snapshot_after: row.get(3)?,
                sweep: row.get(4)?,
                ..Position::default()
            })
        })?;
    position.gone = connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM gone)")?.query_row([], |row| row.get(0))?;
    let mut statement = connection.prepare_cached("SELECT kind, id, after FROM backfill")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(kind) = Kind::parse(row.get_ref(0)?.as_str().unwrap_or_default()) {
            position.backfill.push((Key { kind, id: row.get::<_, Id>(1)?.0 }, row.get(2)?));
        }
    }
    Ok(position)
}

/// Notes that every kind is held in its present shape.
pub fn note_shapes(connection: &Connection) -> Result<()> {
    let mut note = connection.prepare_cached("INSERT OR REPLACE INTO kind_schema VALUES (?1, ?2)")?;
    for kind in Kind::ALL {
        note.execute(params![kind.as_str(), kind.schema()])?;
    }
    Ok(())
}

/// Asks for the kinds whole that an older program fetched in another shape, or could not fetch at all (SYNC.md S26).
pub fn refetch_old_shapes(connection: &Connection) -> Result<()> {
    let mut old = Vec::new();
    for kind in Kind::ALL {
        let held: Option<u32> = connection
            .prepare_cached("SELECT number FROM kind_schema WHERE kind = ?1")?
            .query_row([kind.as_str()], |row| row.get(0))
            .optional()?;
        // The first program noted no shapes; it held every kind of the first protocol in its first shape.
        if held.unwrap_or(u32::from(kind.since() == 1)) < kind.schema() {
            old.push(*kind);
        }
    }
    if old.is_empty() {
        return Ok(());
    }
    let cursor: Option<String> = connection.query_row("SELECT cursor FROM sync_state", [], |row| row.get(0))?;
    if cursor.is_none() {
        // The snapshot that was under way has old shapes in it.
        connection.execute("UPDATE sync_state SET snapshot_after = NULL", [])?;
    } else {
        for kind in old {
            // A root that is fetched names a row; a kind that is fetched names the workspace.
            let sql = "INSERT OR REPLACE INTO backfill SELECT ?1, workspace, NULL FROM session";
            connection.execute(sql, [kind.as_str()])?;
        }
    }
    note_shapes(connection)
}

/// Present generation.
pub fn generation(connection: &Connection) -> Result<i64> {
    Ok(connection.prepare_cached("SELECT generation FROM sync_state WHERE id = 1")?.query_row([], |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::schema;
    use super::*;

    fn asked(connection: &Connection) -> Vec<String> {
        let mut statement = connection.prepare("SELECT kind FROM backfill ORDER BY kind").unwrap();
        let kinds = statement.query_map([], |row| row.get(0)).unwrap();
        kinds.collect::<rusqlite::Result<_>>().unwrap()
    }

    /// A file as the first program left it, opened by this one.
    fn updated(cursor: Option<&str>) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        schema::create(&connection, "replica", "", &schema::REPLICA[..1]).unwrap();
        connection
            .execute("INSERT INTO session VALUES (1, '', ?1, '', ?1, '', 'manager', '[]', ?1)", [Id(uuid::Uuid::nil())])
            .unwrap();
        connection.execute("UPDATE sync_state SET cursor = ?1, snapshot_after = 'place'", [cursor]).unwrap();
        schema::upgrade(&connection, "replica", "", schema::REPLICA).unwrap();
        refetch_old_shapes(&connection).unwrap();
        connection
    }

    #[test]
    fn an_updated_program_asks_for_the_kinds_that_it_lacks_once() {
        let connection = updated(Some("cursor"));
        assert_eq!(asked(&connection), ["fact"]);
        connection.execute("DELETE FROM backfill", []).unwrap();
        refetch_old_shapes(&connection).unwrap();
        assert_eq!(asked(&connection), Vec::<String>::new());
        connection.execute("UPDATE kind_schema SET number = 0 WHERE kind = 'message'", []).unwrap();
        refetch_old_shapes(&connection).unwrap();
        assert_eq!(asked(&connection), ["message"]);
    }

    #[test]
    fn a_snapshot_of_old_shapes_begins_again() {
        let connection = updated(None);
        assert_eq!(asked(&connection), Vec::<String>::new());
        assert_eq!(position(&connection).unwrap().snapshot_after, None);
    }
}
