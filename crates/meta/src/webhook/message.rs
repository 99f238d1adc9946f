//! One element of `messages[]` (meta-platform.md §3).

use parley_domain::contact::Sender;
use parley_domain::content::{Content, SystemEvent};
use parley_domain::{Bsuid, MessageText, Phone, Wamid};
use serde_json::Value;

use super::content;
use super::envelope::unreadable;
use super::fact::{Fact, IdentityChange, InboundContent, InboundMessage, Referral, ReferredProduct, ReplyContext};
use super::sender::Ids;
use super::status::meta_errors;
use crate::lenient;

/// Reads one message.
pub(super) fn read(message: &Value, contacts: &[Value]) -> Fact {
    let Some(wamid) = lenient::text(message, "id") else {
        return unreadable("a message has no id");
    };
    let Some(at) = lenient::moment(message, "timestamp") else {
        return unreadable("a message has no readable timestamp");
    };
    let reported_type = content::reported_type(message);
    let content = read_content(&reported_type, message);
    let mut sender = Ids::read(message, "from", "from_user_id", "from_parent_user_id").join(contacts);
    if let InboundContent::IdentityChange(change) = &content {
        complete_from_change(&mut sender, change);
    }
    if sender.bsuid.is_none() && sender.parent_bsuid.is_none() && sender.phone.is_none() {
        return unreadable("a message has no sender");
    }
    Fact::Message(InboundMessage {
        wamid: Wamid(wamid),
        reported_type,
        at,
        sender,
        content,
        context: message.get("context").filter(|context| context.is_object()).map(context),
        referral: message.get("referral").filter(|referral| referral.is_object()).map(referral),
        group: lenient::text(message, "group_id"),
        errors: meta_errors(message),
    })
}

fn read_content(kind: &str, message: &Value) -> InboundContent {
    let own = message.get(kind).unwrap_or(&Value::Null);
    let original = |key: &str| lenient::text(own, key).map(Wamid);
    let read = match kind {
        "reaction" => {
            original("message_id").map(|to| InboundContent::Reaction { to, emoji: lenient::text(own, "emoji") })
        }
        "order" => content::order(own),
        "edit" => own.get("message").zip(original("original_message_id")).and_then(|(changed, original)| {
            content::plain(&content::reported_type(changed), changed)
                .map(|content| InboundContent::Edit { original, content })
        }),
        "revoke" => original("original_message_id").map(|original| InboundContent::Revoke { original }),
        "system" => Some(system(own)),
        _ => content::plain(kind, message).map(InboundContent::Plain),
    };
    read.unwrap_or_else(|| InboundContent::Plain(Content::Unsupported { reported: content::reported(kind, message) }))
}

/// A system message: a change of identity, or a line for the timeline. Later kinds are lines.
fn system(system: &Value) -> InboundContent {
    let detail = lenient::text(system, "body").map(MessageText::new);
    let kind = match lenient::text(system, "type").as_deref() {
        // The second name is that of old Graph versions.
        Some("user_changed_number" | "customer_changed_number") => SystemEvent::NumberChanged,
        Some("user_changed_user_id") => SystemEvent::UserIdChanged,
        Some("customer_identity_changed") => SystemEvent::IdentityChanged,
        _ => return InboundContent::Plain(Content::System { event: SystemEvent::Other, detail }),
    };
    let id = |key: &str| lenient::text(system, key).map(Bsuid::new);
    let new_phone = lenient::text(system, "wa_id").or_else(|| lenient::text(system, "new_wa_id"));
    InboundContent::IdentityChange(IdentityChange {
        kind,
        wa_id: new_phone.or_else(|| lenient::text(system, "customer")).map(Phone::new),
        user_id: id("user_id"),
        parent_user_id: id("parent_user_id"),
        previous_user_id: id("previous_user_id"),
        previous_parent_user_id: id("previous_parent_user_id"),
        detail,
    })
}

/// System messages may name the person only inside (meta-platform.md §3.3): the sender is who they were until now.
fn complete_from_change(sender: &mut Sender, change: &IdentityChange) {
    if let Some(previous) = &change.previous_user_id {
        sender.bsuid = Some(previous.clone());
    }
    if let Some(previous) = &change.previous_parent_user_id {
        sender.parent_bsuid = Some(previous.clone());
    }
    if change.kind == SystemEvent::IdentityChanged {
        sender.phone = sender.phone.take().or_else(|| change.wa_id.clone());
    }
}

fn context(context: &Value) -> ReplyContext {
    let product = context.get("referred_product");
    ReplyContext {
        wamid: lenient::text(context, "id").map(Wamid),
        forwarded: lenient::flag(context, "forwarded") || lenient::flag(context, "frequently_forwarded"),
        frequently_forwarded: lenient::flag(context, "frequently_forwarded"),
        referred_product: product.and_then(|product| {
            let sku = lenient::text(product, "product_retailer_id")?;
            Some(ReferredProduct { catalog: lenient::text(product, "catalog_id"), sku })
        }),
    }
}

fn referral(referral: &Value) -> Referral {
    let text = |key: &str| lenient::text(referral, key);
    Referral {
        source_type: text("source_type"),
        source_id: text("source_id"),
        source_url: text("source_url"),
        headline: text("headline").map(MessageText::new),
        body: text("body").map(MessageText::new),
        media_type: text("media_type"),
        media_url: text("image_url").or_else(|| text("video_url")),
        thumbnail_url: text("thumbnail_url"),
        ctwa_clid: text("ctwa_clid"),
        welcome: referral
            .get("welcome_message")
            .and_then(|welcome| lenient::text(welcome, "text"))
            .map(MessageText::new),
    }
}
