//! Hiding phone numbers from agents where the workspace wants it: on the way out, so that no byte of them reaches the desk.
//!
//! What is hidden: the number of a contact, a name or username that consists of it, the numbers on contact cards, and Meta's
//! own words about a changed number. What a customer writes into a message is the customer's and stays.

use parley_domain::contact::Contact;
use parley_domain::content::{Content, SystemEvent};
use parley_domain::entity::Entity;

use crate::session::WorkspaceCtx;

/// The contact as this member may have it.
pub fn masked_contact(mut contact: Contact, ctx: &WorkspaceCtx) -> Contact {
    if ctx.hides_phones() {
        contact_without_phone(&mut contact);
    }
    contact
}

/// The row as this member may have it.
pub fn masked(mut entity: Entity, ctx: &WorkspaceCtx) -> Entity {
    if ctx.hides_phones() {
        match &mut entity {
            Entity::Contact(contact) => contact_without_phone(contact),
            Entity::Message(message) => content_without_phone(&mut message.content),
            _ => {}
        }
    }
    entity
}

fn contact_without_phone(contact: &mut Contact) {
    let Some(phone) = contact.phone.take() else { return };
    let digits = phone.digits();
    let tells = |text: &str| {
        let own: String = text.chars().filter(char::is_ascii_digit).collect();
        own.len() >= 6 && (digits.contains(&own) || own.contains(&digits))
    };
    if contact.name.as_ref().is_some_and(|name| tells(name.expose())) {
        contact.name = None;
    }
    if contact.username.as_ref().is_some_and(|name| tells(name.expose())) {
        contact.username = None;
    }
}

fn content_without_phone(content: &mut Content) {
    match content {
        Content::Contacts { cards } => {
            for card in cards {
                card.phones.clear();
            }
        }
        Content::System {
            event:
                SystemEvent::NumberChanged | SystemEvent::UserIdChanged | SystemEvent::IdentityChanged | SystemEvent::Other,
            detail,
        } => *detail = None,
        _ => {}
    }
}
