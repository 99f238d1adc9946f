//! Search over what this desk holds: messages, contacts, orders.
//!
//! Every word must be there, each may be the beginning of one; accents, case, vowel signs of Arabic and the digits of a script do
//! not matter; operators narrow messages down ([`query::Query`]). Newest first, never ranked over everything. Bounded: after so
//! many looked at it stops and says that there may be more.

mod query;
mod snippet;
pub mod words;

#[cfg(test)]
mod corpus;

use std::collections::{BTreeMap, BTreeSet};

use parley_domain::content::Content;
use parley_domain::message::{Direction, Message};
use parley_domain::{ContactId, ConversationId, MemberId, OrderId, PersonName, Phone};
use rusqlite::{Connection, params};
use uuid::Uuid;

use self::query::Query;
use super::rows::{get, get_maybe, time};
use super::value::{Id, id};
use super::{messages, session};
use crate::Result;
use crate::views::{ContactHit, MessageHit, OrderHit, SearchResult};

/// Messages looked at in one search with operators.
const LOOKED_AT: usize = 10_000;
const CONTACTS: u32 = 20;
const ORDERS: usize = 20;

/// Finds messages, contacts and orders. `me` is whom `from:me` means.
pub fn search(connection: &Connection, text: &str, limit: u32, me: MemberId) -> Result<SearchResult> {
    let query = Query::parse(text);
    let words: Vec<&str> = query.words.iter().map(String::as_str).collect();
    let question = words::question(&words);
    let mut result = SearchResult { complete: holds_everything(connection)?, ..SearchResult::default() };
    if question.is_none() && !query.narrows() {
        return Ok(result);
    }
    let limit = usize::try_from(limit.clamp(1, 200)).unwrap_or(200);
    let cut = find_messages(connection, &query, question.as_deref(), limit, me, &mut result.messages)?;
    result.complete &= !cut;
    // Operators speak of messages; people and orders are found by words.
    if let (Some(question), false) = (&question, query.narrows()) {
        result.contacts = contacts(connection, text, question)?;
        result.orders = orders(connection, &words, question)?;
    }
    Ok(result)
}

/// Whether everything in the member's scope is here, so that what is not found is not there.
fn holds_everything(connection: &Connection) -> Result<bool> {
    let position = session::position(connection)?;
    Ok(position.cursor.is_some() && position.backfill.is_empty())
}

