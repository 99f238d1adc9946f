//! Erasing a person, and the journal that keeps a restored backup from bringing them back.
//!
//! Promise: the journal stands in the data directory, outside every backup; an entry is on the disk before the rows are touched,
//! and the whole journal is carried out each time the server opens its database, before any port opens. Carrying an entry out
//! again changes nothing. An entry holds ids and keyed hashes, no name and no address.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use parley_domain::contact::Contact;
use parley_domain::content::Content;
use parley_domain::conversation::Conversation;
use parley_domain::entity::{Entity, Key, Kind};
use parley_domain::fact::Fact;
use parley_domain::limits::DEDUPE_KEPT;
use parley_domain::message::Message;
use parley_domain::{Code, ContactId, ConversationId, ErasureId, MessageText, Timestamp, WorkspaceId};
use parley_meta::webhook::parse;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::app::Core;
use crate::audit::{self, Entry};
use crate::db::dump;
use crate::db::erasing::{self, Said};
use crate::db::facts;
use crate::db::raw;
use crate::db::rows::{self, Written};
use crate::db::sequence::{self, Moved};
use crate::db::{Txn, access, desks, transaction};
use crate::error::{Error, Result};
use crate::ingest::body_place;
use crate::seal::{Purpose, Sealer};

/// Name of the journal in the data directory.
pub const FILE: &str = "erasures.jsonl";

/// Types under which Meta may bring a message again.
const TYPES: [&str; 16] = [
    "text",
    "image",
    "video",
    "audio",
    "voice",
    "document",
    "sticker",
    "location",
    "contacts",
    "button",
    "interactive",
    "order",
    "reaction",
    "system",
    "request_welcome",
    "unsupported",
];

/// One person who was erased.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Erased {
    workspace: WorkspaceId,
    contact: ContactId,
    at: Timestamp,
    /// Keyed hashes of the natural keys of what they wrote: a body that a backup brings back is not applied again.
    seen: Vec<String>,
}

/// Erases a person: name, addresses, everything said with or about them, labels, Meta's ids of it (each holds the number), and
/// what they wrote that could not be applied. Orders stay with their amounts: they hold neither name nor number nor free text,
/// and what the customer wrote beside one was said in a message.
///
/// # Errors
/// No such contact; or the journal or the database cannot be written.
pub(crate) async fn erase(core: &Core, workspace: WorkspaceId, contact: ContactId) -> Result<Moved> {
    let reader = core.db.reader();
    let key = Key::new(Kind::Contact, contact);
    if rows::load(reader, workspace, [key], false).await?.is_empty() {
        return Err(Error::Refused(Code::NotFound, "no such contact in this workspace"));
    }
    let conversations = erasing::conversations(reader, workspace, contact).await?;
    let said = erasing::messages(reader, workspace, &conversations).await?;
    let erased = Erased { workspace, contact, at: core.now(), seen: seen(core, &said) };
    write(&core.config.data.join(FILE), &erased)?;
    let moved = transaction!(core.db, |txn| erase_in(&txn, core, &erased, true))?;
    moved.ok_or(Error::Damaged("contact"))
}

/// Carries the journal out; how many people were still there.
///
/// # Errors
/// The journal cannot be read, or the database failed: the server must not open then.
pub(crate) async fn replay(core: &Core) -> Result<usize> {
    let entries = read(&core.config.data.join(FILE))?;
    if entries.is_empty() || dump::is_empty(&core.db).await? {
        return Ok(0);
    }
    let mut found = 0;
    for erased in entries {
        let moved = transaction!(core.db, |txn| erase_in(&txn, core, &erased, false))?;
        found += usize::from(moved.is_some());
    }
    if found > 0 {
        tracing::warn!(found, "people who had been erased were there again, and were erased again");
    }
    Ok(found)
}

fn seen(core: &Core, said: &[Said]) -> Vec<String> {
    let keys = said.iter().filter_map(|said| Some((said, said.wamid.as_ref()?)));
    keys.flat_map(|(said, wamid)| TYPES.map(|kind| format!("message|{}|{wamid}|{kind}", said.phone_number_id)))
        .map(|key| core.keys.dedupe_hash(&key))
        .collect()
}

/// Blanks what is there of the person; `None` when nothing was.
async fn erase_in(txn: &Txn, core: &Core, erased: &Erased, told: bool) -> Result<Option<Moved>> {
    let Erased { workspace, contact, .. } = *erased;
    erasing::remember(txn, &erased.seen, erased.at + DEDUPE_KEPT).await?;
    let conversations = erasing::conversations(txn, workspace, contact).await?;
    let said = erasing::messages(txn, workspace, &conversations).await?;
    let dead = forget_dead_items(txn, core, workspace, contact).await?;
    let mut keys = vec![Key::new(Kind::Contact, contact)];
    keys.extend(conversations.iter().map(|id| Key::new(Kind::Conversation, *id)));
    keys.extend(said.iter().map(|said| Key::new(Kind::Message, said.id)));
    keys.extend(facts::of_contact(txn, workspace, contact).await?);
    // Whoever knew the person's ids finds nobody behind these; what they count stays.
    let (nobody, nowhere) = (ContactId(core.new_id()), ConversationId(core.new_id()));
    let mut written = Vec::new();
    for stored in rows::load(txn, workspace, keys, true).await? {
        let blank = match &stored.entity {
            Entity::Contact(row) => Entity::Contact(blank_contact(row)),
            Entity::Message(row) => Entity::Message(blank_message(row)),
            Entity::Fact(row) => {
                Entity::Fact(Fact { contact: nobody, conversation: nowhere, order: None, ..row.clone() })
            }
            Entity::Conversation(row) => Entity::Conversation(Conversation { labels: [].into(), ..row.clone() }),
            _ => continue,
        };
        if blank != stored.entity {
            written.push(Written::changed(blank, stored.inbox));
        }
    }
    erasing::forget_wamids(txn, workspace, &conversations, &said).await?;
    erasing::forget_identities(txn, workspace, contact).await?;
    erasing::forget_outbox(txn, workspace, contact).await?;
    access::lock(txn, workspace).await?;
    // Said to every desk before it offers anything, also after a restore.
    desks::note_erasure(txn, workspace, ErasureId(core.new_id()), contact, &conversations, erased.at).await?;
    if written.is_empty() {
        return Ok(None);
    }
    let mut block = sequence::take(txn, workspace, written.len(), 0).await?;
    let moved = sequence::write(txn, workspace, &mut block, written, core.now()).await?;
    let details = format!("messages={} unread_items={dead}{}", said.len(), if told { "" } else { " after_a_restore" });
    let target = format!("contact/{contact}");
    let entry = Entry { actor: None, action: "contact.erased", target: &target, details: &details };
    audit::record(txn, core, workspace, entry).await?;
    Ok(Some(moved))
}

