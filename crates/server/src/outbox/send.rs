//! One message to Meta: the gate once more, then one call.

use parley_domain::contact::Identity;
use parley_domain::content::Content;
use parley_domain::entity::{Entity, Key, Kind, RowSet};
use parley_domain::gate::{Gate, may_send};
use parley_domain::message::Message;
use parley_domain::planted::{Bug, planted};
use parley_domain::protocol::session::Secret;
use parley_domain::{Code, InboxId, MessageId, Wamid, WorkspaceId};
use parley_meta::ErrorClass;
use parley_meta::graph::{
    MediaSource, OutboundContent, OutboundMessage, Recipient, TemplateComponent, TemplateParameter,
};

use super::Sent;
use crate::app::Core;
use crate::apply::status::opaque;
use crate::db::outbox::Entry;
use crate::db::{admin, applying, rows};
use crate::envelope;
use crate::error::{Error, Result};
use crate::leaving::{Kept, Leaving, SubProcessor};

/// Sends one message that this node has in hand.
pub(super) async fn send(core: &Core, entry: &Entry) -> Sent {
    match prepare(core, entry).await {
        Ok(Ok(ready)) => call(core, entry, ready).await,
        Ok(Err(code)) => Sent::Rejected { code, meta_code: None },
        Err(error) => {
            // Nothing went out: the message goes back into its lane.
            tracing::error!(%error, message = %entry.message, "a message could not be prepared");
            Sent::NotSent { after: None, code: Code::ServerFailed }
        }
    }
}

struct Ready {
    connection: admin::Connection,
    token: Secret,
    outbound: OutboundMessage,
}

async fn prepare(core: &Core, entry: &Entry) -> Result<std::result::Result<Ready, Code>> {
    let workspace = entry.workspace;
    let keys = [
        Key::new(Kind::Inbox, entry.inbox),
        Key::new(Kind::Contact, entry.contact),
        Key::new(Kind::Conversation, entry.conversation),
        Key::new(Kind::Message, entry.message),
    ];
    let mut set = RowSet::default();
    for stored in rows::load(core.db.reader(), workspace, keys, false).await? {
        set.put(stored.entity);
    }
    let (Some(inbox), Some(contact), Some(conversation), Some(message)) = (
        set.inbox(entry.inbox),
        set.contact(entry.contact),
        set.conversation(entry.conversation),
        set.message(entry.message),
    ) else {
        return Err(Error::Damaged("outbox"));
    };
    if let Err(code) = may_send(Gate { conversation, contact, inbox, now: core.now() }, &message.content) {
        return Ok(Err(code));
    }
    let connection =
        admin::connection(core.db.reader(), workspace, entry.inbox).await?.ok_or(Error::Damaged("inbox"))?;
    let identities =
        applying::identities_of(core.db.reader(), workspace, entry.contact, connection.waba.as_str()).await?;
    let Some(to) = recipient(&identities) else {
        return Ok(Err(Code::NoAddress));
    };
    let context = wamid_of(core, workspace, entry.inbox, message.reply_to).await?;
    let content = match outbound(core, workspace, entry.inbox, message).await? {
        Some(content) => content,
        None => return Ok(Err(Code::UnsupportedContent)),
    };
    let token = envelope::inbox_token(core, workspace, entry.inbox, &connection).await?;
    let outbound = OutboundMessage { to, content, context, opaque: opaque(entry.message) };
    Ok(Ok(Ready { connection, token, outbound }))
}

/// The newest address: the phone where it is known, else the BSUID, whole.
fn recipient(identities: &[Identity]) -> Option<Recipient> {
    let current = || identities.iter().filter(|identity| identity.until.is_none());
    let phone = current().find_map(|identity| identity.phone.clone()).map(Recipient::Phone);
    phone.or_else(|| current().find_map(|identity| identity.bsuid.clone()).map(Recipient::Bsuid))
}

