//! A customer as a test or a story holds them: they write, order, press, read.
//!
//! Promise: each action is one webhook event, queued before the call returns; the returned wamid is the one that the event carries.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::event::What;
use crate::ledger::LedgerEntry;
use crate::media::Medium;
use crate::picture;
use crate::platform::{Inbound, Person, Platform};
use crate::{ids, send};

/// One line of an order (`meta-platform.md` §14): the price is what the customer saw, in units of the currency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderItem {
    /// The business's SKU.
    pub product_retailer_id: String,
    /// Pieces.
    pub quantity: u32,
    /// Price of one piece; Meta sends a number, sometimes a string.
    pub item_price: Value,
    /// ISO 4217.
    pub currency: String,
}

impl OrderItem {
    /// An item with a whole-number price.
    #[must_use]
    pub fn new(sku: &str, quantity: u32, item_price: i64, currency: &str) -> Self {
        Self { product_retailer_id: sku.into(), quantity, item_price: json!(item_price), currency: currency.into() }
    }
}

/// A handle on a customer, writing to one business number.
#[derive(Debug, Clone)]
pub struct Customer {
    platform: Arc<Platform>,
    person: usize,
    number: usize,
}

impl Customer {
    /// Finds the same person (same name, phone and username) or makes them.
    pub(crate) fn known_or_new(
        platform: &Arc<Platform>,
        country: Option<&str>,
        name: &str,
        phone: Option<&str>,
        username: Option<&str>,
    ) -> Self {
        let digits = phone.map(|phone| phone.chars().filter(char::is_ascii_digit).collect::<String>());
        let username = username.map(|name| if name.starts_with('@') { name.to_owned() } else { format!("@{name}") });
        let mut state = platform.lock();
        let known =
            state.people.iter().position(|one| one.name == name && one.phone == digits && one.username == username);
        let person = known.unwrap_or(state.people.len());
        if known.is_none() {
            let country =
                country.unwrap_or_else(|| digits.as_deref().map_or("US", |digits| ids::calling_code(digits).1));
            let user_id = ids::bsuid(platform.config.seed, country, person);
            state.people.push(Person {
                user_id,
                name: name.to_owned(),
                phone: digits,
                username,
                online: true,
                reads_at_once: true,
                blocked_us: false,
                last_inbound: Default::default(),
                phone_used: Default::default(),
                waiting: Vec::new(),
            });
        }
        drop(state);
        Self { platform: Arc::clone(platform), person, number: 0 }
    }

    pub(crate) fn at(platform: &Arc<Platform>, person: usize) -> Self {
        Self { platform: Arc::clone(platform), person, number: 0 }
    }

    fn person<T>(&self, look: impl FnOnce(&mut Person) -> T) -> Option<T> {
        self.platform.lock().people.get_mut(self.person).map(look)
    }

    /// The business-scoped user id.
    #[must_use]
    pub fn user_id(&self) -> String {
        self.person(|person| person.user_id.clone()).unwrap_or_default()
    }

    /// The profile name.
    #[must_use]
    pub fn name(&self) -> String {
        self.person(|person| person.name.clone()).unwrap_or_default()
    }

    /// The phone with its plus, whether or not webhooks show it.
    #[must_use]
    pub fn phone(&self) -> Option<String> {
        self.person(|person| person.phone.as_ref().map(|digits| format!("+{digits}"))).flatten()
    }

    /// The same person, writing to another business number; to the first one if there is no such number.
    #[must_use]
    pub fn writing_to(&self, phone_number_id: &str) -> Self {
        Self { number: self.platform.number(phone_number_id).unwrap_or(0), ..self.clone() }
    }

    /// Writes a text.
    pub fn says(&self, text: &str) -> String {
        self.sends("text", json!({"body": text}), None)
    }

    /// Answers a message of the business (or an own one), quoting it.
    pub fn replies_to(&self, wamid: &str, text: &str) -> String {
        self.sends("text", json!({"body": text}), Some(wamid))
    }

