//! Makes webhook bodies out of events: batches, repeats, new orders and delays (`meta-platform.md` §1.3).
//!
//! Promise: a pure function of the randomness, the plan and the events. No event is lost; each is in at least one body.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::config::{FaultPlan, SimConfig};
use crate::event::{Event, What};

/// A body to be posted.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The JSON.
    pub body: Value,
    /// How long to hold it back first.
    pub delay_ms: u64,
}

/// True in `permille` of a thousand cases. Draws nothing for zero, so that an unused fault changes no other.
pub fn chance(rng: &mut ChaCha8Rng, permille: u32) -> bool {
    permille > 0 && rng.random_range(0..1000) < permille
}

/// Puts events into bodies.
pub fn plan(rng: &mut ChaCha8Rng, faults: &FaultPlan, config: &SimConfig, events: Vec<Event>) -> Vec<Planned> {
    let mut events = repeated(rng, faults.duplicate_permille / 2, events);
    shuffled(rng, faults.reorder_permille, &mut events);
    let mut bodies = Vec::new();
    let mut rest = events.as_slice();
    while !rest.is_empty() {
        let size = if faults.batch_max > 1 && chance(rng, faults.batch_permille) {
            rng.random_range(2..=faults.batch_max)
        } else {
            1
        };
        let (group, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        bodies.push(Planned { body: body(rng, config, group), delay_ms: 0 });
    }
    let mut bodies = repeated(rng, faults.duplicate_permille.div_ceil(2), bodies);
    for one in &mut bodies {
        if faults.delay_ms > 0 && chance(rng, faults.delay_permille) {
            one.delay_ms = rng.random_range(1..=faults.delay_ms);
        }
    }
    bodies
}

fn repeated<T: Clone>(rng: &mut ChaCha8Rng, permille: u32, items: Vec<T>) -> Vec<T> {
    let mut out: Vec<T> = Vec::with_capacity(items.len());
    let mut again: Vec<T> = Vec::new();
    for item in items {
        if chance(rng, permille) {
            again.push(item.clone());
        }
        out.push(item);
    }
    for item in again {
        let at = rng.random_range(0..=out.len());
        out.insert(at, item);
    }
    out
}

fn shuffled<T>(rng: &mut ChaCha8Rng, permille: u32, items: &mut [T]) {
    for at in 0..items.len().saturating_sub(1) {
        if chance(rng, permille) {
            let other = rng.random_range(at + 1..items.len().min(at + 6));
            items.swap(at, other);
        }
    }
}

/// One body. Events of a batch join the previous `value`, open a new change, or open a new entry.
fn body(rng: &mut ChaCha8Rng, config: &SimConfig, group: &[Event]) -> Value {
    let mut entries: Vec<Vec<Value>> = Vec::new();
    let mut previous: Option<&Event> = None;
    for event in group {
        let joins = previous.is_some_and(|before| can_join(before, event)) && chance(rng, 600);
        let last = entries.last_mut();
        match last {
            Some(changes) if joins => {
                if let Some(change) = changes.last_mut() {
                    join(&mut change["value"], event);
                }
            }
            Some(changes) if chance(rng, 500) => changes.push(change(config, event)),
            _ => entries.push(vec![change(config, event)]),
        }
        previous = Some(event);
    }
    let entries: Vec<Value> =
        entries.into_iter().map(|changes| json!({"id": config.waba_id, "changes": changes})).collect();
    json!({"object": "whatsapp_business_account", "entry": entries})
}

fn can_join(before: &Event, event: &Event) -> bool {
    before.number == event.number
        && matches!(
            (&before.what, &event.what),
            (What::Message { .. }, What::Message { .. }) | (What::Status { .. }, What::Status { .. })
        )
}

fn change(config: &SimConfig, event: &Event) -> Value {
    if let What::Raw { field, value } = &event.what {
        return json!({"field": field, "value": value});
    }
    let (display, id) = match config.numbers.get(event.number) {
        Some(number) => (number.digits(), number.phone_number_id.clone()),
        None => (String::new(), String::new()),
    };
    let mut value = json!({
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": display, "phone_number_id": id},
    });
    join(&mut value, event);
    json!({"field": "messages", "value": value})
}

fn join(value: &mut Value, event: &Event) {
    let (contact, list, item) = match &event.what {
        What::Message { contact, message } => (contact, "messages", message),
        What::Status { contact, status } => (contact, "statuses", status),
        What::Raw { .. } => return,
    };
    if let Some(contact) = contact {
        let known =
            value["contacts"].as_array().is_some_and(|all| all.iter().any(|one| one["user_id"] == contact["user_id"]));
        if !known {
            append(value, "contacts", contact);
        }
    }
    append(value, list, item);
}

fn append(value: &mut Value, key: &str, item: &Value) {
    match &mut value[key] {
        Value::Array(items) => items.push(item.clone()),
        empty => *empty = json!([item]),
    }
}