async fn wamid_of(
    core: &Core,
    workspace: WorkspaceId,
    inbox: InboxId,
    message: Option<MessageId>,
) -> Result<Option<Wamid>> {
    let Some(message) = message else { return Ok(None) };
    let found = rows::load(core.db.reader(), workspace, [Key::new(Kind::Message, message)], false).await?;
    Ok(found.into_iter().find(|stored| stored.inbox == Some(inbox)).and_then(|stored| stored.wamid))
}

async fn outbound(
    core: &Core,
    workspace: WorkspaceId,
    inbox: InboxId,
    message: &Message,
) -> Result<Option<OutboundContent>> {
    Ok(match &message.content {
        Content::Text { body } => Some(OutboundContent::Text { body: body.clone(), preview_url: false }),
        Content::Template { name, language, parameters, .. } => {
            let parameters: Vec<_> =
                parameters.iter().map(|text| TemplateParameter::Text { name: None, text: text.clone() }).collect();
            let components = if parameters.is_empty() { Vec::new() } else { vec![TemplateComponent::Body(parameters)] };
            Some(OutboundContent::Template { name: name.clone(), language: language.clone(), components })
        }
        Content::Media(media) => media.provider_id.clone().map(|id| OutboundContent::Media {
            kind: media.kind,
            source: MediaSource::Id(id),
            caption: media.caption.clone(),
            filename: media.filename.clone(),
            voice: media.voice,
        }),
        Content::Reaction { to, emoji } => wamid_of(core, workspace, inbox, *to)
            .await?
            .map(|wamid| OutboundContent::Reaction { wamid, emoji: emoji.clone() }),
        _ => None,
    })
}

async fn call(core: &Core, entry: &Entry, ready: Ready) -> Sent {
    let base = ready.connection.graph_url.as_deref().unwrap_or(&core.config.graph_url);
    let client = match core.egress.graph(base) {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(%error, inbox = %entry.inbox, "the inbox has no usable Graph address");
            return Sent::Rejected { code: Code::InboxUnavailable, meta_code: None };
        }
    };
    // Right before the write: is it still ours?
    if entry.lease_until.is_none_or(|until| core.now() >= until) {
        return Sent::LeaseOver;
    }
    let leaving = Leaving {
        to: SubProcessor::Meta,
        workspace: Some(entry.workspace),
        purpose: "send",
        fields: "phone_number_id,to,content,context,biz_opaque_callback_data",
    };
    match core.leaving.pass(leaving, ready.outbound.to_json().to_string().len(), core.now()) {
        Ok(()) => {}
        Err(Kept::Used { until }) => {
            return Sent::NotSent { after: Some(until.since(core.now())), code: Code::RateLimited };
        }
        Err(Kept::Off | Kept::Purpose) => {
            return Sent::Rejected { code: Code::InboxUnavailable, meta_code: None };
        }
    }
    match client.send(&ready.connection.phone_number_id, &ready.token, &ready.outbound).await {
        Ok(accepted) => Sent::Accepted { wamid: accepted.wamid, held: accepted.held },
        Err(error) => {
            tracing::warn!(
                message = %entry.message, class = ?error.class, code = error.code, subcode = error.subcode,
                trace = error.fbtrace_id.as_deref(), "Meta did not simply take a message"
            );
            match error.class {
                ErrorClass::Unknown if planted(Bug::RetryOnTimeout) => {
                    Sent::NotSent { after: None, code: error.code() }
                }
                ErrorClass::Unknown => Sent::Unknown,
                ErrorClass::Transient => {
                    let after = error.retry_after.and_then(|after| i64::try_from(after).ok());
                    Sent::NotSent { after, code: error.code() }
                }
                ErrorClass::RateLimited { after_ms } => {
                    Sent::NotSent { after: i64::try_from(after_ms).ok(), code: error.code() }
                }
                ErrorClass::Auth | ErrorClass::WindowClosed | ErrorClass::Rejected => {
                    Sent::Rejected { code: error.code(), meta_code: error.code }
                }
            }
        }
    }
}

/// The message of a stored row.
pub(super) fn message_of(entity: Entity) -> Option<Message> {
    match entity {
        Entity::Message(message) => Some(message),
        _ => None,
    }
}
