//! What can happen to one send: every error body, and what a lost answer hides.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::*;
use parley_sim::{Fault, Violation};
use serde_json::{Value, json};

const PHONE: &str = "+919820041876";

#[tokio::test]
async fn every_error_code_has_metas_body() {
    let (sim, _receiver, _) = connected().await;
    sim.customer("Ananya Mehta", Some(PHONE), None).says("Hi");
    // code, HTTP, a word of the message, whether error_data is there
    let table = [
        (2, 500, "unexpected error", false),
        (4, 400, "Application request limit reached", false),
        (368, 403, "Temporarily blocked", false),
        (80007, 400, "Rate limit", false),
        (130429, 400, "Rate limit hit", true),
        (130472, 400, "experiment", true),
        (131000, 500, "Something went wrong", true),
        (131008, 400, "Required parameter is missing", true),
        (131009, 400, "Parameter value is not valid", true),
        (131016, 500, "Service unavailable", true),
        (131021, 400, "Recipient cannot be sender", true),
        (131026, 400, "Message undeliverable", true),
        (131030, 400, "not in allowed list", true),
        (131031, 403, "locked", true),
        (131042, 400, "payment", true),
        (131047, 400, "Re-engagement message", true),
        (131048, 400, "Spam rate limit hit", true),
        (131049, 400, "not delivered", true),
        (131050, 400, "stopped marketing", true),
        (131051, 400, "Unsupported message type", true),
        (131053, 400, "Media upload error", true),
        (131056, 400, "pair rate limit hit", true),
        (131062, 400, "BSUID recipient not supported", true),
        (132000, 400, "Number of parameters does not match", true),
        (132001, 404, "does not exist in the translation", true),
        (132012, 400, "Parameter format does not match", true),
        (132015, 400, "paused", true),
        (132016, 400, "disabled", true),
        (133010, 400, "not registered", false),
        (135000, 400, "Generic user error", true),
    ];
    for (code, http, word, with_details) in table {
        sim.next_send(Fault::Refuse { code });
        let (status, answer) = send(&sim, &text_to(PHONE, "x", "o")).await;
        let error = &answer["error"];
        assert_eq!((status, error["code"].as_i64()), (http, Some(code)), "{answer}");
        assert!(error["message"].as_str().unwrap().contains(word), "{answer}");
        assert_eq!(error["type"], "OAuthException", "{answer}");
        assert_eq!(error["error_data"]["messaging_product"] == "whatsapp", with_details, "{answer}");
        assert_eq!(
            error["error_data"]["details"].as_str().is_some_and(|text| !text.is_empty()),
            with_details,
            "{answer}"
        );
        assert_eq!(error["is_transient"] == true, code == 2 || code == 4, "{answer}");
        let keys = ["message", "type", "code", "error_subcode", "error_data", "is_transient", "fbtrace_id"];
        assert!(error.as_object().unwrap().keys().all(|key| keys.contains(&key.as_str())), "{answer}");
        assert_eq!(answer.as_object().unwrap().len(), 1);
    }
    assert!(sim.ledger().is_empty());
}

#[tokio::test]
async fn named_faults_answer_as_they_say_and_accept_nothing() {
    let (sim, _receiver, _) = connected().await;
    sim.customer("Ananya Mehta", Some(PHONE), None).says("Hi");
    for (fault, http, code) in [
        (Fault::RateLimited, 429, 130429),
        (Fault::AppLimited, 400, 4),
        (Fault::Broken, 500, 131000),
        (Fault::Unexpected, 500, 2),
    ] {
        sim.next_send(fault);
        let (status, answer) = send(&sim, &text_to(PHONE, "x", "o")).await;
        assert_eq!((status, answer["error"]["code"].as_i64()), (http, Some(code)), "{fault:?}");
    }
    sim.next_send(Fault::Html503);
    let url = format!("{}/v26.0/{NUMBER}/messages", sim.base_url());
    let answer = client().post(&url).bearer_auth(TOKEN).json(&text_to(PHONE, "x", "o")).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 503);
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert!(answer.text().await.unwrap().contains("<html>"));
    assert!(sim.ledger().is_empty());
    assert_eq!(send(&sim, &text_to(PHONE, "x", "o")).await.0, 200, "a fault strikes once");
}

