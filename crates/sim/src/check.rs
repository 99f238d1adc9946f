//! Judges a ledger: what the business may never do.
//!
//! Promise: pure, and silent only if nothing was violated.

use std::collections::HashMap;

use serde::Serialize;

use crate::ledger::LedgerEntry;

/// The customer service window, `meta-platform.md` §10.
pub const WINDOW_MS: i64 = 24 * 60 * 60 * 1000;

/// Something that must not have happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "violation", rename_all = "snake_case")]
pub enum Violation {
    /// The same outgoing message was accepted more than once.
    AcceptedTwice {
        /// The sender's own id.
        biz_opaque_callback_data: String,
        /// All the ids it got.
        wamids: Vec<String>,
    },
    /// A free-form message went to somebody who had not written for 24 h.
    WindowClosed {
        /// The message.
        wamid: String,
        /// How long ago they wrote, in milliseconds; none if never.
        silent_for_ms: Option<i64>,
    },
    /// A send that could never be matched to its status if the answer were lost.
    NoOpaqueId {
        /// The message.
        wamid: String,
    },
}

/// All violations of a ledger, in the order of their first entry.
#[must_use]
pub fn check(entries: &[LedgerEntry]) -> Vec<Violation> {
    let mut found = accepted_twice(entries);
    found.extend(window_closed(entries));
    found.extend(without_opaque_id(entries));
    found
}

/// Each opaque id is accepted at most once.
#[must_use]
pub fn accepted_twice(entries: &[LedgerEntry]) -> Vec<Violation> {
    let mut order: Vec<&str> = Vec::new();
    let mut by_id: HashMap<&str, Vec<String>> = HashMap::new();
    for entry in entries {
        if let Some(id) = entry.biz_opaque_callback_data.as_deref() {
            let wamids = by_id.entry(id).or_default();
            if wamids.is_empty() {
                order.push(id);
            }
            wamids.push(entry.wamid.clone());
        }
    }
    let mut found = Vec::new();
    for id in order {
        if let Some(wamids) = by_id.remove(id).filter(|wamids| wamids.len() > 1) {
            found.push(Violation::AcceptedTwice { biz_opaque_callback_data: id.to_owned(), wamids });
        }
    }
    found
}

/// Free-form messages respect the window. Nobody's window is judged for a recipient who does not exist.
#[must_use]
pub fn window_closed(entries: &[LedgerEntry]) -> Vec<Violation> {
    let free_form = entries.iter().filter(|entry| entry.kind != "template" && entry.user_id.is_some());
    free_form
        .filter_map(|entry| {
            let silent_for_ms = entry.last_inbound_ms.map(|last| entry.at_ms - last);
            let open = silent_for_ms.is_some_and(|silent| silent < WINDOW_MS);
            (!open).then(|| Violation::WindowClosed { wamid: entry.wamid.clone(), silent_for_ms })
        })
        .collect()
}

/// Every send but a reaction carries an opaque id.
#[must_use]
pub fn without_opaque_id(entries: &[LedgerEntry]) -> Vec<Violation> {
    let bare = entries.iter().filter(|entry| entry.kind != "reaction" && entry.biz_opaque_callback_data.is_none());
    bare.map(|entry| Violation::NoOpaqueId { wamid: entry.wamid.clone() }).collect()
}