    /// Sends a cart.
    pub fn orders(&self, catalog_id: &str, items: &[OrderItem], text: &str) -> String {
        self.sends("order", json!({"catalog_id": catalog_id, "text": text, "product_items": items}), None)
    }

    /// Sends a picture that can be downloaded from the platform.
    pub fn sends_image(&self, caption: Option<&str>) -> String {
        let tint = self.platform.lock().inbound.len() as u64 + self.person as u64;
        let mut object = self.media_object(picture::lamp(tint), "image/png");
        if let Some(caption) = caption {
            object["caption"] = json!(caption);
        }
        self.sends("image", object, None)
    }

    /// Sends a file.
    pub fn sends_document(&self, filename: &str, mime: &str, bytes: Vec<u8>) -> String {
        let mut object = self.media_object(bytes, mime);
        object["filename"] = json!(filename);
        self.sends("document", object, None)
    }

    fn media_object(&self, bytes: Vec<u8>, mime: &str) -> Value {
        let now = self.platform.now();
        let mut guard = self.platform.lock();
        let state = &mut *guard;
        let id = state.mint.number_id();
        let mut medium = Medium::inbound(bytes, mime, now);
        let url = medium.url(&mut state.mint, &self.platform.base_url, &id, now);
        let object = json!({"mime_type": mime, "sha256": medium.sha256(), "id": id, "url": url});
        state.media.insert(id, medium);
        object
    }

    /// Shares a place.
    pub fn shares_location(&self, latitude: f64, longitude: f64, name: Option<&str>) -> String {
        let mut object = json!({"latitude": latitude, "longitude": longitude});
        if let Some(name) = name {
            object["name"] = json!(name);
        }
        self.sends("location", object, None)
    }

    /// Reacts to a message; an empty emoji takes the reaction back.
    pub fn reacts(&self, wamid: &str, emoji: &str) -> String {
        let mut object = json!({"message_id": wamid});
        if !emoji.is_empty() {
            object["emoji"] = json!(emoji);
        }
        self.sends("reaction", object, None)
    }

    /// Presses a reply button of an interactive message.
    pub fn presses_button(&self, wamid: &str, id: &str, title: &str) -> String {
        self.sends(
            "interactive",
            json!({"type": "button_reply", "button_reply": {"id": id, "title": title}}),
            Some(wamid),
        )
    }

    /// Chooses a row of a list message.
    pub fn picks_row(&self, wamid: &str, id: &str, title: &str) -> String {
        self.sends("interactive", json!({"type": "list_reply", "list_reply": {"id": id, "title": title}}), Some(wamid))
    }

    /// Presses a template's quick reply.
    pub fn taps_quick_reply(&self, wamid: &str, payload: &str, text: &str) -> String {
        self.sends("button", json!({"payload": payload, "text": text}), Some(wamid))
    }

    /// Sends a message of any type, known or not, with its object and perhaps a quoted message.
    /// Everything but a reaction opens the service window.
    pub fn sends(&self, kind: &str, object: Value, quoting: Option<&str>) -> String {
        let now = self.platform.now();
        let digits =
            self.platform.config.numbers.get(self.number).map(crate::config::Number::digits).unwrap_or_default();
        let mut state = self.platform.lock();
        let wamid = state.mint.wamid();
        let Some(person) = state.people.get_mut(self.person) else { return wamid };
        if kind != "reaction" {
            person.last_inbound.insert(self.number, now);
        }
        let own_words = quoting.is_some_and(|quoted| state.inbound.contains_key(quoted));
        let Some(person) = state.people.get(self.person) else { return wamid };
        let identity = person.identity(self.number, now);
        let context = quoting.map(|quoted| {
            let from = if own_words { identity.phone.unwrap_or_default() } else { digits.as_str() };
            json!({"from": from, "id": quoted})
        });
        let message = identity.message(&wamid, now, kind, object, context);
        let what = What::Message { contact: Some(identity.contact()), message };
        self.platform.raise(&state, self.number, what);
        state.inbound.insert(wamid.clone(), Inbound { number: self.number, person: self.person });
        wamid
    }

