//! One item as one line, with everything it says.

use parley_domain::contact::Sender;
use parley_domain::content::{ChoiceKind, Content, Media, MediaKind, SystemEvent};
use parley_domain::{Bsuid, MessageText, Phone, Timestamp};
use parley_meta::webhook::{Fact, InboundContent, InboundMessage, Item, MetaError, ReportedState, StatusUpdate};

pub fn of(item: &Item) -> String {
    match &item.fact {
        Fact::Message(message) => of_message(message),
        Fact::Status(status) => of_status(status),
        Fact::Management { field } => format!("management {field}"),
        Fact::Error(error) => format!("error {} {}", error.code, error.title.as_deref().unwrap_or("-")),
        Fact::Unreadable { reason } => format!("unreadable: {reason}"),
    }
}

fn of_message(message: &InboundMessage) -> String {
    let mut line = format!(
        "message {} {} {} from {}: {}",
        message.reported_type,
        message.wamid.as_str(),
        seconds(message.at),
        person(&message.sender),
        of_content(&message.content)
    );
    let mut add = |part: String| line.push_str(&format!(" {part}"));
    if let Some(context) = &message.context {
        context.wamid.iter().for_each(|wamid| add(format!("reply={}", wamid.as_str())));
        if let Some(product) = &context.referred_product {
            add(format!("product={}/{}", product.catalog.as_deref().unwrap_or("-"), product.sku));
        }
        if context.forwarded {
            add("forwarded".to_owned());
        }
        if context.frequently_forwarded {
            add("often".to_owned());
        }
    }
    if let Some(from) = &message.referral {
        let part = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let media = part(&from.media_url);
        add(format!("from-ad={}:{}:{}:{media}", part(&from.source_type), part(&from.source_id), part(&from.ctwa_clid)));
        assert!(from.source_url.is_some() && from.headline.is_some() && from.body.is_some());
    }
    message.group.iter().for_each(|group| add(format!("group={group}")));
    errors(&message.errors).into_iter().for_each(add);
    line
}

fn of_status(status: &StatusUpdate) -> String {
    let state = match &status.state {
        ReportedState::Other(word) => format!("other:{word}"),
        known => known.as_str().to_owned(),
    };
    assert_eq!(status.recipient_user_id, status.recipient.bsuid);
    assert_eq!(status.recipient_phone, status.recipient.phone);
    let mut line = format!("status {state} {} {} to", status.wamid.as_str(), seconds(status.at));
    let mut add = |part: String| line.push_str(&format!(" {part}"));
    Some(person(&status.recipient)).filter(|person| !person.is_empty()).into_iter().for_each(&mut add);
    status.group.iter().for_each(|group| add(format!("group={group}")));
    status.opaque.iter().for_each(|opaque| add(format!("opaque={opaque}")));
    errors(&status.errors).into_iter().for_each(&mut add);
    if let Some(pricing) = &status.pricing {
        let part = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let billable = pricing.billable.map_or_else(|| "-".to_owned(), |billable| billable.to_string());
        add(format!("price={}/{}/{billable}", part(&pricing.category), part(&pricing.kind)));
    }
    line
}

fn of_content(content: &InboundContent) -> String {
    match content {
        InboundContent::Plain(content) => plain(content),
        InboundContent::Reaction { to, emoji } => {
            format!("reaction {} on {}", emoji.as_deref().unwrap_or("removed"), to.as_str())
        }
        InboundContent::Order { catalog, lines, text } => {
            let mut line = format!("order {}", catalog.as_deref().unwrap_or("-"));
            for item in lines {
                line.push_str(&format!(" [{} {}x{} {}]", item.sku, item.quantity, item.price_minor, item.currency));
            }
            line + &text.as_ref().map(|text| format!(" {}", quoted(text))).unwrap_or_default()
        }
        InboundContent::Edit { original, content } => format!("edit of {} to {}", original.as_str(), plain(content)),
        InboundContent::Revoke { original } => format!("revoke of {}", original.as_str()),
        InboundContent::IdentityChange(change) => {
            let kind = match change.kind {
                SystemEvent::NumberChanged => "number_changed",
                SystemEvent::UserIdChanged => "user_id_changed",
                SystemEvent::IdentityChanged => "identity_changed",
                _ => "wrong kind",
            };
            assert!(change.detail.is_some());
            let to = ids(change.wa_id.as_ref(), change.user_id.as_ref(), change.parent_user_id.as_ref());
            let was = ids(None, change.previous_user_id.as_ref(), change.previous_parent_user_id.as_ref());
            let was = if was.is_empty() { was } else { format!(" was {was}") };
            format!("{kind} to {to}{was}")
        }
    }
}

