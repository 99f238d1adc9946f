//! Accepts or refuses a send, and raises the statuses that follow.
//!
//! Promise: the order of checks is Meta's: the request itself, the recipient, the template, what it refers to, rates, the
//! window. A message is in the ledger before anybody is told that it was accepted.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::check::WINDOW_MS;
use crate::config::Refusal;
use crate::event::{StatusOf, What};
use crate::graph_error::GraphError;
use crate::ledger::LedgerEntry;
use crate::message::{self, Address, Outgoing, Request};
use crate::platform::{Outbound, Platform, State};
use crate::template;

/// What a fault changes about an acceptance.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bend {
    /// A failed status with this code follows.
    pub fails_with: Option<i64>,
    /// Answered `held_for_quality_assessment`.
    pub held: bool,
}

/// Takes the body of `POST /<PHONE_ID>/messages`; returns the body of the answer.
pub fn take(platform: &Arc<Platform>, number: usize, body: &Value, bend: Bend) -> Result<Value, GraphError> {
    let digits = platform.config.numbers.get(number).map(crate::config::Number::digits).unwrap_or_default();
    match message::parse(body, message::home_code(&digits))? {
        Request::Read { wamid, typing } => mark_read(platform, number, wamid, typing),
        Request::Send(out) => accept(platform, number, &digits, *out, bend),
    }
}

fn mark_read(platform: &Platform, number: usize, wamid: String, typing: bool) -> Result<Value, GraphError> {
    let mut state = platform.lock();
    if state.inbound.get(&wamid).is_none_or(|inbound| inbound.number != number) {
        return Err(GraphError::invalid(format!("Message ID {wamid} is not a message to this phone number.")));
    }
    state.read_marks.push((wamid, typing));
    Ok(json!({"success": true}))
}

fn accept(
    platform: &Arc<Platform>,
    number: usize,
    own_digits: &str,
    out: Outgoing,
    bend: Bend,
) -> Result<Value, GraphError> {
    let now = platform.now();
    let mut state = platform.lock();
    let mut fails_with = bend.fails_with;
    let person = recipient(&state, &out.address, own_digits)?;
    if person.is_none() {
        if platform.config.unknown_recipient == Refusal::AtOnce {
            return Err(GraphError::code(131026));
        }
        fails_with = fails_with.or(Some(131026));
    }
    if person.and_then(|at| state.people.get(at)).is_some_and(|person| person.blocked_us) {
        fails_with = fails_with.or(Some(131026));
    }
    let category = match &out.template {
        None => "service".to_owned(),
        Some(used) => {
            let to_bsuid = matches!(out.address, Address::Bsuid(_));
            template::check(&state.templates, used, to_bsuid)?.category.to_ascii_lowercase()
        }
    };
    references(&state, number, &out, now)?;
    rates(platform, &mut state, number, person, now)?;
    let last_inbound_ms =
        person.and_then(|at| state.people.get(at)).and_then(|person| person.last_inbound.get(&number).copied());
    let open = last_inbound_ms.is_some_and(|last| now - last < WINDOW_MS);
    if person.is_some() && out.template.is_none() && !open {
        if platform.config.closed_window == Refusal::AtOnce {
            return Err(GraphError::code(131047));
        }
        fails_with = fails_with.or(Some(131047));
    }
    let wamid = state.mint.wamid();
    let answer = answer(&out, &wamid, bend.held);
    record(platform, &mut state, number, person, &out, &wamid, now, last_inbound_ms, fails_with)?;
    let phone = match &out.address {
        Address::Phone(digits) => Some(digits.clone()),
        Address::Bsuid(_) => None,
    };
    if phone.is_some()
        && let Some(person) = person.and_then(|at| state.people.get_mut(at))
    {
        person.phone_used.insert(number, now);
    }
    let outbound =
        Outbound { number, person, phone, opaque: out.opaque, category, fails_with, delivered: false, read: false };
    state.outbound.insert(wamid.clone(), outbound);
    if !bend.held {
        follow(platform, &mut state, &wamid);
    }
    Ok(answer)
}