/// Takes what the person wrote out of the bodies that are kept because something in them could not be applied; how many items
/// that were. What other people wrote in the same body stays.
async fn forget_dead_items(txn: &Txn, core: &Core, workspace: WorkspaceId, contact: ContactId) -> Result<usize> {
    let addresses = erasing::addresses(txn, workspace, contact).await?;
    if addresses.is_empty() {
        return Ok(0);
    }
    let mut count = 0;
    for (body, places) in erasing::dead_items(txn).await? {
        let row = body.id.to_string();
        let sealer = Sealer::new(&core.keys, Purpose::Body(body.received_at));
        // A body that does not open, or is no webhook, tells nobody anything; it goes when its time is over.
        let Ok(opened) = sealer.open(body_place(&row), &body.sealed) else { continue };
        let Ok(items) = parse(&opened) else { continue };
        let theirs: Vec<_> =
            items.iter().filter(|item| places.contains(&item.index) && names(&item.raw_part, &addresses)).collect();
        if theirs.is_empty() {
            continue;
        }
        let mut text = String::from_utf8_lossy(&opened).into_owned();
        for item in &theirs {
            // Something stands in its place, so that the others keep theirs.
            text = text.replace(item.raw_part.get(), "{}");
        }
        // Names and numbers beside the messages: Meta lists the people of a change apart from what they wrote.
        if let Ok(mut value) = serde_json::from_str::<Value>(&text) {
            blank_people(&mut value, &addresses);
            text = value.to_string();
        }
        let sealed = sealer.seal(body_place(&row), text.as_bytes(), &*core.randomness)?;
        erasing::replace_body(txn, body.id, sealed).await?;
        let done: Vec<u32> = theirs.iter().map(|item| item.index).collect();
        raw::release(txn, body.id, &done).await?;
        count += theirs.len();
    }
    Ok(count)
}

/// Whether one of the addresses stands in it, as a whole text.
fn names(part: &RawValue, addresses: &BTreeSet<String>) -> bool {
    fn any(value: &Value, addresses: &BTreeSet<String>) -> bool {
        match value {
            Value::String(text) => addresses.contains(text.trim_start_matches('+')),
            Value::Array(values) => values.iter().any(|value| any(value, addresses)),
            Value::Object(fields) => fields.values().any(|value| any(value, addresses)),
            _ => false,
        }
    }
    serde_json::from_str(part.get()).is_ok_and(|value: Value| any(&value, addresses))
}

/// Empties every `contacts[]` entry that names one of the addresses.
fn blank_people(value: &mut Value, addresses: &BTreeSet<String>) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| blank_people(value, addresses)),
        Value::Object(fields) => {
            if let Some(Value::Array(people)) = fields.get_mut("contacts") {
                people.retain(|person| {
                    let texts = person.as_object().into_iter().flat_map(|fields| fields.values());
                    !texts.filter_map(Value::as_str).any(|text| addresses.contains(text.trim_start_matches('+')))
                });
            }
            fields.values_mut().for_each(|value| blank_people(value, addresses));
        }
        _ => {}
    }
}

fn blank_contact(row: &Contact) -> Contact {
    Contact { id: row.id, name: None, phone: None, username: None, blocked: row.blocked, reachable: false }
}

fn blank_message(row: &Message) -> Message {
    let content = match &row.content {
        // What colleagues did says nothing of the person, but for its detail.
        Content::System { event, .. } => Content::System { event: *event, detail: None },
        _ => Content::Text { body: MessageText::new("") },
    };
    Message { content, revoked: true, ..row.clone() }
}

fn write(path: &Path, erased: &Erased) -> Result<()> {
    let mut text = serde_json::to_string(erased).map_err(|_| Error::Damaged("the erasure journal"))?;
    text.push('\n');
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(())
}

/// The journal. A torn last line is of an erasure that was never answered; any other line that cannot be read stops the start.
fn read(path: &Path) -> Result<Vec<Erased>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut entries = Vec::new();
    for line in text.split_inclusive('\n') {
        match serde_json::from_str(line) {
            Ok(entry) => entries.push(entry),
            Err(_) if !line.ends_with('\n') => {}
            Err(_) => return Err(Error::Config(format!("{FILE} cannot be read"))),
        }
    }
    Ok(entries)
}