/// Collects messages; `true` when it stopped before the end.
fn find_messages(
    connection: &Connection,
    query: &Query,
    question: Option<&str>,
    limit: usize,
    me: MemberId,
    hits: &mut Vec<MessageHit>,
) -> Result<bool> {
    let Some(narrow) = Narrow::of(connection, query, me)? else { return Ok(false) };
    let folded: Vec<String> = query.words.iter().map(|word| words::folded(word)).collect();
    let columns: Vec<String> =
        messages::COLUMNS.split(',').map(|column| format!("message.{}", column.trim())).collect();
    // CROSS JOIN keeps the index outermost, which hands rows out newest first: nothing is sorted, and a page is read lazily.
    let joined = "CROSS JOIN conversation ON conversation.id = message.conversation
                  LEFT JOIN contact ON contact.id = conversation.contact";
    let shown = format!("{}, contact.name, conversation.inbox, conversation.contact", columns.join(", "));
    let sql = match question {
        Some(_) => format!(
            "SELECT {shown} FROM message_text CROSS JOIN message ON message.row = message_text.rowid {joined}
             WHERE message_text MATCH ?1 ORDER BY message_text.rowid DESC"
        ),
        None => format!("SELECT {shown} FROM message {joined} WHERE ?1 IS NULL ORDER BY message.row DESC"),
    };
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query(params![question])?;
    let mut looked_at = 0;
    while let Some(row) = found.next()? {
        looked_at += 1;
        let message = messages::message(row)?.message;
        if narrow.admits(&message, get(row, 16)?, get(row, 17)?) {
            if hits.len() == limit {
                return Ok(true);
            }
            hits.push(MessageHit {
                message: message.id,
                conversation: message.conversation,
                contact_name: row.get::<_, Option<String>>(15)?.map(PersonName::new),
                direction: message.direction,
                sent_at: message.sent_at,
                snippet: snippet::snippet(message.content.searchable().unwrap_or_default(), &folded),
            });
        }
        if looked_at == LOOKED_AT {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Operators, resolved to ids.
struct Narrow<'a> {
    query: &'a Query,
    people: Option<(BTreeSet<ContactId>, BTreeSet<MemberId>)>,
    labelled: Vec<BTreeSet<ConversationId>>,
    inboxes: Option<BTreeSet<Uuid>>,
}

impl<'a> Narrow<'a> {
    /// `None` when some operator names nothing that this desk knows: then nothing can be found.
    fn of(connection: &Connection, query: &'a Query, me: MemberId) -> Result<Option<Self>> {
        let mut narrow = Self { query, people: None, labelled: Vec::new(), inboxes: None };
        if let Some(name) = &query.from {
            let mut members: BTreeSet<MemberId> =
                named(connection, "SELECT id, name FROM member", name)?.into_iter().map(MemberId).collect();
            if name == "me" {
                members.insert(me);
            }
            let parts = words::words(name);
            let contacts = match words::question(&parts) {
                Some(question) => {
                    let sql = "SELECT contact.id FROM contact_text JOIN contact ON contact.row = contact_text.rowid
                               WHERE contact_text MATCH ?1 LIMIT 10000";
                    let mut statement = connection.prepare_cached(sql)?;
                    let found = statement.query_map([question], |row| row.get::<_, Id>(0))?;
                    found.map(|id| Ok(ContactId(id?.0))).collect::<Result<_>>()?
                }
                None => BTreeSet::new(),
            };
            if contacts.is_empty() && members.is_empty() {
                return Ok(None);
            }
            narrow.people = Some((contacts, members));
        }
        for label in &query.labels {
            let mut labelled = BTreeSet::new();
            for label in named(connection, "SELECT id, name FROM label", label)? {
                let sql = "SELECT conversation FROM conversation_label WHERE label = ?1";
                let mut statement = connection.prepare_cached(sql)?;
                let found = statement.query_map([id(label)], |row| row.get::<_, Id>(0))?;
                for conversation in found {
                    labelled.insert(ConversationId(conversation?.0));
                }
            }
            if labelled.is_empty() {
                return Ok(None);
            }
            narrow.labelled.push(labelled);
        }
        if let Some(inbox) = &query.inbox {
            let found: BTreeSet<Uuid> = named(connection, "SELECT id, name FROM inbox", inbox)?.into_iter().collect();
            if found.is_empty() {
                return Ok(None);
            }
            narrow.inboxes = Some(found);
        }
        Ok(Some(narrow))
    }

    fn admits(&self, message: &Message, inbox: Uuid, contact: ContactId) -> bool {
        let query = self.query;
        let by = |(contacts, members): &(BTreeSet<ContactId>, BTreeSet<MemberId>)| match message.direction {
            Direction::Incoming => contacts.contains(&contact),
            _ => message.author.is_some_and(|author| members.contains(&author)),
        };
        query.before.is_none_or(|before| message.sent_at < before)
            && query.after.is_none_or(|after| message.sent_at >= after)
            && (!query.has_file || matches!(message.content, Content::Media(_)))
            && self.inboxes.as_ref().is_none_or(|inboxes| inboxes.contains(&inbox))
            && self.labelled.iter().all(|labelled| labelled.contains(&message.conversation))
            && self.people.as_ref().is_none_or(by)
    }
}

/// Rows whose name, folded, has a word that begins so.
fn named(connection: &Connection, sql: &str, wanted: &str) -> Result<Vec<Uuid>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut found = statement.query([])?;
    let mut ids = Vec::new();
    while let Some(row) = found.next()? {
        let name = words::folded(row.get_ref(1)?.as_str().unwrap_or_default());
        let place = name.find(wanted);
        if place.is_some_and(|at| at == 0 || name.get(..at).is_some_and(|before| before.ends_with(' '))) {
            ids.push(row.get::<_, Id>(0)?.0);
        }
    }
    Ok(ids)
}

fn contacts(connection: &Connection, text: &str, question: &str) -> Result<Vec<ContactHit>> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let numeric = digits.len() >= 4 && text.chars().all(|c| c.is_ascii_digit() || " +-()/".contains(c));
    let columns = "contact.id, contact.name, contact.phone, (SELECT id FROM conversation WHERE contact = contact.id \
                   ORDER BY active_at DESC LIMIT 1)";
    let (sql, value) = if numeric {
        (format!("SELECT {columns} FROM contact WHERE phone LIKE ?1 LIMIT {CONTACTS}"), format!("%{digits}%"))
    } else {
        (
            format!(
                "SELECT {columns} FROM contact_text JOIN contact ON contact.row = contact_text.rowid
                 WHERE contact_text MATCH ?1 ORDER BY contact_text.rowid DESC LIMIT {CONTACTS}"
            ),
            question.to_owned(),
        )
    };
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query([value])?;
    let mut hits = Vec::new();
    while let Some(row) = found.next()? {
        hits.push(ContactHit {
            contact: get(row, 0)?,
            name: row.get::<_, Option<String>>(1)?.map(PersonName::new),
            phone: row.get::<_, Option<String>>(2)?.map(Phone::new),
            conversation: get_maybe::<ConversationId>(row, 3)?,
        });
    }
    Ok(hits)
}

