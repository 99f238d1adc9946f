//! Customers: who they are in webhooks, what they send, what reaches them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::*;
use parley_sim::{MetaSim, script};
use serde_json::{Value, json};

fn phone_of(message: &Value) -> Option<&str> {
    message["from"].as_str()
}

#[tokio::test]
async fn the_same_seed_knows_the_same_people() {
    let (first, _r1, _) = connected().await;
    let (again, _r2, _) = connected().await;
    let ana = first.customer("Ana Lima", Some("+5511912345678"), None);
    assert_eq!(ana.user_id(), again.customer("Ana Lima", Some("+55 11 91234-5678"), None).user_id());
    assert_eq!(
        ana.user_id(),
        first.customer("Ana Lima", Some("+5511912345678"), None).user_id(),
        "asked twice, one person"
    );
    let (country, digits) = ana.user_id().split_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    assert_eq!(country, "BR");
    assert!(digits.bytes().all(|b| b.is_ascii_digit()));
    assert_eq!(&first.customer_in("ID", "Siti Fauziah", None, Some("siti.fauziah")).user_id()[..3], "ID.");
}

#[tokio::test]
async fn a_username_hides_the_phone_until_the_business_uses_it() {
    let (sim, receiver, clock) = connected().await;
    let omar = sim.customer("Omar Khalil", Some("+971502339017"), Some("@omar.khalil"));
    let siti = sim.customer_in("ID", "Siti Fauziah", None, Some("@siti.fauziah"));
    omar.says("السلام عليكم");
    siti.says("Selamat siang");
    send(&sim, &text_to("+971502339017", "وعليكم السلام", "o1")).await;
    omar.says("شكراً");
    clock.advance(30 * 24 * 3_600_000);
    omar.says("مرحباً");
    sim.drain().await;
    let messages = receiver.items("messages");
    assert_eq!(messages.iter().map(phone_of).collect::<Vec<_>>(), [None, None, Some("971502339017"), None]);
    assert!(messages.iter().all(|message| message["from_user_id"].is_string()));
    assert!(messages[0].get("from").is_none(), "absent, not empty");
    let contacts = receiver.items("contacts");
    assert_eq!(contacts[1]["profile"], json!({"name": "Siti Fauziah", "username": "@siti.fauziah"}));
    assert!(contacts[1].get("wa_id").is_none());
}

#[tokio::test]
async fn statuses_follow_a_customer_who_is_online_and_wait_for_one_who_is_not() {
    let (sim, receiver, clock) = connected().await;
    let siti = sim.customer_in("ID", "Siti Fauziah", None, Some("@siti.fauziah"));
    siti.says("Selamat siang");
    siti.online(false);
    let body = json!({"messaging_product": "whatsapp", "recipient": siti.user_id(), "type": "text", "text": {"body": "Masih ada"},
        "biz_opaque_callback_data": "{\"o\":\"42\"}"});
    let (_, answer) = send(&sim, &body).await;
    assert_eq!(answer["contacts"], json!([{"input": siti.user_id(), "user_id": siti.user_id()}]));
    let id = wamid(&answer);
    sim.drain().await;
    assert_eq!(receiver.statuses_of(&id), ["sent"]);
    assert!(siti.received().is_empty());
    siti.reads_at_once(false);
    clock.advance(5_000);
    siti.online(true);
    sim.drain().await;
    assert_eq!(receiver.statuses_of(&id), ["sent", "delivered"]);
    assert!(siti.reads(&id));
    assert!(!siti.reads(&id), "read once");
    sim.drain().await;
    let statuses = receiver.items("statuses");
    assert_eq!(receiver.statuses_of(&id), ["sent", "delivered", "read"]);
    for status in &statuses {
        assert_eq!(status["biz_opaque_callback_data"], "{\"o\":\"42\"}");
        assert_eq!(status["recipient_user_id"], siti.user_id().as_str());
        assert!(status.get("recipient_id").is_none(), "no phone was ever known");
        assert_eq!(status["pricing"]["category"] == "service", status["status"] != "read", "{status}");
    }
    assert_eq!(statuses[0]["timestamp"], (NOON / 1000).to_string());
    assert_eq!(statuses[1]["timestamp"], (NOON / 1000 + 5).to_string());
}

