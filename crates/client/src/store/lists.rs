//! The inbox: counts beside the views, pages of conversations, one conversation's detail.

use std::collections::{BTreeMap, HashMap, HashSet};

use parley_domain::channel::Channel;
use parley_domain::content::Content;
use parley_domain::conversation::{Conversation, Status};
use parley_domain::delivery::DeliveryState;
use parley_domain::entity::{Entity, Key, Kind};
use parley_domain::gate::{Gate, may_write};
use parley_domain::message::Message;
use parley_domain::window::service_window;
use parley_domain::{ConversationId, LabelId, MemberId, MessageText, OrderId, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::outbox::DraftMode;
use super::rows::{self, get, time};
use super::value::{Id, id, parse, word};
use super::{messages, orders};
use crate::Result;
use crate::views::{
    ConversationDetail, ConversationPage, ConversationRow, EarlierConversation, InboxView, LabelView, ListCursor,
    MayWrite, MemberView, PipelineView, Preview, Sidebar, View,
};

/// What views need beside the replica: who looks, when, and what the outbox holds.
#[derive(Clone, Debug)]
pub struct Looker {
    pub me: MemberId,
    pub now: Timestamp,
    pub drafts: HashMap<(ConversationId, DraftMode), MessageText>,
    /// Conversations with a message that waits or was refused.
    pub unsent: HashSet<ConversationId>,
    /// Orders with a move that waits.
    pub moving: HashSet<OrderId>,
    /// Intents in the outbox.
    pub outbox: u32,
    /// The server keeps the outbox's key.
    pub in_custody: bool,
}

const PREVIEW_MAX: usize = 160;

/// First line of a text, cut.
pub fn first_line(text: &str) -> MessageText {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    MessageText::new(line.chars().take(PREVIEW_MAX).collect::<String>())
}

/// Counts and the workspace's own rows.
pub fn sidebar(connection: &Connection, looker: &Looker) -> Result<Sidebar> {
    let mut sidebar = Sidebar {
        mine: 0,
        mine_unread: 0,
        unassigned: 0,
        snoozed: 0,
        all_open: 0,
        outbox: looker.outbox,
        inboxes: Vec::new(),
        labels: Vec::new(),
        pipelines: Vec::new(),
        members: Vec::new(),
    };
    let mut per_inbox: BTreeMap<Id, u32> = BTreeMap::new();
    let mut statement = connection.prepare_cached(
        "SELECT status, assignee, inbox, count(*), sum(unread > 0) FROM conversation WHERE status <> 'resolved' GROUP BY 1, 2, 3",
    )?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let (assignee, inbox, count): (Option<Id>, Id, u32) = (row.get(1)?, row.get(2)?, row.get(3)?);
        match row.get_ref(0)?.as_str().unwrap_or_default() {
            "open" => {
                sidebar.all_open += count;
                *per_inbox.entry(inbox).or_default() += count;
                match assignee {
                    None => sidebar.unassigned += count,
                    Some(who) if who == id(looker.me) => {
                        sidebar.mine += count;
                        sidebar.mine_unread += row.get::<_, u32>(4)?;
                    }
                    Some(_) => {}
                }
            }
            _ => sidebar.snoozed += count,
        }
    }
    let mut statement =
        connection.prepare_cached("SELECT id, name, channel, address, connected FROM inbox ORDER BY name, id")?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let inbox = rows::inbox(row)?;
        sidebar.inboxes.push(InboxView {
            id: inbox.id,
            name: inbox.name,
            channel: inbox.channel,
            address: inbox.address,
            connected: inbox.connected,
            open: per_inbox.get(&id(inbox.id)).copied().unwrap_or(0),
        });
    }
    let mut statement = connection.prepare_cached(
        "SELECT id, name, colour, (SELECT count(*) FROM conversation_label JOIN conversation ON conversation.id = conversation
             WHERE label = label.id AND status = 'open') FROM label ORDER BY name, id",
    )?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        sidebar.labels.push(LabelView { id: get(row, 0)?, name: row.get(1)?, colour: row.get(2)?, open: row.get(3)? });
    }
    let mut statement = connection.prepare_cached(
        "SELECT id, name, (SELECT count(*) FROM orders JOIN stage ON stage.id = orders.stage
             WHERE stage.pipeline = pipeline.id AND NOT stage.closed) FROM pipeline ORDER BY name, id",
    )?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        sidebar.pipelines.push(PipelineView { id: get(row, 0)?, name: row.get(1)?, open: row.get(2)? });
    }
    let mut statement = connection.prepare_cached("SELECT id, name, role, active FROM member ORDER BY name, id")?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let member = rows::member(row)?;
        sidebar.members.push(MemberView { id: member.id, name: member.name, role: member.role, active: member.active });
    }
    Ok(sidebar)
}

