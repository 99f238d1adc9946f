//! The control face, as another process uses it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::*;
use parley_sim::MetaSim;
use serde_json::{Value, json};

async fn call(sim: &MetaSim, what: &str, body: Value) -> (u16, Value) {
    let answer = client().post(format!("{}/_sim/{what}", sim.base_url())).json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
}

#[tokio::test]
async fn a_conversation_can_be_driven_over_http() {
    let (config, _) = quick(7);
    let sim = MetaSim::start(config).await.unwrap();
    let receiver = Receiver::start().await;
    call(&sim, "hold", json!({"on": true})).await;
    call(&sim, "webhook", json!({"url": receiver.url})).await;
    let (_, ana) =
        call(&sim, "customer", json!({"name": "Ana Lima", "phone": "+55 11 91234-5678", "reads_at_once": false})).await;
    let user_id = ana["user_id"].as_str().unwrap().to_owned();
    assert_eq!(ana["phone"], "+5511912345678");
    let (_, said) = call(&sim, "say", json!({"customer": "Ana Lima", "text": "oi"})).await;
    let items = json!([{"product_retailer_id": "LAMP", "quantity": 2, "item_price": "79.90", "currency": "BRL"}]);
    call(&sim, "order", json!({"customer": user_id, "catalog_id": "1948", "items": items})).await;
    call(&sim, "image", json!({"customer": user_id, "caption": "olha"})).await;
    call(&sim, "react", json!({"customer": user_id, "wamid": said["wamid"], "emoji": "❤️"})).await;
    call(&sim, "message", json!({"customer": user_id, "type": "request_welcome"})).await;
    call(&sim, "raise", json!({"field": "account_alerts", "value": {"entity_type": "BUSINESS"}})).await;
    let held = call(&sim, "drain", json!({"timeout_ms": 1})).await;
    assert_eq!(held, (504, json!({"drained": false, "pending": 6})));
    call(&sim, "hold", json!({"on": false})).await;
    assert_eq!(call(&sim, "drain", json!({})).await, (200, json!({"drained": true, "pending": 0})));
    let kinds: Vec<Value> = receiver.items("messages").iter().map(|message| message["type"].clone()).collect();
    assert_eq!(kinds, ["text", "order", "image", "reaction", "request_welcome"]);
    assert_eq!(receiver.items("messages")[1]["order"]["product_items"], items);
    assert_eq!(receiver.posts().last().unwrap().json()["entry"][0]["changes"][0]["field"], "account_alerts");

    call(&sim, "next_send", json!({"fault": "rate_limited"})).await;
    call(&sim, "next_send", json!({"fault": {"kind": "refuse", "code": 131048}, "times": 2})).await;
    let mut codes = Vec::new();
    for at in 0..4 {
        codes.push(send(&sim, &text_to("+5511912345678", "sim", &at.to_string())).await.1["error"]["code"].as_i64());
    }
    assert_eq!(codes, [Some(130429), Some(131048), Some(131048), None]);
    assert_eq!(call(&sim, "read", json!({"customer": user_id})).await.1, json!({"read": 1}));
    assert_eq!(call(&sim, "read", json!({"customer": user_id})).await.1, json!({"read": 0}));

    let (_, state) = get_json(&sim, "/_sim/state").await;
    assert_eq!(state["accepted"], 1);
    assert_eq!(state["violations"], json!([]));
    assert_eq!(state["refused"], json!({"130429": 1, "131048": 2}));
    assert_eq!(state["faults"], json!({"rate_limited": 1, "refuse": 2}));
    let customer = &state["customers"][0];
    assert_eq!(
        (customer["wrote"].as_u64(), customer["delivered"].as_u64(), customer["read"].as_u64()),
        (Some(5), Some(1), Some(1))
    );
    let (_, ledger) = get_json(&sim, "/_sim/ledger").await;
    assert_eq!((ledger[0]["text"].as_str(), ledger[0]["biz_opaque_callback_data"].as_str()), (Some("sim"), Some("3")));
    call(&sim, "token", json!({"access_token": "new"})).await;
    assert_eq!(send(&sim, &text_to("+5511912345678", "sim", "9")).await.0, 401);
}

#[tokio::test]
async fn mistakes_are_told() {
    let (sim, _receiver, _) = connected().await;
    let (status, answer) = call(&sim, "say", json!({"customer": "Nobody", "text": "oi"})).await;
    assert_eq!((status, answer), (400, json!({"error": "no such customer"})));
    assert_eq!(call(&sim, "next_send", json!({"fault": "explode"})).await.0, 400);
    sim.customer("Ana Lima", None, None);
    assert_eq!(call(&sim, "say", json!({"customer": "Ana Lima", "text": "oi", "number": "1"})).await.0, 400);
}

#[tokio::test]
async fn load_is_signed_and_counted() {
    let (sim, receiver, _) = connected().await;
    let (status, report) = call(&sim, "load", json!({"events_per_second": 2000, "seconds": 1, "customers": 7})).await;
    assert_eq!(status, 200, "{report}");
    assert_eq!((report["posted"].as_u64(), report["answered"].as_u64()), (Some(2000), Some(2000)));
    let posts = receiver.posts();
    assert!(posts.iter().all(|post| post.signature == format!("sha256={}", hmac_sha256(SECRET.as_bytes(), &post.raw))));
    let mut ids: Vec<String> = receiver.items("messages").iter().map(|m| m["id"].to_string()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 2000, "every message has an id of its own");
}