#[tokio::test]
async fn a_customer_who_blocks_us_gets_nothing() {
    let (sim, receiver, _) = connected().await;
    let marta = sim.customer("Marta Bianchi", Some("+393471182290"), None);
    marta.says("Basta");
    marta.blocks(true);
    let (status, answer) = send(&sim, &text_to("+393471182290", "x", "o")).await;
    sim.drain().await;
    assert_eq!((status, receiver.statuses_of(&wamid(&answer))), (200, vec!["failed".to_owned()]));
    assert!(marta.received().is_empty());
}

#[tokio::test]
async fn messages_have_metas_shapes() {
    let (sim, receiver, _) = connected().await;
    let takeshi = sim.customer("Takeshi Kondo", Some("+819055128834"), None);
    takeshi.says("こんにちは");
    let (_, answer) = send(&sim, &text_to("+819055128834", "どうぞ", "o")).await;
    let ours = wamid(&answer);
    takeshi.orders(script::CATALOG_ID, &script::reading_lamps(), "二つ");
    takeshi.replies_to(&ours, "はい");
    takeshi.reacts(&ours, "👍");
    takeshi.reacts(&ours, "");
    takeshi.presses_button(&ours, "yes", "はい");
    takeshi.picks_row(&ours, "d1", "読書灯");
    takeshi.taps_quick_reply(&ours, "STOP", "停止");
    takeshi.shares_location(35.68, 139.76, None);
    takeshi.sends("hologram", json!({"id": "1"}), None);
    takeshi.changes_number("+819000000001");
    sim.drain().await;
    let messages = receiver.items("messages");
    let of =
        |kind: &str| messages.iter().find(|message| message["type"] == kind).unwrap_or_else(|| panic!("no {kind}"));
    assert_eq!(
        of("order")["order"],
        json!({"catalog_id": script::CATALOG_ID, "text": "二つ", "product_items": [
            {"product_retailer_id": "LAMP-BRASS-READ", "quantity": 2, "item_price": 4850, "currency": "INR"},
            {"product_retailer_id": "SHADE-LINEN-S", "quantity": 1, "item_price": 1200, "currency": "INR"}]})
    );
    let quoting = json!({"from": "15550100001", "id": ours});
    assert_eq!(messages[2]["context"], quoting);
    assert_eq!(messages[3]["reaction"], json!({"message_id": ours, "emoji": "👍"}));
    assert_eq!(messages[4]["reaction"], json!({"message_id": ours}), "taken back: the key is absent");
    assert_eq!(
        messages[5]["interactive"],
        json!({"type": "button_reply", "button_reply": {"id": "yes", "title": "はい"}})
    );
    assert_eq!(messages[6]["interactive"]["list_reply"]["id"], "d1");
    assert_eq!(of("button")["button"], json!({"payload": "STOP", "text": "停止"}));
    assert_eq!(of("button")["context"], quoting);
    assert_eq!(of("location")["location"], json!({"latitude": 35.68, "longitude": 139.76}));
    assert_eq!(of("hologram")["hologram"], json!({"id": "1"}));
    let system = &of("system")["system"];
    assert_eq!(system["type"], "user_changed_number");
    assert_eq!(system["wa_id"], "819000000001");
    assert_eq!(system["previous_user_id"], messages[0]["from_user_id"]);
    assert_eq!(system["user_id"], takeshi.user_id().as_str());
    assert_ne!(system["user_id"], system["previous_user_id"]);
    let metadata = &receiver.posts()[0].json()["entry"][0];
    assert_eq!(metadata["id"], WABA);
    assert_eq!(
        metadata["changes"][0]["value"]["metadata"],
        json!({"display_phone_number": "15550100001", "phone_number_id": NUMBER})
    );
}