fn plain(content: &Content) -> String {
    match content {
        Content::Text { body } if body.expose().chars().count() > 200 => {
            format!("text {} chars", body.expose().chars().count())
        }
        Content::Text { body } => format!("text {}", quoted(body)),
        Content::Media(media) => of_media(media),
        Content::Location { latitude, longitude, name, address } => {
            let mut line = format!("location {latitude},{longitude}");
            name.iter().for_each(|name| line.push_str(&format!(" {name}")));
            address.iter().for_each(|address| line.push_str(&format!(" {}", quoted(address))));
            line
        }
        Content::Contacts { cards } => {
            let mut line = "contacts".to_owned();
            for card in cards {
                let phones: Vec<_> = card.phones.iter().map(Phone::expose).collect();
                let name = card.name.as_ref().map_or("-", |name| name.expose());
                line.push_str(&format!("{} [{name}: {}]", if card.own { " own" } else { "" }, phones.join(", ")));
            }
            line
        }
        Content::Choice { kind, title, id, description } => {
            let kind = match kind {
                ChoiceKind::Button => "button",
                ChoiceKind::List => "list",
                ChoiceKind::Flow => "flow",
                ChoiceKind::CallPermission => "call",
                ChoiceKind::Other => "other",
            };
            let mut line = format!("choice {kind} {}", quoted(title));
            id.iter().for_each(|id| line.push_str(&format!(" id={id}")));
            description.iter().for_each(|more| line.push_str(&format!(" more={}", more.expose())));
            line
        }
        Content::System { event: SystemEvent::Other, detail } => {
            format!("system {}", detail.as_ref().map(quoted).unwrap_or_default())
        }
        Content::Welcome => "welcome".to_owned(),
        Content::Unsupported { reported } => format!("unsupported {reported}"),
        other => format!("not expected from a webhook: {other:?}"),
    }
}

fn of_media(media: &Media) -> String {
    let kind = match media.kind {
        MediaKind::Image => "image",
        MediaKind::Video => "video",
        MediaKind::Audio => "audio",
        MediaKind::Document => "document",
        MediaKind::Sticker => "sticker",
    };
    let parts = [
        media.provider_id.as_ref().map(|id| format!("id={id}")),
        media.mime.as_ref().map(|mime| format!("mime={mime}")),
        media.caption.as_ref().map(|caption| format!("caption={}", quoted(caption))),
        media.filename.as_ref().map(|name| format!("file={}", quoted(name))),
        media.voice.then(|| "voice".to_owned()),
        media.failure.map(|code| format!("failure={code}")),
    ];
    parts.into_iter().flatten().fold(kind.to_owned(), |line, part| format!("{line} {part}"))
}

fn errors(errors: &[MetaError]) -> Vec<String> {
    errors.iter().map(|error| format!("err={}", error.code)).collect()
}

fn person(person: &Sender) -> String {
    let mut line = ids(person.phone.as_ref(), person.bsuid.as_ref(), person.parent_bsuid.as_ref());
    person.username.iter().for_each(|username| line.push_str(&format!(" {}", username.expose())));
    person.name.iter().for_each(|name| line.push_str(&format!(" \"{}\"", name.expose())));
    line
}

fn ids(phone: Option<&Phone>, bsuid: Option<&Bsuid>, parent: Option<&Bsuid>) -> String {
    let parts = [
        phone.map(|phone| phone.expose().to_owned()),
        bsuid.map(|id| id.expose().to_owned()),
        parent.map(|id| format!("^{}", id.expose())),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn quoted(text: &MessageText) -> String {
    format!("\"{}\"", text.expose().replace('\n', "\\n").replace('\u{200f}', "\\u{200f}"))
}

fn seconds(at: Timestamp) -> String {
    assert_eq!(at.0 % 1_000, 0, "WhatsApp's times have whole seconds");
    format!("@{}", at.0 / 1_000)
}
