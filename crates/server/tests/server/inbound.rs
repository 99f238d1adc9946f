//! Webhooks: what is refused, what is kept once, what a batch comes to.

use parley_domain::content::{Content, SystemEvent};
use parley_domain::conversation::Status;
use parley_domain::entity::Entity;
use parley_domain::message::Direction;
use parley_domain::order::Order;
use parley_domain::protocol::session::Secret;
use parley_domain::{AppId, Phone, PhoneNumberId, WabaId};
use parley_meta::webhook::signature;
use parley_server::admin::NewWhatsapp;
use parley_sim::OrderItem;
use serde_json::json;

use crate::world::{SECRET, World, body, bsuid, card, change, eventually, everywhere, message, phone, text};

everywhere!(
    a_wrong_signature_stores_nothing,
    the_owner_of_another_app_cannot_write_into_this_inbox,
    the_challenge_is_answered_with_the_right_token_only,
    a_repeated_body_is_one_message,
    wamids_that_differ_in_case_are_two,
    three_by_three_by_three_is_twenty_seven,
    a_person_is_found_by_any_of_their_ids,
    an_unreadable_sibling_harms_nobody,
    an_unknown_number_waits_until_it_is_connected,
    a_catalog_order_becomes_a_draft,
    reactions_edits_and_revocations_find_their_message,
    a_large_body_is_refused,
    rough_webhooks_lose_and_repeat_nothing,
);

async fn a_wrong_signature_stores_nothing(world: World) {
    let raw = text(&world, "wamid.1", 1, "hello").to_string();
    let right = signature::sign(SECRET.as_bytes(), raw.as_bytes());
    let re_serialised = raw.replace("\":", "\": ");
    let cases = [
        (raw.clone(), None),
        (raw.clone(), Some(signature::sign(b"another secret", raw.as_bytes()))),
        (raw.clone(), Some(right.replace("sha256=", "sha1="))),
        (raw.clone(), Some(String::new())),
        (re_serialised, Some(right.clone())),
    ];
    for (raw, signed) in cases {
        assert_eq!(world.post_raw(raw, signed.as_deref()).await, 401);
    }
    assert_eq!(world.raw_counts().await.0, 0, "nothing is stored");
    let other = world.url("/webhooks/meta/999");
    let answer = world.http.post(other).header(signature::HEADER, &right).body(raw).send().await.unwrap();
    assert_eq!(answer.status(), 401, "an unknown app has no secret that could match");
    let mut desk = world.desk("ada").await;
    desk.snapshot(&world).await;
    assert_eq!(desk.messages().len(), 0);
}

/// A4: the signature is genuine, but the app that made it does not serve the number that the body names.
async fn the_owner_of_another_app_cannot_write_into_this_inbox(world: World) {
    let theirs = NewWhatsapp {
        name: "Somebody else".to_owned(),
        app: AppId("770000000000007".to_owned()),
        app_secret: Secret::new("their own secret"),
        verify_token: Secret::new("their own token"),
        waba: WabaId("770000000000070".to_owned()),
        phone_number_id: PhoneNumberId("770000000000700".to_owned()),
        display_phone: Phone::new("+1 555-010-0777"),
        token: Secret::new("their own access"),
        graph_url: None,
    };
    world.app().admin().connect_whatsapp(world.workspace, theirs).await.unwrap();
    let raw = text(&world, "wamid.forged", 1, "pay to this account instead").to_string();
    let signed = signature::sign(b"their own secret", raw.as_bytes());
    let url = world.url("/webhooks/meta/770000000000007");
    let answer = world.http.post(url).header(signature::HEADER, signed).body(raw).send().await.unwrap();
    assert_eq!(answer.status(), 200, "the body is theirs to sign");
    world.applied().await;
    assert_eq!(world.webhook(&text(&world, "wamid.true", 2, "is the lamp there?")).await, 200);
    world.applied().await;
    let mut desk = world.desk("ada").await;
    desk.snapshot(&world).await;
    assert_eq!(desk.messages().len(), 1, "only the number's own app reaches it");
}