    /// Gets a new phone and with it a new user id; a system message tells (`meta-platform.md` §3.3). Returns its wamid.
    pub fn changes_number(&self, phone: &str) -> String {
        let now = self.platform.now();
        let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
        let mut state = self.platform.lock();
        let wamid = state.mint.wamid();
        // A place that no customer has: rotated ids come from the far end of the seed's people.
        let user_id =
            ids::bsuid(self.platform.config.seed, ids::calling_code(&digits).1, 1_000_000 + state.inbound.len());
        let Some(person) = state.people.get_mut(self.person) else { return wamid };
        let previous = std::mem::replace(&mut person.user_id, user_id.clone());
        let old_phone = person.phone.replace(digits.clone());
        let system = json!({
            "body": format!("{} changed from {} to {digits}", person.name, old_phone.as_deref().unwrap_or("a hidden number")),
            "wa_id": digits, "user_id": user_id, "previous_user_id": previous, "type": "user_changed_number",
        });
        let mut message = json!({"id": wamid, "timestamp": (now / 1000).to_string(), "type": "system", "system": system, "from_user_id": previous});
        if let Some(old_phone) = old_phone {
            message["from"] = json!(old_phone);
        }
        self.platform.raise(&state, self.number, What::Message { contact: None, message });
        state.inbound.insert(wamid.clone(), Inbound { number: self.number, person: self.person });
        wamid
    }

    /// Reads a message of the business now; false if there is no such message or it was read before.
    pub fn reads(&self, wamid: &str) -> bool {
        let mut state = self.platform.lock();
        let theirs = state.outbound.get(wamid).is_some_and(|outbound| outbound.person == Some(self.person));
        theirs && send::read(&self.platform, &mut state, wamid, true)
    }

    /// Goes offline, or comes back and receives what waited.
    pub fn online(&self, on: bool) {
        let mut state = self.platform.lock();
        let Some(person) = state.people.get_mut(self.person) else { return };
        person.online = on;
        if on {
            for wamid in std::mem::take(&mut person.waiting) {
                if send::delivered(&self.platform, &mut state, &wamid) {
                    send::read(&self.platform, &mut state, &wamid, false);
                }
            }
        }
    }

    /// Whether messages are read as soon as they are delivered (the default).
    pub fn reads_at_once(&self, on: bool) {
        self.person(|person| person.reads_at_once = on);
    }

    /// Blocks the business, or lets it in again: sends to them fail with 131026.
    pub fn blocks(&self, on: bool) {
        self.person(|person| person.blocked_us = on);
    }

    /// What reached this person, in the order of acceptance.
    #[must_use]
    pub fn received(&self) -> Vec<LedgerEntry> {
        let state = self.platform.lock();
        let reached = |entry: &&LedgerEntry| {
            state
                .outbound
                .get(&entry.wamid)
                .is_some_and(|outbound| outbound.person == Some(self.person) && outbound.delivered)
        };
        state.ledger.entries().iter().filter(reached).cloned().collect()
    }
}

impl Customer {
    /// Waits until more than `seen` messages were accepted for this person and delivered, or will be when they come online.
    pub(crate) async fn received_more_than(&self, seen: usize) {
        let mut accepted = self.platform.accepted.subscribe();
        // The sender lives in the platform that self holds: only the condition ends this.
        accepted.borrow_and_update();
        while self.addressed() <= seen {
            if accepted.changed().await.is_err() {
                return;
            }
        }
    }

    /// Accepted messages for this person that do not fail.
    pub(crate) fn addressed(&self) -> usize {
        let state = self.platform.lock();
        state
            .outbound
            .values()
            .filter(|outbound| outbound.person == Some(self.person) && outbound.fails_with.is_none())
            .count()
    }
}