/// Condition of a view and its values; the table is `conversation`.
fn condition(view: View, looker: &Looker) -> (&'static str, Vec<Value>) {
    let blob = |id: Id| Value::Blob(id.0.as_bytes().to_vec());
    match view {
        View::Mine => ("status = 'open' AND assignee = ?", vec![blob(id(looker.me))]),
        View::Unassigned => ("status = 'open' AND assignee IS NULL", Vec::new()),
        View::Snoozed => ("status IN ('snoozed', 'pending')", Vec::new()),
        View::AllOpen => ("status = 'open'", Vec::new()),
        View::Resolved => ("status = 'resolved'", Vec::new()),
        View::Inbox { id: inbox } => ("inbox = ? AND status = 'open'", vec![blob(id(inbox))]),
        View::Label { id: label } => (
            "status = 'open' AND id IN (SELECT conversation FROM conversation_label WHERE label = ?)",
            vec![blob(id(label))],
        ),
    }
}

/// A page of a view, newest activity first.
pub fn page(
    connection: &Connection,
    looker: &Looker,
    view: View,
    after: Option<ListCursor>,
    limit: u32,
) -> Result<ConversationPage> {
    let limit = limit.clamp(1, 500);
    let (condition, values) = condition(view, looker);
    let total = connection
        .prepare_cached(&format!("SELECT count(*) FROM conversation WHERE {condition}"))?
        .query_row(params_from_iter(&values), |row| row.get(0))?;
    let mut values = values;
    let behind = match after {
        Some(cursor) => {
            values.push(Value::Integer(cursor.active_at.0));
            values.push(Value::Blob(cursor.id.0.as_bytes().to_vec()));
            "AND (active_at, id) < (?, ?)"
        }
        None => "",
    };
    values.push(Value::Integer(i64::from(limit) + 1));
    let sql = format!(
        "SELECT {}, preview, unread FROM conversation WHERE {condition} {behind} ORDER BY active_at DESC, id DESC LIMIT ?",
        rows::CONVERSATION
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query(params_from_iter(&values))?;
    let mut page = ConversationPage { rows: Vec::new(), next: None, total };
    while let Some(row) = found.next()? {
        if page.rows.len() == limit as usize {
            page.next = page.rows.last().map(|last| ListCursor { active_at: last.active_at, id: last.id });
            break;
        }
        let conversation = rows::conversation(row)?;
        page.rows.push(view_row(connection, looker, conversation, row.get(10)?, row.get(11)?)?);
    }
    Ok(page)
}

fn view_row(
    connection: &Connection,
    looker: &Looker,
    mut conversation: Conversation,
    preview: Option<i64>,
    unread: u32,
) -> Result<ConversationRow> {
    conversation.labels = rows::labels(connection, conversation.id.0)?;
    let contact = match rows::read(connection, Key::new(Kind::Contact, conversation.contact))? {
        Some(Entity::Contact(contact)) => Some(contact),
        _ => None,
    };
    let channel = match rows::read(connection, Key::new(Kind::Inbox, conversation.inbox))? {
        Some(Entity::Inbox(inbox)) => inbox.channel,
        _ => Channel::Whatsapp,
    };
    let preview = preview.map(|row| read_preview(connection, row)).transpose()?.flatten();
    let failed = preview.as_ref().and_then(|preview| preview.delivery.as_ref()).is_some_and(|delivery| {
        matches!(delivery.state, DeliveryState::Failed | DeliveryState::Unconfirmed | DeliveryState::Cancelled)
    });
    let draft = looker
        .drafts
        .get(&(conversation.id, DraftMode::Reply))
        .or_else(|| looker.drafts.get(&(conversation.id, DraftMode::Note)))
        .map(|text| first_line(text.expose()));
    Ok(ConversationRow {
        id: conversation.id,
        contact: conversation.contact,
        name: contact.as_ref().and_then(|contact| contact.name.clone()),
        phone: contact.as_ref().and_then(|contact| contact.phone.clone()),
        username: contact.and_then(|contact| contact.username),
        channel,
        inbox: conversation.inbox,
        status: conversation.status,
        assignee: conversation.assignee,
        window: service_window(&conversation, looker.now),
        labels: sorted_labels(&conversation),
        active_at: conversation.active_at,
        snoozed_until: conversation.snoozed_until,
        unread,
        preview,
        draft,
        order: orders::open_tag(connection, conversation.id)?,
        not_sent: failed || looker.unsent.contains(&conversation.id),
    })
}

fn sorted_labels(conversation: &Conversation) -> Vec<LabelId> {
    conversation.labels.iter().copied().collect()
}

fn read_preview(connection: &Connection, row: i64) -> Result<Option<Preview>> {
    let sql = format!("SELECT {} FROM message WHERE row = ?1", messages::COLUMNS);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query([row])?;
    let Some(row) = found.next()? else {
        return Ok(None);
    };
    let Message { direction, content, delivery, .. } = messages::message(row)?.message;
    let media_kind = match &content {
        Content::Media(media) => Some(word(&media.kind)?),
        _ => None,
    };
    let text = match &content {
        Content::Text { .. }
        | Content::Media(_)
        | Content::Choice { .. }
        | Content::Template { .. }
        | Content::Order { .. } => content.searchable().unwrap_or_default(),
        _ => "",
    };
    Ok(Some(Preview { direction, text: first_line(text), content_type: content_type(&content)?, media_kind, delivery }))
}

/// The `type` of a content.
fn content_type(content: &Content) -> Result<String> {
    let named = match content {
        Content::Text { .. } => "text",
        Content::Media(_) => "media",
        Content::Order { .. } => "order",
        other => {
            let value = serde_json::to_value(other)?;
            return Ok(value.get("type").and_then(|name| name.as_str()).unwrap_or("unsupported").to_owned());
        }
    };
    Ok(named.to_owned())
}

/// One conversation with header, composer state and context panel.
pub fn detail(connection: &Connection, looker: &Looker, wanted: ConversationId) -> Result<Option<ConversationDetail>> {
    let sql = format!("SELECT {}, preview, unread FROM conversation WHERE id = ?1", rows::CONVERSATION);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query([id(wanted)])?;
    let Some(row) = found.next()? else {
        return Ok(None);
    };
    let conversation = rows::conversation(row)?;
    let row = view_row(connection, looker, conversation.clone(), row.get(10)?, row.get(11)?)?;
    let inbox = match rows::read(connection, Key::new(Kind::Inbox, conversation.inbox))? {
        Some(Entity::Inbox(inbox)) => Some(inbox),
        _ => None,
    };
    let contact = match rows::read(connection, Key::new(Kind::Contact, conversation.contact))? {
        Some(Entity::Contact(contact)) => Some(contact),
        _ => None,
    };
    let code = match (&contact, &inbox) {
        (Some(contact), Some(inbox)) => {
            may_write(Gate { conversation: &conversation, contact, inbox, now: looker.now }).err()
        }
        (None, _) => Some(parley_domain::Code::NoAddress),
        (_, None) => Some(parley_domain::Code::InboxUnavailable),
    };
    let code = code.or_else(|| (!looker.in_custody).then_some(parley_domain::Code::NotInCustody));
    Ok(Some(ConversationDetail {
        inbox_name: inbox.map(|inbox| inbox.name).unwrap_or_default(),
        may_write: MayWrite { allowed: code.is_none(), code },
        orders: orders::of_conversation(connection, looker, wanted)?,
        earlier: earlier(connection, &conversation)?,
        row,
    }))
}

fn earlier(connection: &Connection, of: &Conversation) -> Result<Vec<EarlierConversation>> {
    let mut statement = connection.prepare_cached(
        "SELECT conversation.id, coalesce(inbox.name, ''), status, active_at FROM conversation
         LEFT JOIN inbox ON inbox.id = conversation.inbox
         WHERE contact = ?1 AND conversation.id <> ?2 ORDER BY active_at DESC LIMIT 20",
    )?;
    let mut found = statement.query([id(of.contact), id(of.id)])?;
    let mut earlier = Vec::new();
    while let Some(row) = found.next()? {
        earlier.push(EarlierConversation {
            id: get(row, 0)?,
            inbox_name: row.get(1)?,
            status: parse::<Status>(row.get_ref(2)?.as_str().unwrap_or_default(), "conversation.status")?,
            active_at: time(row, 3)?,
        });
    }
    Ok(earlier)
}