async fn the_challenge_is_answered_with_the_right_token_only(world: World) {
    let token = world.sim.config().verify_token.clone();
    let ask = async |token: &str| {
        let query = format!("?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={token}");
        let answer = world.http.get(world.url(&(world.webhook_path() + &query))).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(ask(&token).await, (200, "1158201444".to_owned()));
    assert_eq!(ask("wrong").await.0, 403);
}

async fn a_repeated_body_is_one_message(world: World) {
    for _ in 0..3 {
        assert_eq!(world.webhook(&text(&world, "wamid.same", 1, "once")).await, 200);
    }
    world.applied().await;
    assert_eq!(world.webhook(&text(&world, "wamid.same", 1, "once")).await, 200);
    world.applied().await;
    let mut desk = world.desk("ada").await;
    desk.snapshot(&world).await;
    assert_eq!(desk.messages().len(), 1);
    assert_eq!(world.raw_counts().await, (0, 0, 0), "bodies go when their last item is done");
}

async fn wamids_that_differ_in_case_are_two(world: World) {
    world.webhook(&text(&world, "wamid.HBgLabC", 1, "lower")).await;
    world.webhook(&text(&world, "wamid.HBgLABC", 1, "upper")).await;
    world.applied().await;
    let mut desk = world.desk("ada").await;
    desk.snapshot(&world).await;
    assert_eq!(desk.messages().len(), 2);
}

async fn three_by_three_by_three_is_twenty_seven(world: World) {
    let mut n = 0;
    let entries: Vec<_> = (0..3)
        .map(|_| {
            let changes: Vec<_> = (0..3)
                .map(|_| {
                    let messages: Vec<_> = (0..3)
                        .map(|_| {
                            n += 1;
                            message(&world, &format!("wamid.batch{n}"), n % 4, "in a batch")
                        })
                        .collect();
                    change("106540000000001", json!([card(0), card(1), card(2), card(3)]), json!(messages), json!([]))
                })
                .collect();
            json!({ "id": "102290000000001", "changes": changes })
        })
        .collect();
    let batch = json!({ "object": "whatsapp_business_account", "entry": entries });
    assert_eq!(world.webhook(&batch).await, 200);
    world.applied().await;
    let mut desk = world.desk("ada").await;
    desk.snapshot(&world).await;
    assert_eq!(desk.messages().len(), 27);
    let contacts = desk.entities(|entity| match entity {
        Entity::Contact(row) => Some(row),
        _ => None,
    });
    assert_eq!(contacts.len(), 4);
    let positions: std::collections::BTreeSet<u64> = desk.messages().iter().map(|message| message.position).collect();
    assert_eq!(positions.len(), 27, "every message has a place of its own");
}

async fn a_person_is_found_by_any_of_their_ids(world: World) {
    let with = |wamid: &str, from: Option<&str>, user: Option<String>| {
        let mut one = message(&world, wamid, 1, "hi");
        let mut contact = card(1);
        for (object, phone_key, id_key) in [(&mut one, "from", "from_user_id"), (&mut contact, "wa_id", "user_id")] {
            let fields = object.as_object_mut().unwrap();
            match from {
                Some(phone) => fields.insert(phone_key.to_owned(), json!(phone)),
                None => fields.remove(phone_key),
            };
            match &user {
                Some(user) => fields.insert(id_key.to_owned(), json!(user)),
                None => fields.remove(id_key),
            };
        }
        body(json!([change("106540000000001", json!([contact]), json!([one]), json!([]))]))
    };
    // Brazil's ninth digit comes and goes; the phone is missing once a username is used.
    world.webhook(&with("wamid.p1", Some("5511912345678"), None)).await;
    world.applied().await;
    world.webhook(&with("wamid.p2", Some("551112345678"), Some(bsuid(9)))).await;
    world.applied().await;
    world.webhook(&with("wamid.p3", None, Some(bsuid(9)))).await;
    world.webhook(&with("wamid.p4", None, Some(bsuid(9).replace('D', "d")))).await;
    world.applied().await;
    let mut desk = world.desk("ada").await;
    desk.snapshot(&world).await;
    let mut by_conversation = std::collections::BTreeMap::new();
    for message in desk.messages() {
        *by_conversation.entry(message.conversation).or_insert(0) += 1;
    }
    let mut sizes: Vec<_> = by_conversation.into_values().collect();
    sizes.sort_unstable();
    assert_eq!(sizes, vec![1, 3], "one person wrote three times; another case is another person");
}

async fn an_unreadable_sibling_harms_nobody(world: World) {
    let broken = json!({ "id": 5, "type": {} });
    let messages = json!([message(&world, "wamid.a", 1, "first"), broken, message(&world, "wamid.b", 1, "second")]);
    world.webhook(&body(json!([change("106540000000001", json!([card(1)]), messages, json!([]))]))).await;
    world.webhook(&json!({ "object": "something_else", "entry": "?" })).await;
    world.applied().await;
    let mut desk = world.desk("ada").await;
    desk.snapshot(&world).await;
    assert_eq!(desk.messages().len(), 2);
}

async fn an_unknown_number_waits_until_it_is_connected(world: World) {
    let late = body(json!([change(
        "106540000000777",
        json!([card(1)]),
        json!([message(&world, "wamid.early", 1, "early bird")]),
        json!([])
    )]));
    assert_eq!(world.webhook(&late).await, 200);
    eventually("the item waits", async || world.raw_counts().await == (1, 1, 0)).await;
    let inbox = world.connect("106540000000777").await;
    eventually("the item is done", async || world.raw_counts().await == (0, 0, 0)).await;
    let mut desk = world.desk("ada").await;
    desk.snapshot(&world).await;
    assert_eq!(desk.messages().len(), 1);
    let conversations = desk.entities(|entity| match entity {
        Entity::Conversation(row) => Some(row),
        _ => None,
    });
    assert_eq!(conversations[0].inbox, inbox);
}

async fn a_catalog_order_becomes_a_draft(world: World) {
    let ana = world.sim.customer("Ana Lima", Some("+55 11 91234-5678"), None);
    let items = [OrderItem::new("LAMP-1", 2, 30, "EUR"), OrderItem::new("RUG-9", 1, 120, "EUR")];
    ana.orders("194836987003835", &items, "for Saturday please");
    world.sim.drain().await;
    world.applied().await;
    let mut desk = world.desk("ada").await;
    desk.snapshot(&world).await;
    let orders: Vec<&Order> = desk.entities(|entity| match entity {
        Entity::Order(row) => Some(row),
        _ => None,
    });
    assert_eq!(orders.len(), 1);
    assert_eq!((orders[0].number, orders[0].total_minor, orders[0].currency.as_str()), (1, 18_000, "EUR"));
    let first = desk.entities(|entity| match entity {
        Entity::Stage(row) if row.place == 0 => Some(row),
        _ => None,
    });
    assert_eq!(orders[0].stage, first[0].id);
    let items = desk.entities(|entity| match entity {
        Entity::OrderItem(row) => Some(row),
        _ => None,
    });
    assert_eq!(items.len(), 2);
    let lines: Vec<_> = desk.messages().into_iter().filter(|m| m.direction == Direction::Activity).collect();
    assert!(matches!(lines[0].content, Content::System { event: SystemEvent::OrderAdded, .. }));
}

async fn reactions_edits_and_revocations_find_their_message(world: World) {
    world.webhook(&text(&world, "wamid.orig", 1, "tomorow")).await;
    world.webhook(&text(&world, "wamid.gone", 1, "never mind")).await;
    world.applied().await;
    let about = |wamid: &str, kind: &str, object: serde_json::Value| {
        let mut one = message(&world, wamid, 1, "");
        let fields = one.as_object_mut().unwrap();
        fields.remove("text");
        fields.insert("type".to_owned(), json!(kind));
        fields.insert(kind.to_owned(), object);
        body(json!([change("106540000000001", json!([card(1)]), json!([one]), json!([]))]))
    };
    world.webhook(&about("wamid.r", "reaction", json!({ "message_id": "wamid.orig", "emoji": "👍" }))).await;
    let edit = json!({ "original_message_id": "wamid.orig",
        "message": { "type": "text", "text": { "body": "tomorrow" } } });
    world.webhook(&about("wamid.e", "edit", edit)).await;
    world.webhook(&about("wamid.v", "revoke", json!({ "original_message_id": "wamid.gone" }))).await;
    world.applied().await;
    let mut desk = world.desk("ada").await;
    desk.snapshot(&world).await;
    let messages = desk.messages();
    assert_eq!(messages.len(), 3, "two texts and a reaction");
    assert!(messages[0].edited);
    assert!(matches!(&messages[0].content, Content::Text { body } if body.expose() == "tomorrow"));
    assert!(messages[1].revoked);
    assert!(matches!(&messages[2].content, Content::Reaction { to, .. } if *to == Some(messages[0].id)));
}

async fn a_large_body_is_refused(world: World) {
    let raw = format!("{{\"x\":\"{}\"}}", "a".repeat(parley_domain::limits::WEBHOOK_BODY_MAX));
    let signed = signature::sign(SECRET.as_bytes(), raw.as_bytes());
    assert_eq!(world.post_raw(raw, Some(&signed)).await, 413);
    assert_eq!(world.raw_counts().await.0, 0);
}

async fn rough_webhooks_lose_and_repeat_nothing(world: World) {
    let mut expected = 0;
    let tasks: Vec<_> = (0..8u32)
        .map(|lane| {
            let bodies: Vec<String> = (0..25)
                .map(|n| {
                    text(&world, &format!("wamid.{lane}.{}", n % 20), lane, &format!("{lane} says {n}")).to_string()
                })
                .collect();
            expected += 20;
            let (http, url) = (world.http.clone(), world.url(&world.webhook_path()));
            tokio::spawn(async move {
                for raw in bodies {
                    let signed = signature::sign(SECRET.as_bytes(), raw.as_bytes());
                    let answer = http.post(&url).header(signature::HEADER, signed).body(raw).send().await.unwrap();
                    assert_eq!(answer.status(), 200);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    world.applied().await;
    let mut desk = world.desk("ada").await;
    desk.snapshot(&world).await;
    assert_eq!(desk.messages().len(), expected);
    let conversations = desk.entities(|entity| match entity {
        Entity::Conversation(row) => Some(row),
        _ => None,
    });
    assert_eq!(conversations.len(), 8);
    assert!(conversations.iter().all(|row| row.status == Status::Open && row.assignee.is_none()));
    let phones = desk.entities(|entity| match entity {
        Entity::Contact(row) => row.phone.as_ref(),
        _ => None,
    });
    assert!(phones.iter().any(|known| known.digits() == phone(3)));
}