/// Orders by number, by the beginning of an article's code, and of the contacts that the words name; newest first.
fn orders(connection: &Connection, words: &[&str], question: &str) -> Result<Vec<OrderHit>> {
    let columns = "SELECT orders.id, orders.conversation, orders.number, orders.currency, orders.total_minor, orders.placed_at, \
                   contact.name FROM orders LEFT JOIN contact ON contact.id = orders.contact";
    let mut found = BTreeMap::new();
    let mut take = |sql: &str, value: &dyn rusqlite::ToSql| -> Result<()> {
        let mut statement = connection.prepare_cached(&format!("{columns} {sql} LIMIT {ORDERS}"))?;
        let mut rows = statement.query([value])?;
        while let Some(row) = rows.next()? {
            let hit = OrderHit {
                order: get::<OrderId>(row, 0)?,
                conversation: get(row, 1)?,
                number: row.get(2)?,
                currency: row.get(3)?,
                total_minor: row.get(4)?,
                placed_at: time(row, 5)?,
                contact_name: row.get::<_, Option<String>>(6)?.map(PersonName::new),
            };
            found.insert((std::cmp::Reverse(hit.placed_at), hit.order), hit);
        }
        Ok(())
    };
    if let [word] = words {
        if let Ok(number) = word.parse::<i64>() {
            take("WHERE orders.number = ?1 ORDER BY placed_at DESC", &number)?;
        }
        take(
            "WHERE orders.id IN (SELECT order_id FROM order_item WHERE sku >= ?1 COLLATE NOCASE
                AND sku < ?1 || char(1114111) COLLATE NOCASE LIMIT 200) ORDER BY placed_at DESC",
            word,
        )?;
    }
    take(
        "WHERE orders.contact IN (SELECT contact.id FROM contact_text JOIN contact ON contact.row = contact_text.rowid
            WHERE contact_text MATCH ?1 ORDER BY contact_text.rowid DESC LIMIT 200) ORDER BY placed_at DESC",
        &question,
    )?;
    Ok(found.into_values().take(ORDERS).collect())
}
