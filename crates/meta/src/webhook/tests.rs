//! What an attacker or a careless sender could put into a body.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use parley_domain::protocol::session::Secret;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn text_body(text: &str) -> Value {
    json!({ "object": "whatsapp_business_account", "entry": [{ "id": "41", "changes": [{ "field": "messages", "value": {
        "messaging_product": "whatsapp",
        "metadata": { "display_phone_number": "351210000042", "phone_number_id": "77" },
        "contacts": [{ "wa_id": "4915155500137", "user_id": "DE.Abc", "profile": { "name": "Ilse" } }],
        "messages": [
            { "from": "4915155500137", "id": "wamid.A", "timestamp": "1795350600", "type": "text", "text": { "body": text } },
            { "from": "4915155500137", "id": "wamid.B", "timestamp": "1795350601", "type": "order", "order": {
                "catalog_id": "1", "product_items": [{ "product_retailer_id": "S", "quantity": 1, "item_price": 2.5, "currency": "EUR" }] } }
        ],
        "statuses": [{ "id": "wamid.C", "status": "read", "timestamp": "1795350602", "recipient_id": "4915155500137",
            "errors": [{ "code": 131026 }], "pricing": { "type": "regular" } }]
    } }] }] })
}

#[test]
fn what_is_no_webhook_is_an_error_and_never_a_panic() {
    for not_json in ["", "{", "nonsense", "{\"entry\":[}", "{} {}", "\u{feff}"] {
        assert_eq!(parse(not_json.as_bytes()).unwrap_err(), ParseError::NotJson, "{not_json}");
    }
    for other in ["[]", "null", "7", "\"text\"", "[{\"entry\":[]}]"] {
        assert_eq!(parse(other.as_bytes()).unwrap_err(), ParseError::NotAnObject, "{other}");
    }
}

#[test]
fn deep_nesting_is_refused_and_brackets_inside_text_are_no_nesting() {
    let nested = |depth: usize, open: &str, close: &str| open.repeat(depth) + "1" + &close.repeat(depth);
    for deep in [
        nested(10_000, "[", "]"),
        nested(10_000, "{\"a\":", "}"),
        format!("{{\"entry\":{}}}", nested(10_000, "[", "]")),
        "[".repeat(1_000_000),
    ] {
        assert_eq!(parse(deep.as_bytes()).unwrap_err(), ParseError::TooDeep);
    }
    let brackets = "[".repeat(5_000) + "\\\"{";
    assert_eq!(parse(text_body(&brackets).to_string().as_bytes()).unwrap().len(), 3);
}

#[test]
fn an_element_that_is_nested_too_deep_to_read_costs_only_itself() {
    let deep = "[".repeat(300) + &"]".repeat(300);
    let body = text_body("x").to_string().replace("\"order\":{", &format!("\"junk\":{deep},\"order\":{{"));
    let facts: Vec<_> = parse(body.as_bytes()).unwrap().into_iter().map(|item| item.fact).collect();
    assert!(matches!(facts.as_slice(), [Fact::Message(_), Fact::Unreadable { .. }, Fact::Status(_)]), "{facts:?}");
}

#[test]
fn bytes_that_are_no_utf8_are_replaced() {
    let mut raw = text_body("MARK").to_string().into_bytes();
    let at = raw.windows(4).position(|four| four == b"MARK").unwrap();
    raw[at] = 0xFF;
    let items = parse(&raw).unwrap();
    assert_eq!(items.len(), 3);
    assert!(matches!(&items[0].fact, Fact::Message(message) if message.wamid.as_str() == "wamid.A"));
}

#[test]
fn a_body_without_entries_is_kept_as_one_unreadable_item() {
    let items = parse(b"{\"hello\":1}").unwrap();
    assert!(matches!(items.as_slice(), [Item { fact: Fact::Unreadable { .. }, .. }]));
    assert_eq!(items[0].raw_part.get(), "{\"hello\":1}");
}

