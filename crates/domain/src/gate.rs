//! The send gate: one function that allows a message or names the rule that forbids it. The composer asks it before typing
//! is wasted; the server asks it again under the lock, right before it stores the message, and once more before it sends.
//! Nothing is sent to a customer by another way.

use crate::contact::Contact;
use crate::content::Content;
use crate::conversation::Conversation;
use crate::limits::WHATSAPP_TEXT_MAX;
use crate::window::{Window, service_window};
use crate::workspace::Inbox;
use crate::{Code, Timestamp};

/// What the gate looks at.
#[derive(Clone, Copy, Debug)]
pub struct Gate<'a> {
    pub conversation: &'a Conversation,
    pub contact: &'a Contact,
    pub inbox: &'a Inbox,
    pub now: Timestamp,
}

/// Checks everything but the content: what the composer shows before anything is typed.
pub fn may_write(gate: Gate<'_>) -> Result<(), Code> {
    may_address(gate)?;
    match service_window(gate.conversation, gate.now) {
        Window::Open { .. } => Ok(()),
        Window::Closed { .. } => Err(Code::WindowClosed),
        Window::NeverOpened => Err(Code::WindowNeverOpened),
    }
}

/// Whether this content may go to this contact now.
pub fn may_send(gate: Gate<'_>, content: &Content) -> Result<(), Code> {
    match content {
        Content::Template { .. } => may_address(gate),
        Content::Text { body } => {
            may_write(gate)?;
            if body.expose().trim().is_empty() {
                return Err(Code::EmptyMessage);
            }
            if body.expose().chars().count() > WHATSAPP_TEXT_MAX {
                return Err(Code::TextTooLong);
            }
            Ok(())
        }
        Content::Media(_) | Content::Location { .. } | Content::Contacts { .. } | Content::Reaction { .. } => {
            may_write(gate)
        }
        _ => Err(Code::UnsupportedContent),
    }
}

fn may_address(gate: Gate<'_>) -> Result<(), Code> {
    if !gate.inbox.connected {
        return Err(Code::InboxUnavailable);
    }
    if gate.contact.blocked {
        return Err(Code::ContactBlocked);
    }
    if !gate.contact.reachable {
        return Err(Code::NoAddress);
    }
    Ok(())
}
