//! Contacts and the addresses under which they are known.
//!
//! The person key of WhatsApp is the BSUID; the phone may be absent (meta-platform.md §0.1, §3.3). Identities have history:
//! a rotation ends one and starts another, none is deleted.

use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::{Bsuid, ContactId, IdentityId, PersonName, Phone, Timestamp, Username};

/// A person who writes to the business.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Contact {
    pub id: ContactId,
    /// The profile name that Meta reported, or what a member wrote.
    pub name: Option<PersonName>,
    pub phone: Option<Phone>,
    pub username: Option<Username>,
    /// A member blocked this person: nothing may be sent.
    pub blocked: bool,
    /// Whether any identity can be sent to.
    pub reachable: bool,
}

/// One address of a contact on a channel, scoped to a portfolio (WhatsApp) or page.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Identity {
    pub id: IdentityId,
    pub contact: ContactId,
    pub channel: Channel,
    /// Portfolio or page within which the BSUID means something.
    pub scope: String,
    pub bsuid: Option<Bsuid>,
    pub parent_bsuid: Option<Bsuid>,
    pub phone: Option<Phone>,
    pub username: Option<Username>,
    pub since: Timestamp,
    /// Set when the person moved on to another id.
    pub until: Option<Timestamp>,
}

/// What a webhook or a response says about who somebody is; any field may be missing.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sender {
    pub bsuid: Option<Bsuid>,
    pub parent_bsuid: Option<Bsuid>,
    pub phone: Option<Phone>,
    pub username: Option<Username>,
    pub name: Option<PersonName>,
}

/// Forms of a phone number under which the same person may be stored: Brazil's ninth digit and Mexico's and Argentina's
/// mobile prefix come and go (meta-platform.md §3.3). For matching only; nothing is ever rewritten.
pub fn phone_aliases(phone: &Phone) -> Vec<String> {
    let digits = phone.digits();
    let mut forms = vec![digits.clone()];
    let mut add = |form: String| {
        if !forms.contains(&form) {
            forms.push(form);
        }
    };
    if let Some(rest) = digits.strip_prefix("55") {
        match (rest.get(..2), rest.get(2..)) {
            (Some(area), Some(local)) if local.len() == 9 && local.starts_with('9') => {
                if let Some(shorter) = local.get(1..) {
                    add(format!("55{area}{shorter}"));
                }
            }
            (Some(area), Some(local)) if local.len() == 8 => add(format!("55{area}9{local}")),
            _ => {}
        }
    }
    for (long, short) in [("521", "52"), ("549", "54")] {
        if let Some(rest) = digits.strip_prefix(long).filter(|rest| rest.len() == 10) {
            add(format!("{short}{rest}"));
        } else if let Some(rest) = digits.strip_prefix(short).filter(|rest| rest.len() == 10) {
            add(format!("{long}{rest}"));
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_match_both_ways_and_nothing_else() {
        for (a, b) in
            [("5511987654321", "551187654321"), ("5215512345678", "525512345678"), ("5491123456789", "541123456789")]
        {
            assert!(phone_aliases(&Phone::new(a)).contains(&b.to_owned()), "{a}");
            assert!(phone_aliases(&Phone::new(b)).contains(&a.to_owned()), "{b}");
        }
        assert_eq!(phone_aliases(&Phone::new("+49 151 12345678")), ["4915112345678"]);
    }
}