#[test]
fn pages_and_instagram_are_kept_event_by_event() {
    let body = json!({ "object": "instagram", "entry": [{ "id": "9", "time": 1_795_350_600_000_i64, "messaging": [
        { "sender": { "id": "1" }, "recipient": { "id": "9" }, "timestamp": 1_795_350_600_000_i64, "message": { "mid": "m" } },
        { "sender": { "id": "1" }, "read": { "mid": "m" } },
    ], "changes": [{ "field": "comments", "value": { "id": "c" } }] }] });
    let items = parse(body.to_string().as_bytes()).unwrap();
    let fields: Vec<_> = items
        .iter()
        .map(|item| match &item.fact {
            Fact::Management { field } => field.as_str(),
            _ => "another fact",
        })
        .collect();
    assert_eq!(fields, ["instagram.comments", "instagram.messaging.message", "instagram.messaging.read"]);
    assert!(items.iter().all(|item| item.waba.is_none() && item.entry_time.unwrap().0 == 1_795_350_600_000));
}

#[test]
fn errors_in_webhooks_lose_numbers_and_user_ids() {
    let body = json!({ "object": "whatsapp_business_account", "entry": [{ "id": "1", "changes": [{ "field": "messages", "value": {
        "errors": [{ "code": 131_026, "title": "To +49 151 555-00137 failed", "error_data": { "details": "DE.8Kq27712345678901 is gone (#131026)" } }]
    } }] }] });
    let items = parse(body.to_string().as_bytes()).unwrap();
    let Fact::Error(error) = &items[0].fact else { panic!("{items:?}") };
    assert_eq!(error.title.as_deref(), Some("To [removed] failed"));
    assert_eq!(error.details.as_deref(), Some("[removed] is gone (#131026)"));
}

#[test]
fn the_subscription_check_echoes_the_challenge_for_the_right_token_only() {
    let expected = Secret::new("tök+en &1");
    let good = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=t%C3%B6k%2Ben+%261";
    assert_eq!(challenge(good, &expected).as_deref(), Some("1158201444"));
    for bad in [
        "",
        "hub.mode=subscribe&hub.challenge=1",
        "hub.mode=subscribe&hub.challenge=1&hub.verify_token=",
        "hub.mode=subscribe&hub.challenge=1&hub.verify_token=other",
        "hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=t%C3%B6k%2Ben+%261",
        "hub_mode=subscribe&hub_challenge=1&hub_verify_token=t%C3%B6k%2Ben+%261",
        "hub.mode=subscribe&hub.verify_token=t%C3%B6k%2Ben+%261",
    ] {
        assert_eq!(challenge(bad, &expected), None, "{bad}");
    }
    assert_eq!(challenge("hub.mode=subscribe&hub.challenge=1&hub.verify_token=", &Secret::new("")), None);
}

/// Any small JSON value.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,9}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Every place in a value, as JSON pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(map) => map.iter().for_each(|(key, inner)| places(inner, &format!("{at}/{key}"), found)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(key, inner)| places(inner, &format!("{at}/{key}"), found));
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn any_value_in_any_place_is_survived_and_the_siblings_stay(replacement in any_json(), pick in any::<prop::sample::Index>()) {
        let mut body = text_body("hello");
        let mut all = Vec::new();
        places(&body, "", &mut all);
        let place = pick.get(&all).clone();
        *body.pointer_mut(&place).unwrap() = replacement;
        let items = parse(body.to_string().as_bytes());
        let inside_one_element = ["/messages/", "/statuses/"].iter().any(|list| place.contains(list));
        if inside_one_element {
            let items = items.unwrap();
            prop_assert_eq!(items.len(), 3);
            let damaged = items.iter().filter(|item| matches!(item.fact, Fact::Unreadable { .. })).count();
            prop_assert!(damaged <= 1, "{place}: {items:?}");
        }
    }

    #[test]
    fn damaged_bytes_never_panic(cut in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut raw = text_body("h\\u00e9 \\ud83d\\ude00").to_string().into_bytes();
        let len = raw.len();
        raw[at.index(len)] = byte;
        let _ = parse(&raw);
        raw.truncate(cut.index(len));
        let _ = parse(&raw);
    }

    #[test]
    fn any_bytes_never_panic(raw in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&raw);
    }
}
