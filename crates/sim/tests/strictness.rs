//! The Graph face refuses what Meta refuses, with Meta's code and body, and accepts what Meta accepts.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::*;
use parley_sim::{MetaSim, Refusal};
use serde_json::{Value, json};

const PHONE: &str = "+5511988771204";

/// An otherwise good message with this type and object.
fn with(kind: &str, object: Value) -> Value {
    json!({"messaging_product": "whatsapp", "to": PHONE, "type": kind, kind: object})
}

fn template(name: &str, language: &str, components: Value) -> Value {
    with("template", json!({"name": name, "language": {"code": language}, "components": components}))
}

fn plus(mut body: Value, key: &str, value: Value) -> Value {
    body[key] = value;
    body
}

async fn with_customer() -> (MetaSim, Receiver, String) {
    let (sim, receiver, _) = connected().await;
    let joao = sim.customer("João Prado", Some(PHONE), None);
    let wamid = joao.says("Bom dia");
    (sim, receiver, wamid)
}

fn words(n: usize) -> String {
    "é".repeat(n)
}

fn buttons(titles: &[&str]) -> Value {
    let all: Vec<Value> = titles
        .iter()
        .enumerate()
        .map(|(at, title)| json!({"type": "reply", "reply": {"id": at.to_string(), "title": title}}))
        .collect();
    with("interactive", json!({"type": "button", "body": {"text": "Choose"}, "action": {"buttons": all}}))
}

