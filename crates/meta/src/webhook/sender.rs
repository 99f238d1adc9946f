//! Who a message is from and a status is about: the ids on the element, joined with `contacts[]` by id, never by place
//! (meta-platform.md §3, §3.3).

use parley_domain::contact::{Sender, phone_aliases};
use parley_domain::{Bsuid, PersonName, Phone, Username};
use serde_json::Value;

use crate::lenient;

/// The ids that an element carries itself, under the names that this kind of element uses.
pub(super) struct Ids {
    pub phone: Option<Phone>,
    pub bsuid: Option<Bsuid>,
    pub parent: Option<Bsuid>,
}

impl Ids {
    /// Reads the ids. A user id that stands where a phone should is taken as what it is: through a phone normaliser it
    /// would become somebody else's number.
    pub fn read(element: &Value, phone: &str, bsuid: &str, parent: &str) -> Self {
        let mut ids = Self {
            phone: None,
            bsuid: lenient::text(element, bsuid).map(Bsuid::new),
            parent: lenient::text(element, parent).map(Bsuid::new),
        };
        match lenient::text(element, phone) {
            Some(text) if is_phone(&text) => ids.phone = Some(Phone::new(text)),
            Some(text) if Bsuid::new(text.as_str()).is_well_formed() => {
                ids.bsuid.get_or_insert(Bsuid::new(text));
            }
            _ => {}
        }
        ids
    }

    /// Whether there is no id at all.
    pub fn none(&self) -> bool {
        self.phone.is_none() && self.bsuid.is_none() && self.parent.is_none()
    }

    /// The person, with what the matching contact adds. A lone contact stands for an element without any id.
    pub fn join(self, contacts: &[Value]) -> Sender {
        let contact = match contacts {
            [only] if self.none() => Some(only),
            _ => contacts.iter().find(|contact| self.matches(contact)),
        };
        let mut sender =
            Sender { bsuid: self.bsuid, parent_bsuid: self.parent, phone: self.phone, username: None, name: None };
        if let Some(contact) = contact {
            let known = Self::read(contact, "wa_id", "user_id", "parent_user_id");
            sender.bsuid = sender.bsuid.or(known.bsuid);
            sender.parent_bsuid = sender.parent_bsuid.or(known.parent);
            sender.phone = sender.phone.or(known.phone);
            if let Some(profile) = contact.get("profile") {
                sender.name = lenient::text(profile, "name").map(PersonName::new);
                sender.username = lenient::text(profile, "username").map(Username::new);
            }
        }
        sender
    }

    /// The strongest id that both sides have decides.
    fn matches(&self, contact: &Value) -> bool {
        let known = Self::read(contact, "wa_id", "user_id", "parent_user_id");
        if let (Some(ours), Some(theirs)) = (&self.bsuid, &known.bsuid) {
            return ours == theirs;
        }
        if let (Some(ours), Some(theirs)) = (&self.parent, &known.parent) {
            return ours == theirs;
        }
        match (&self.phone, &known.phone) {
            (Some(ours), Some(theirs)) => phone_aliases(ours).contains(&theirs.digits()),
            _ => false,
        }
    }
}

/// Digits with the usual punctuation and nothing else.
fn is_phone(text: &str) -> bool {
    text.chars().any(|c| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | ' ' | '-' | '(' | ')' | '.'))
}