#[tokio::test]
async fn two_numbers_have_windows_of_their_own() {
    let (mut config, _) = quick(7);
    config.numbers.push(parley_sim::Number {
        phone_number_id: "106540000000002".into(),
        display_phone_number: "+1 555-010-0002".into(),
        verified_name: "Lantern & Loom Repairs".into(),
    });
    let sim = MetaSim::start(config).await.unwrap();
    let receiver = Receiver::start().await;
    sim.set_webhook(&receiver.url);
    let inbound = sim.customer("Ana Lima", Some("+5511912345678"), None).writing_to("106540000000002").says("oi");
    let (_, closed) = send(&sim, &text_to("+5511912345678", "x", "o1")).await;
    let (_, open) = post_json(&sim, "/v26.0/106540000000002/messages", &text_to("+5511912345678", "x", "o2")).await;
    let mark = json!({"messaging_product": "whatsapp", "status": "read", "message_id": inbound});
    assert_eq!(send(&sim, &mark).await.0, 400, "the message went to the other number");
    sim.drain().await;
    assert_eq!(receiver.statuses_of(&wamid(&closed)), ["failed"]);
    assert_eq!(receiver.statuses_of(&wamid(&open)), ["sent", "delivered", "read"]);
}

#[tokio::test]
async fn a_picture_can_be_downloaded_for_five_minutes_with_the_token() {
    let (sim, receiver, clock) = connected().await;
    sim.customer("João Prado", Some("+5511988771204"), None).sends_image(Some("olha"));
    sim.drain().await;
    let image = receiver.items("messages")[0]["image"].clone();
    assert_eq!((image["caption"].as_str(), image["mime_type"].as_str()), (Some("olha"), Some("image/png")));
    let fetch = |url: String, token: &'static str| async move {
        let answer = client().get(url).bearer_auth(token).send().await.unwrap();
        (answer.status().as_u16(), answer.bytes().await.unwrap())
    };
    let url = image["url"].as_str().unwrap().to_owned();
    let (status, bytes) = fetch(url.clone(), TOKEN).await;
    assert_eq!(status, 200);
    assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"));
    use base64::Engine as _;
    use sha2::Digest as _;
    let sum = sha2::Sha256::digest(&bytes);
    assert_eq!(image["sha256"], base64::engine::general_purpose::STANDARD.encode(sum));
    assert_eq!(fetch(url.clone(), "wrong").await.0, 401);
    clock.advance(5 * 60_000);
    assert_eq!(fetch(url, TOKEN).await.0, 404, "the url is stale");
    let id = image["id"].as_str().unwrap();
    let (_, found) = get_json(&sim, &format!("/v26.0/{id}?phone_number_id={NUMBER}")).await;
    assert_eq!(found["sha256"], hex::encode(sum));
    assert_eq!(fetch(found["url"].as_str().unwrap().to_owned(), TOKEN).await.1, bytes);
    clock.advance(7 * 24 * 3_600_000);
    assert_eq!(get_json(&sim, &format!("/v26.0/{id}")).await.1["error"]["error_subcode"], 33, "the id is dead");
}

#[tokio::test]
async fn everybody_of_the_demo_talks_and_hears_an_answer() {
    let (sim, receiver, _) = connected().await;
    let stories = script::demo_stories();
    let people: Vec<_> = stories.iter().map(|story| story.customer(&sim)).collect();
    let steps: usize = stories.iter().map(|story| story.steps.len()).sum();
    let waits = |story: &script::Story| {
        story.steps.iter().filter(|(when, _)| matches!(when, script::When::AfterAnswer(_))).count()
    };
    let answer_all = async {
        // Each person is answered as often as their story waits for it, after their first words.
        for (person, story) in people.iter().zip(&stories) {
            let recipient = person.user_id();
            while !receiver.items("messages").iter().any(|message| message["from_user_id"] == recipient.as_str()) {
                tokio::task::yield_now().await;
            }
            for at in 0..waits(story) {
                let body = json!({"messaging_product": "whatsapp", "recipient": recipient, "type": "text",
                    "text": {"body": "Hello"}, "biz_opaque_callback_data": format!("{recipient}/{at}")});
                assert_eq!(send(&sim, &body).await.0, 200);
            }
        }
    };
    // A speed at which no wait is longer than a few milliseconds.
    tokio::join!(script::play(&sim, script::demo_stories(), 1_000), answer_all);
    sim.drain().await;
    let messages = receiver.items("messages");
    assert_eq!(messages.len(), steps);
    assert_eq!(messages.iter().filter(|message| message["type"] == "order").count(), 1);
    assert!(people.iter().zip(&stories).all(|(person, story)| person.received().len() == waits(story)));
    assert!(sim.violations().is_empty());
}