#[tokio::test]
async fn what_meta_refuses_is_refused_with_its_code() {
    let (sim, _receiver, inbound) = with_customer().await;
    let body = |text: &str| json!([{"type": "body", "parameters": [{"type": "text", "text": text}]}]);
    // name, request, HTTP, code, a word that the message or the details must hold
    let table: Vec<(&str, Value, u16, i64, &str)> = vec![
        (
            "no product",
            json!({"to": PHONE, "type": "text", "text": {"body": "x"}}),
            400,
            100,
            "messaging_product is required",
        ),
        (
            "other product",
            plus(with("text", json!({"body": "x"})), "messaging_product", json!("sms")),
            400,
            100,
            "messaging_product",
        ),
        (
            "unknown top-level field",
            plus(with("text", json!({"body": "x"})), "priority", json!(1)),
            400,
            100,
            "\\\"priority\\\"",
        ),
        (
            "unknown nested field",
            with("text", json!({"body": "x", "markdown": true})),
            400,
            100,
            "\\\"markdown\\\" on param \\\"text\\\"",
        ),
        (
            "object of another type",
            plus(with("text", json!({"body": "x"})), "image", json!({})),
            400,
            100,
            "\\\"image\\\"",
        ),
        (
            "no recipient",
            json!({"messaging_product": "whatsapp", "type": "text", "text": {"body": "x"}}),
            400,
            100,
            "to is required",
        ),
        ("unknown type", plus(with("text", json!({"body": "x"})), "type", json!("poll")), 400, 131009, "type"),
        (
            "group",
            plus(with("text", json!({"body": "x"})), "recipient_type", json!("group")),
            400,
            131009,
            "recipient_type",
        ),
        ("no text", with("text", json!({})), 400, 131008, "text.body"),
        ("empty text", with("text", json!({"body": ""})), 400, 131008, "text.body"),
        ("text that is a number", with("text", json!({"body": 5})), 400, 100, "text.body must be a string"),
        ("text too long", with("text", json!({"body": words(4097)})), 400, 100, "at most 4096"),
        (
            "opaque data too long",
            plus(with("text", json!({"body": "x"})), "biz_opaque_callback_data", json!(words(513))),
            400,
            100,
            "at most 512",
        ),
        (
            "no such number",
            plus(with("text", json!({"body": "x"})), "to", json!("+5511900000000")),
            400,
            131026,
            "undeliverable",
        ),
        (
            "number without plus is somebody else",
            plus(with("text", json!({"body": "x"})), "to", json!("5511988771204")),
            400,
            131026,
            "undeliverable",
        ),
        (
            "BSUID in to is somebody else",
            plus(with("text", json!({"body": "x"})), "to", json!("BR.93036443962415498521")),
            400,
            131026,
            "undeliverable",
        ),
        ("to oneself", plus(with("text", json!({"body": "x"})), "to", json!("+15550100001")), 400, 131021, "sender"),
        ("words in to", plus(with("text", json!({"body": "x"})), "to", json!("João")), 400, 131009, "'to'"),
        (
            "broken BSUID",
            json!({"messaging_product": "whatsapp", "recipient": "br.123", "type": "text", "text": {"body": "x"}}),
            400,
            131009,
            "recipient",
        ),
        (
            "unknown BSUID",
            json!({"messaging_product": "whatsapp", "recipient": "BR.123", "type": "text", "text": {"body": "x"}}),
            400,
            131026,
            "undeliverable",
        ),
        (
            "quote of nothing",
            plus(with("text", json!({"body": "x"})), "context", json!({"message_id": "wamid.none"})),
            400,
            131009,
            "context",
        ),
        (
            "quote with another key",
            plus(with("text", json!({"body": "x"})), "context", json!({"id": inbound})),
            400,
            100,
            "context",
        ),
        (
            "reaction to nothing",
            with("reaction", json!({"message_id": "wamid.none", "emoji": "👍"})),
            400,
            131009,
            "reaction",
        ),
        ("image without source", with("image", json!({"caption": "x"})), 400, 131008, "image.id"),
        (
            "image with two sources",
            with("image", json!({"id": "1", "link": "https://x.example/a.png"})),
            400,
            131009,
            "link",
        ),
        (
            "image that was never uploaded",
            with("image", json!({"id": "1234567890123456"})),
            400,
            100,
            "media attachment",
        ),
        ("image from a file url", with("image", json!({"link": "file:///etc/hosts"})), 400, 131009, "URI"),
        (
            "audio with a caption",
            with("audio", json!({"link": "https://x.example/a.ogg", "caption": "x"})),
            400,
            100,
            "caption",
        ),
        (
            "caption too long",
            with("image", json!({"link": "https://x.example/a.png", "caption": words(1025)})),
            400,
            131009,
            "1024",
        ),
        ("latitude off the globe", with("location", json!({"latitude": 91, "longitude": 0})), 400, 131009, "latitude"),
        (
            "contact without a name",
            with("contacts", json!([{"phones": [{"phone": "+1"}]}])),
            400,
            131008,
            "contacts[0].name",
        ),
        ("four buttons", buttons(&["a", "b", "c", "d"]), 400, 131009, "at most 3"),
        ("button title too long", buttons(&["a title of more than twenty"]), 400, 131009, "buttons[0].reply.title"),
        ("equal button titles", buttons(&["same", "same"]), 400, 131009, "unique"),
        (
            "unknown interactive",
            with("interactive", json!({"type": "quiz", "action": {}})),
            400,
            131009,
            "interactive.type",
        ),
        ("unknown template", template("nobody_wrote_it", "en_US", json!([])), 404, 132001, "nobody_wrote_it"),
        (
            "template in another language",
            template("order_shipped", "de", body("x")),
            404,
            132001,
            "does not exist in de",
        ),
        ("template not approved yet", template("spring_offer", "en_US", json!([])), 404, 132001, "spring_offer"),
        ("paused template", template("winter_offer", "en_US", json!([])), 400, 132015, "paused"),
        (
            "too few parameters",
            template("order_shipped", "en_US", body("Ana")),
            400,
            132000,
            "(1) does not match the expected number of params (2)",
        ),
        ("parameter with a line break", template("order_shipped", "en_US", body("a\nb")), 400, 132018, "new-line"),
        (
            "text where a picture belongs",
            template(
                "evening_lamps",
                "en_US",
                json!([{"type": "header", "parameters": [{"type": "text", "text": "x"}]}]),
            ),
            400,
            132012,
            "IMAGE",
        ),
        (
            "named parameter without its name",
            template(
                "pickup_ready",
                "en_US",
                json!([{"type": "body", "parameters": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]),
            ),
            400,
            100,
            "Parameter name",
        ),
        (
            "read mark of nothing",
            json!({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.none"}),
            400,
            100,
            "wamid.none",
        ),
        (
            "read mark with an extra",
            json!({"messaging_product": "whatsapp", "status": "read", "message_id": inbound, "to": PHONE}),
            400,
            100,
            "\\\"to\\\"",
        ),
    ];
    for (name, request, http, code, word) in table {
        let (status, answer) = send(&sim, &request).await;
        assert_eq!((status, answer["error"]["code"].as_i64()), (http, Some(code)), "{name}: {answer}");
        assert!(answer.to_string().contains(word), "{name}: {answer}");
        assert!(answer["error"]["message"].is_string() && answer["error"]["type"].is_string(), "{name}: {answer}");
        assert!(answer["error"]["fbtrace_id"].as_str().is_some_and(|id| id.len() > 8), "{name}: {answer}");
    }
    assert!(sim.ledger().is_empty(), "a refused send was accepted");
}

#[tokio::test]
async fn what_meta_takes_is_taken() {
    let (sim, _receiver, inbound) = with_customer().await;
    let joao = sim.customer("João Prado", Some(PHONE), None);
    let list = json!({"type": "list", "header": {"type": "text", "text": "Lamps"}, "body": {"text": "Which one?"}, "footer": {"text": "All in brass"},
        "action": {"button": "Show", "sections": [{"title": "Desk", "rows": [{"id": "d1", "title": "Reading lamp", "description": "Brass"}]},
                                                  {"title": "Wall", "rows": [{"id": "w1", "title": "Sconce"}]}]}});
    let table: Vec<(&str, Value)> = vec![
        ("text at the limit", with("text", json!({"body": words(4096), "preview_url": false}))),
        (
            "opaque data at the limit",
            plus(with("text", json!({"body": "x"})), "biz_opaque_callback_data", json!(words(512))),
        ),
        ("spaces in the number", plus(with("text", json!({"body": "x"})), "to", json!("+55 (11) 98877-1204"))),
        (
            "by BSUID",
            json!({"messaging_product": "whatsapp", "recipient": joao.user_id(), "type": "text", "text": {"body": "x"}}),
        ),
        ("to wins over recipient", plus(with("text", json!({"body": "x"})), "recipient", json!("BR.0"))),
        ("quote", plus(with("text", json!({"body": "x"})), "context", json!({"message_id": inbound}))),
        ("reaction", with("reaction", json!({"message_id": inbound, "emoji": "👍"}))),
        ("reaction taken back", with("reaction", json!({"message_id": inbound, "emoji": ""}))),
        ("image by link", with("image", json!({"link": "https://x.example/a.png", "caption": "x"}))),
        ("document", with("document", json!({"link": "https://x.example/a.pdf", "filename": "a.pdf"}))),
        ("location", with("location", json!({"latitude": -23.5, "longitude": "-46.6", "name": "Loja"}))),
        (
            "contacts",
            with(
                "contacts",
                json!([{"name": {"formatted_name": "Rui Alves", "first_name": "Rui"}, "phones": [{"phone": "+351910000000"}]}]),
            ),
        ),
        ("buttons", buttons(&["Yes", "No", "Later"])),
        ("list", with("interactive", list)),
        (
            "request for the phone",
            with(
                "interactive",
                json!({"type": "contact_request", "body": {"text": "Your phone?"}, "action": {"name": "request_contact_info"}}),
            ),
        ),
        (
            "template",
            template(
                "order_shipped",
                "pt_BR",
                json!([{"type": "body", "parameters": [{"type": "text", "text": "João"}, {"type": "text", "text": "1042"}]}]),
            ),
        ),
        (
            "named template",
            template(
                "pickup_ready",
                "en_US",
                json!([{"type": "body", "parameters": [
            {"type": "text", "parameter_name": "first_name", "text": "João"}, {"type": "text", "parameter_name": "product", "text": "lamp"}]}]),
            ),
        ),
        (
            "template with picture and button",
            template(
                "evening_lamps",
                "en_US",
                json!([
            {"type": "header", "parameters": [{"type": "image", "image": {"link": "https://x.example/a.png"}}]},
            {"type": "body", "parameters": [{"type": "text", "text": "João"}]},
            {"type": "button", "sub_type": "quick_reply", "index": "0", "parameters": [{"type": "payload", "payload": "yes"}]}]),
            ),
        ),
    ];
    let total = table.len();
    for (name, request) in table {
        let (status, answer) = send(&sim, &request).await;
        assert_eq!(status, 200, "{name}: {answer}");
        assert_eq!(answer["messaging_product"], "whatsapp", "{name}");
        assert!(wamid(&answer).starts_with("wamid."), "{name}: {answer}");
        let contact = &answer["contacts"][0];
        assert_eq!(contact["wa_id"].is_null(), name == "by BSUID", "{name}: {answer}");
        assert_eq!(
            answer["messages"][0]["message_status"] == "accepted",
            name.contains("template"),
            "{name}: {answer}"
        );
    }
    assert_eq!(sim.ledger().len(), total);
    let (status, answer) = send(&sim, &json!({"messaging_product": "whatsapp", "status": "read", "message_id": inbound, "typing_indicator": {"type": "text"}})).await;
    assert_eq!((status, answer), (200, json!({"success": true})));
    assert_eq!(sim.read_marks(), vec![(inbound, true)]);
}

#[tokio::test]
async fn tokens_numbers_and_paths_are_checked() {
    let (sim, _receiver, _) = with_customer().await;
    let http = client();
    let url = format!("{}/v26.0/{NUMBER}/messages", sim.base_url());
    let body = text_to(PHONE, "x", "o");
    for (name, request) in [
        ("no token", http.post(&url).json(&body)),
        ("wrong token", http.post(&url).json(&body).bearer_auth("sim-access-toke")),
        ("token in the query", http.post(format!("{url}?access_token={TOKEN}")).json(&body)),
        ("basic", http.post(&url).json(&body).basic_auth(TOKEN, Some(""))),
    ] {
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(
            (status, answer["error"]["code"].as_i64(), answer["error"]["type"].as_str()),
            (401, Some(190), Some("OAuthException")),
            "{name}"
        );
    }
    let (status, answer) = post_json(&sim, "/v26.0/106540000000009/messages", &body).await;
    let error = &answer["error"];
    assert_eq!(
        (status, error["code"].as_i64(), error["error_subcode"].as_i64()),
        (400, Some(100), Some(33)),
        "{answer}"
    );
    assert_eq!(error["type"], "GraphMethodException");
    for path in [
        format!("/{NUMBER}/messages"),
        format!("/latest/{NUMBER}/messages"),
        format!("/v26.0/{NUMBER}/massages"),
        "/".to_owned(),
    ] {
        let (status, answer) = post_json(&sim, &path, &body).await;
        assert_eq!((status, answer["error"]["code"].as_i64()), (400, Some(2500)), "{path}: {answer}");
    }
    let form = http
        .post(&url)
        .bearer_auth(TOKEN)
        .header("content-type", "text/plain")
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    assert!(form.text().await.unwrap().contains("messaging_product is required"));
    let torn = http
        .post(&url)
        .bearer_auth(TOKEN)
        .header("content-type", "application/json")
        .body("{\"to\":")
        .send()
        .await
        .unwrap();
    assert_eq!(torn.json::<Value>().await.unwrap()["error"]["code"], 100);
    sim.set_access_token("rotated");
    let (status, _) = send(&sim, &body).await;
    assert_eq!(status, 401);
    assert!(sim.ledger().is_empty());
}

#[tokio::test]
async fn the_window_closes_after_24_hours_and_templates_pass_it() {
    let (sim, receiver, clock) = connected().await;
    let joao = sim.customer("João Prado", Some(PHONE), None);
    let first = joao.says("Bom dia");
    clock.advance(24 * 3_600_000 - 1);
    let (_, inside) = send(&sim, &text_to(PHONE, "ainda dentro", "o1")).await;
    clock.advance(1);
    joao.reacts(&first, "👍");
    let (status, outside) = send(&sim, &text_to(PHONE, "tarde demais", "o2")).await;
    assert_eq!(status, 200, "Meta accepts first and fails later");
    let allowed = template("hello", "en_US", json!([]));
    let (_, by_template) = send(&sim, &plus(allowed, "biz_opaque_callback_data", json!("o3"))).await;
    sim.drain().await;
    assert_eq!(receiver.statuses_of(&wamid(&inside)), ["sent", "delivered", "read"]);
    assert_eq!(receiver.statuses_of(&wamid(&outside)), ["failed"], "a reaction opens no window");
    assert_eq!(receiver.statuses_of(&wamid(&by_template)), ["sent", "delivered", "read"]);
    let failed = receiver.items("statuses").into_iter().find(|status| status["status"] == "failed").unwrap();
    assert_eq!(failed["errors"][0]["code"], 131047);
    assert_eq!(failed["biz_opaque_callback_data"], "o2");
    assert!(failed.get("recipient_user_id").is_none(), "a failed send to a phone does not reveal whose it is");
    assert_eq!(sim.violations().len(), 1, "{:?}", sim.violations());
}

#[tokio::test]
async fn both_ways_of_reporting_are_there() {
    let (config, clock) = quick(7);
    let config = parley_sim::SimConfig { closed_window: Refusal::AtOnce, unknown_recipient: Refusal::Later, ..config };
    let sim = MetaSim::start(config).await.unwrap();
    let receiver = Receiver::start().await;
    sim.set_webhook(&receiver.url);
    sim.customer("João Prado", Some(PHONE), None).says("Bom dia");
    clock.advance(24 * 3_600_000);
    let (status, answer) = send(&sim, &text_to(PHONE, "x", "o1")).await;
    assert_eq!((status, answer["error"]["code"].as_i64()), (400, Some(131047)));
    let (status, answer) = send(&sim, &text_to("+5511900000000", "x", "o2")).await;
    assert_eq!(status, 200);
    sim.drain().await;
    assert_eq!(receiver.statuses_of(&wamid(&answer)), ["failed"]);
    assert_eq!(receiver.items("statuses")[0]["errors"][0]["code"], 131026);
}

#[tokio::test]
async fn rates_are_off_until_configured() {
    let (config, clock) = quick(7);
    let config = parley_sim::SimConfig { pair_burst: Some(2), throughput_per_second: Some(4), ..config };
    let sim = MetaSim::start(config).await.unwrap();
    let ana = sim.customer("Ana Lima", Some("+5511912345678"), None);
    ana.says("oi");
    sim.customer("João Prado", Some(PHONE), None).says("oi");
    let mut codes = Vec::new();
    for at in 0..6 {
        let to = if at < 3 { PHONE } else { "+5511912345678" };
        codes.push(send(&sim, &text_to(to, "x", &at.to_string())).await.1["error"]["code"].as_i64());
    }
    // The third to João meets the pair limit (and spent throughput), so the fifth overall meets the number's.
    assert_eq!(codes, [None, None, Some(131056), None, Some(130429), Some(130429)]);
    clock.advance(6_000);
    assert_eq!(send(&sim, &text_to(PHONE, "x", "6")).await.0, 200, "one more after six seconds");
    assert_eq!(sim.ledger().len(), 4);
    assert_eq!(sim.refused().get(&131056), Some(&1));
}