fn recipient(state: &State, address: &Address, own_digits: &str) -> Result<Option<usize>, GraphError> {
    match address {
        Address::Phone(digits) if digits == own_digits => Err(GraphError::code(131021)),
        Address::Phone(digits) => Ok(state.people.iter().position(|person| person.phone.as_deref() == Some(digits))),
        Address::Bsuid(user_id) => Ok(state.people.iter().position(|person| person.user_id == *user_id)),
    }
}

/// Quoted messages and media must exist.
fn references(state: &State, number: usize, out: &Outgoing, now: i64) -> Result<(), GraphError> {
    if let Some(wamid) = &out.refers_to {
        let theirs = state.inbound.get(wamid).is_some_and(|inbound| inbound.number == number);
        let ours = state.outbound.get(wamid).is_some_and(|outbound| outbound.number == number);
        let known = theirs || (ours && out.kind != "reaction");
        if !known {
            let place = if out.kind == "reaction" { "reaction.message_id" } else { "context.message_id" };
            return Err(GraphError::code(131009).because(format!("Parameter '{place}' is not a known message id.")));
        }
    }
    match out.media.iter().find(|id| !state.media.get(*id).is_some_and(|medium| medium.alive(now))) {
        None => Ok(()),
        Some(id) => {
            Err(GraphError::invalid(format!("{id} is not a valid whatsapp business account media attachment ID")))
        }
    }
}

/// `meta-platform.md` §11; both limits are off unless configured.
fn rates(
    platform: &Platform,
    state: &mut State,
    number: usize,
    person: Option<usize>,
    now: i64,
) -> Result<(), GraphError> {
    let micros = now.saturating_mul(1000);
    if let Some(per_second) = platform.config.throughput_per_second.filter(|n| *n > 0) {
        let next = state.number_rate.entry(number).or_insert(0);
        if !admits(next, micros, 1_000_000 / i64::from(per_second), i64::from(per_second)) {
            return Err(GraphError::code(130429));
        }
    }
    if let (Some(burst), Some(person)) = (platform.config.pair_burst, person) {
        let next = state.pair_rate.entry((number, person)).or_insert(0);
        if !admits(next, micros, 6_000_000, i64::from(burst.max(1))) {
            return Err(GraphError::code(131056));
        }
    }
    Ok(())
}

/// One event every `interval`, `burst` at once; `next` is the theoretical arrival time of the next one.
fn admits(next: &mut i64, now: i64, interval: i64, burst: i64) -> bool {
    let from = (*next).max(now);
    if from - now > interval * (burst - 1) {
        return false;
    }
    *next = from + interval;
    true
}

fn answer(out: &Outgoing, wamid: &str, held: bool) -> Value {
    let contact = match &out.address {
        Address::Phone(digits) => json!({"input": out.input, "wa_id": digits}),
        Address::Bsuid(user_id) => json!({"input": out.input, "user_id": user_id}),
    };
    let message = if out.template.is_some() {
        json!({"id": wamid, "message_status": if held { "held_for_quality_assessment" } else { "accepted" }})
    } else {
        json!({"id": wamid})
    };
    json!({"messaging_product": "whatsapp", "contacts": [contact], "messages": [message]})
}

#[allow(clippy::too_many_arguments)]
fn record(
    platform: &Platform,
    state: &mut State,
    number: usize,
    person: Option<usize>,
    out: &Outgoing,
    wamid: &str,
    now: i64,
    last_inbound_ms: Option<i64>,
    fails_with: Option<i64>,
) -> Result<(), GraphError> {
    let (to, recipient) = match out.address {
        Address::Phone(_) => (Some(out.input.clone()), None),
        Address::Bsuid(_) => (None, Some(out.input.clone())),
    };
    let entry = LedgerEntry {
        at_ms: now,
        wamid: wamid.to_owned(),
        phone_number_id: platform.config.numbers.get(number).map(|one| one.phone_number_id.clone()).unwrap_or_default(),
        to,
        recipient,
        user_id: person.and_then(|at| state.people.get(at)).map(|person| person.user_id.clone()),
        kind: out.kind.clone(),
        text: out.text.clone(),
        biz_opaque_callback_data: out.opaque.clone(),
        refers_to: out.refers_to.clone(),
        last_inbound_ms,
        fails_with,
    };
    state.ledger.append(entry).map_err(|_| GraphError::code(131000))?;
    platform.accepted.send_modify(|n| *n += 1);
    Ok(())
}