#[tokio::test]
async fn a_reset_after_acceptance_hides_a_message_that_was_sent() {
    let (sim, receiver, _) = connected().await;
    sim.customer("Ananya Mehta", Some(PHONE), None).says("Hi");
    sim.next_send(Fault::ResetAfterAccept);
    let url = format!("{}/v26.0/{NUMBER}/messages", sim.base_url());
    let lost = client().post(&url).bearer_auth(TOKEN).json(&text_to(PHONE, "once", "outbox-1")).send().await;
    assert!(lost.is_err(), "no byte of an answer may arrive");
    assert_eq!(sim.ledger().len(), 1);
    sim.drain().await;
    let statuses = receiver.items("statuses");
    assert_eq!(statuses.len(), 3);
    assert!(
        statuses.iter().all(|status| status["biz_opaque_callback_data"] == "outbox-1"),
        "the evidence names the outbox row"
    );
    assert!(sim.violations().is_empty());
}

#[tokio::test]
async fn a_held_connection_that_is_cut_accepted_nothing() {
    let (sim, _receiver, _) = connected().await;
    sim.customer("Ananya Mehta", Some(PHONE), None).says("Hi");
    sim.next_send(Fault::TimeoutBeforeAccept { hold_ms: 1 });
    let url = format!("{}/v26.0/{NUMBER}/messages", sim.base_url());
    assert!(client().post(&url).bearer_auth(TOKEN).json(&text_to(PHONE, "x", "o")).send().await.is_err());
    assert!(sim.ledger().is_empty());
    sim.next_send(Fault::Slow { ms: 1 });
    assert_eq!(send(&sim, &text_to(PHONE, "x", "o")).await.0, 200);
}

#[tokio::test]
async fn statuses_can_beat_the_answer() {
    let (sim, receiver, _) = connected().await;
    sim.customer("Ananya Mehta", Some(PHONE), None).says("Hi");
    sim.next_send(Fault::StatusFirst);
    let (_, answer) = send(&sim, &text_to(PHONE, "x", "o")).await;
    // No drain: they were there before the answer was.
    assert_eq!(receiver.statuses_of(&wamid(&answer)), ["sent", "delivered", "read"]);
}

#[tokio::test]
async fn a_sender_that_retries_blindly_is_caught() {
    let (sim, _receiver, _) = connected().await;
    let ananya = sim.customer("Ananya Mehta", Some(PHONE), None);
    ananya.says("Hi");
    sim.next_send(Fault::BrokenAfterAccept);
    let message = text_to(PHONE, "your lamps are on the way", "outbox-7");
    assert_eq!(send(&sim, &message).await.0, 500);
    assert!(sim.violations().is_empty());
    assert_eq!(send(&sim, &message).await.0, 200);
    let wamids: Vec<String> = sim.ledger().into_iter().map(|entry| entry.wamid).collect();
    let expected = Violation::AcceptedTwice { biz_opaque_callback_data: "outbox-7".into(), wamids };
    assert_eq!(sim.violations(), vec![expected]);
    assert_eq!(ananya.received().len(), 2, "the customer saw it twice");
}

#[tokio::test]
async fn failures_and_holds_come_after_the_200() {
    let (sim, receiver, _) = connected().await;
    sim.customer("Ananya Mehta", Some(PHONE), None).says("Hi");
    sim.next_send(Fault::FailLater { code: 131049 });
    let (_, failing) = send(&sim, &text_to(PHONE, "x", "o1")).await;
    sim.next_send(Fault::HeldForQuality);
    let template = json!({"messaging_product": "whatsapp", "to": PHONE, "type": "template", "biz_opaque_callback_data": "o2",
        "template": {"name": "hello", "language": {"code": "en_US"}}});
    let (_, held) = send(&sim, &template).await;
    sim.drain().await;
    assert_eq!(receiver.statuses_of(&wamid(&failing)), ["failed"]);
    assert_eq!(receiver.items("statuses")[0]["errors"][0]["code"], 131049);
    assert_eq!(held["messages"][0]["message_status"], "held_for_quality_assessment");
    assert!(receiver.statuses_of(&wamid(&held)).is_empty());
}

#[tokio::test]
async fn seeded_send_faults_repeat_for_a_seed() {
    async fn codes(seed: u64) -> Vec<(u16, Option<i64>)> {
        let (mut config, _) = quick(seed);
        config.faults.send_rate_limited_permille = 300;
        config.faults.send_500_permille = 300;
        let sim = parley_sim::MetaSim::start(config).await.unwrap();
        sim.customer("Ananya Mehta", Some(PHONE), None).says("Hi");
        let mut out = Vec::new();
        for at in 0..20 {
            let (status, answer): (u16, Value) = send(&sim, &text_to(PHONE, "x", &at.to_string())).await;
            out.push((status, answer["error"]["code"].as_i64()));
        }
        out
    }
    let first = codes(11).await;
    assert_eq!(first, codes(11).await);
    assert_ne!(first, codes(12).await);
    for status in [200, 429, 500] {
        assert!(first.iter().any(|(seen, _)| *seen == status), "{status} never happened: {first:?}");
    }
}
