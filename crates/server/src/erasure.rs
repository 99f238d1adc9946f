//! Erasing a person, and the journal that keeps a restored backup from bringing them back.
//!
//! Promise: the journal stands in the data directory, outside every backup; an entry is on the disk before the rows are touched,
//! and the whole journal is carried out each time the server opens its database, before any port opens. Carrying an entry out
//! again changes nothing. An entry holds ids and keyed hashes, no name and no address.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use parley_domain::contact::Contact;
use parley_domain::content::Content;
use parley_domain::entity::{Entity, Key, Kind};
use parley_domain::fact::Fact;
use parley_domain::limits::DEDUPE_KEPT;
use parley_domain::message::Message;
use parley_domain::{Code, ContactId, ConversationId, MessageText, Timestamp, WorkspaceId};
use serde::{Deserialize, Serialize};

use crate::app::Core;
use crate::audit::{self, Entry};
use crate::db::dump;
use crate::db::erasing::{self, Said};
use crate::db::facts;
use crate::db::rows::{self, Written};
use crate::db::sequence::{self, Moved};
use crate::db::{Txn, transaction};
use crate::error::{Error, Result};

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

/// Erases a person: name, addresses, everything said with them.
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
    let mut keys = vec![Key::new(Kind::Contact, contact)];
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
            _ => continue,
        };
        if blank != stored.entity {
            let mut row = Written::changed(blank, stored.inbox);
            row.wamid = stored.wamid;
            written.push(row);
        }
    }
    erasing::forget_identities(txn, workspace, contact).await?;
    erasing::forget_outbox(txn, workspace, contact).await?;
    if written.is_empty() {
        return Ok(None);
    }
    let mut block = sequence::take(txn, workspace, written.len(), 0).await?;
    let moved = sequence::write(txn, workspace, &mut block, written, core.now()).await?;
    let details = if told { "" } else { "again, after a restore" };
    let target = format!("contact/{contact}");
    let entry = Entry { actor: None, action: "contact.erased", target: &target, details };
    audit::record(txn, core, workspace, entry).await?;
    Ok(Some(moved))
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