/// Raises the statuses of a send, at once or at the configured pace.
fn follow(platform: &Arc<Platform>, state: &mut State, wamid: &str) {
    let pace = platform.config.pace;
    if pace.sent_ms + pace.delivered_ms + pace.read_ms == 0 {
        if sent(platform, state, wamid) && delivered(platform, state, wamid) {
            read(platform, state, wamid, false);
        }
        return;
    }
    platform.queue.expect_later();
    let (platform, wamid) = (Arc::clone(platform), wamid.to_owned());
    let runtime = platform.runtime.clone();
    runtime.spawn(async move {
        tokio::time::sleep(Duration::from_millis(pace.sent_ms)).await;
        let mut goes_on = sent(&platform, &mut platform.lock(), &wamid);
        if goes_on {
            tokio::time::sleep(Duration::from_millis(pace.delivered_ms)).await;
            goes_on = delivered(&platform, &mut platform.lock(), &wamid);
        }
        if goes_on {
            tokio::time::sleep(Duration::from_millis(pace.read_ms)).await;
            read(&platform, &mut platform.lock(), &wamid, false);
        }
        platform.queue.no_longer_expected();
    });
}

/// `sent`, or `failed`; true if delivery may follow.
fn sent(platform: &Platform, state: &mut State, wamid: &str) -> bool {
    let fails = state.outbound.get(wamid).is_none_or(|outbound| outbound.fails_with.is_some());
    status(platform, state, wamid, if fails { "failed" } else { "sent" });
    !fails
}

/// `delivered` if the customer is online, else it waits for them; true if it was delivered.
pub fn delivered(platform: &Platform, state: &mut State, wamid: &str) -> bool {
    let Some(outbound) = state.outbound.get_mut(wamid) else { return false };
    let Some(person) = outbound.person.and_then(|at| state.people.get_mut(at)) else { return false };
    if !person.online {
        person.waiting.push(wamid.to_owned());
        return false;
    }
    if outbound.delivered {
        return true;
    }
    outbound.delivered = true;
    status(platform, state, wamid, "delivered");
    true
}

/// `read`, once; `asked` when the customer was told to, else only if they read at once.
pub fn read(platform: &Platform, state: &mut State, wamid: &str, asked: bool) -> bool {
    let Some(outbound) = state.outbound.get_mut(wamid) else { return false };
    let Some(person) = outbound.person.and_then(|at| state.people.get(at)) else { return false };
    if outbound.read || outbound.fails_with.is_some() || !(asked || person.reads_at_once) {
        return false;
    }
    outbound.read = true;
    outbound.delivered = true;
    status(platform, state, wamid, "read");
    true
}

fn status(platform: &Platform, state: &State, wamid: &str, status: &str) {
    let Some(outbound) = state.outbound.get(wamid) else { return };
    let now = platform.now();
    let identity =
        outbound.person.and_then(|at| state.people.get(at)).map(|person| person.identity(outbound.number, now));
    let error = outbound.fails_with.filter(|_| status == "failed").map(|code| {
        let (title, details) = GraphError::texts(code);
        (code, title, details)
    });
    let shown_phone = identity.as_ref().and_then(|identity| identity.phone);
    let user_id = identity.as_ref().map(|identity| identity.user_id);
    let value = StatusOf {
        wamid,
        status,
        at_ms: now,
        phone: outbound.phone.as_deref().or(shown_phone),
        // A failed send to a phone does not reveal whose it is.
        user_id: user_id.filter(|_| error.is_none() || outbound.phone.is_none()),
        opaque: outbound.opaque.as_deref(),
        category: &outbound.category,
        error,
    }
    .value();
    let contact = identity.filter(|_| error.is_none()).map(|identity| identity.contact());
    platform.raise(state, outbound.number, What::Status { contact, status: value });
}
