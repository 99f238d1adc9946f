//! What is personal does not show in `Debug`, however deep it stands: rows, edits, answers (SECURITY.md A37).
#![allow(clippy::unwrap_used, clippy::expect_used)]

use parley_domain::contact::{Contact, Identity, Sender};
use parley_domain::content::{ChoiceKind, ContactCard, Content, Media, MediaKind, SystemEvent};
use parley_domain::permission::Role;
use parley_domain::protocol::access::{
    InvitationOffer, InviteRequest, MemberEntry, OwnAccess, RecoveryCodes, TwoFactorOffer,
};
use parley_domain::protocol::intent::Command;
use parley_domain::protocol::session::{RefreshRequest, Secret, Session, SignInRequest};
use parley_domain::workspace::{Inbox, Member};
use parley_domain::{
    AppId, Bsuid, Email, MessageText, PersonName, Phone, PhoneNumberId, Timestamp, Username, WabaId, Wamid,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const NEEDLE: &str = "needle";

fn hidden(value: &impl std::fmt::Debug) {
    let shown = format!("{value:?} {value:#?}");
    assert!(!shown.contains(NEEDLE), "{shown}");
    assert!(shown.contains("redacted"), "{shown}");
}

/// From JSON whose personal fields hold the needle.
fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

#[test]
fn no_row_and_no_edit_shows_who_or_what_it_is_about() {
    let id = "0199a7f0-0000-7000-8000-000000000001";
    let (phone, name) = (Some(Phone::new(NEEDLE)), Some(PersonName::new(NEEDLE)));
    let (bsuid, username) = (Some(Bsuid::new(NEEDLE)), Some(Username::new(NEEDLE)));
    hidden(&Sender { bsuid: bsuid.clone(), parent_bsuid: bsuid.clone(), phone: phone.clone(), username, name });
    hidden(&read::<Contact>(
        json!({ "id": id, "name": NEEDLE, "phone": NEEDLE, "username": NEEDLE, "blocked": false, "reachable": true }),
    ));
    hidden(&read::<Identity>(
        json!({ "id": id, "contact": id, "channel": "whatsapp", "scope": "s", "bsuid": NEEDLE, "parent_bsuid": NEEDLE,
                "phone": NEEDLE, "username": NEEDLE, "since": 1, "until": null }),
    ));
    hidden(&Member { id: id.parse().unwrap(), name: PersonName::new(NEEDLE), role: Role::Agent, active: true });
    hidden(&read::<Inbox>(
        json!({ "id": id, "name": "Shop", "channel": "whatsapp", "address": NEEDLE, "connected": true }),
    ));
    let text = || MessageText::new(NEEDLE);
    let media = Media {
        kind: MediaKind::Image,
        mime: None,
        caption: Some(text()),
        filename: Some(text()),
        voice: false,
        provider_id: None,
        failure: None,
    };
    let card = ContactCard { name: Some(PersonName::new(NEEDLE)), phones: vec![Phone::new(NEEDLE)], own: true };
    for content in [
        Content::Text { body: text() },
        Content::Media(media),
        Content::Location { latitude: 0.0, longitude: 0.0, name: None, address: Some(text()) },
        Content::Contacts { cards: vec![card] },
        Content::Choice { kind: ChoiceKind::List, title: text(), id: None, description: Some(text()) },
        Content::Order { catalog: None, lines: vec![], text: Some(text()) },
        Content::Template { name: "t".into(), language: "en".into(), parameters: vec![text()], body: text() },
        Content::System { event: SystemEvent::Other, detail: Some(text()) },
    ] {
        hidden(&content);
    }
    hidden(&read::<Command>(json!({ "do": "add_note", "message": id, "conversation": id, "body": NEEDLE })));
    hidden(&read::<Command>(json!({
        "do": "send_message", "message": id, "conversation": id, "content": { "type": "text", "body": NEEDLE },
        "reply_to": null, "resend_of": null, "newest_shown": null,
    })));
}

#[test]
fn no_credential_and_no_id_that_holds_a_number_shows() {
    let id = "0199a7f0-0000-7000-8000-000000000001";
    hidden(&Secret::new(NEEDLE));
    // A wamid holds the customer's number in base64; the others are hidden with it.
    hidden(&Wamid::from(NEEDLE));
    hidden(&[PhoneNumberId::from(NEEDLE)]);
    hidden(&[WabaId::from(NEEDLE)]);
    hidden(&[AppId::from(NEEDLE)]);
    hidden(&read::<SignInRequest>(
        json!({ "email": NEEDLE, "password": NEEDLE, "device": null, "device_name": "d", "code": NEEDLE }),
    ));
    hidden(&read::<RefreshRequest>(json!({ "device": id, "refresh_token": NEEDLE })));
    hidden(&read::<Session>(json!({
        "workspace": id, "workspace_name": "w", "member": id, "member_name": NEEDLE, "role": "agent", "inboxes": [],
        "device": id, "access_token": NEEDLE, "access_expires_at": 1, "refresh_token": NEEDLE, "server_time": 1,
    })));
    hidden(&InviteRequest { email: Email::new(NEEDLE), role: Role::Agent, inboxes: vec![], teams: vec![] });
    hidden(&InvitationOffer {
        workspace: "w".into(),
        email: Email::new(NEEDLE),
        role: Role::Agent,
        invited_by: PersonName::new(NEEDLE),
        expires_at: Timestamp(1),
    });
    hidden(&read::<MemberEntry>(json!({
        "id": id, "name": NEEDLE, "email": NEEDLE, "role": "agent", "active": true, "inboxes": [], "teams": [],
        "two_factor": false, "last_seen_at": null,
    })));
    hidden(&OwnAccess {
        email: Email::new(NEEDLE),
        two_factor: false,
        two_factor_required: false,
        recovery_codes_left: 0,
        stepped_up_until: None,
    });
    hidden(&TwoFactorOffer { secret: Secret::new(NEEDLE), uri: Secret::new(NEEDLE) });
    hidden(&RecoveryCodes { codes: vec![Secret::new(NEEDLE)] });
}
