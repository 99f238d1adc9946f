//! Webhooks: signed over the raw bytes, unruly by seed, repeated until 200.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeMap;

use common::*;
use parley_sim::{FaultPlan, MetaSim};
use serde_json::{Value, json};

#[tokio::test]
async fn the_signature_covers_the_raw_bytes_and_only_them() {
    // RFC 4231, test case 2: the independent HMAC is one.
    assert_eq!(
        hmac_sha256(b"Jefe", b"what do ya want for nothing?"),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
    let (sim, receiver, _) = connected().await;
    sim.customer("Omar Khalil", Some("+971502339017"), None).says("متى يصل طلبي؟ 1/2 🪔");
    sim.drain().await;
    let post = &receiver.posts()[0];
    assert_eq!(post.signature, format!("sha256={}", hmac_sha256(SECRET.as_bytes(), &post.raw)));
    assert!(post.raw.is_ascii(), "Meta escapes everything beyond ASCII");
    let text = String::from_utf8(post.raw.clone()).unwrap();
    assert!(text.contains("1\\/2 \\ud83e\\ude94"), "{text}");
    let again = post.json().to_string();
    assert_ne!(post.signature, format!("sha256={}", hmac_sha256(SECRET.as_bytes(), again.as_bytes())));
    assert_eq!(receiver.items("messages")[0]["text"]["body"], "متى يصل طلبي؟ 1/2 🪔");
}

#[tokio::test]
async fn the_url_is_verified_by_challenge() {
    let (sim, receiver, _) = connected().await;
    sim.verify_webhook().await.unwrap();
    let mut config = quick(1).0;
    config.verify_token = "another token & more".into();
    let other = MetaSim::start(config).await.unwrap();
    other.set_webhook(&receiver.url);
    assert!(other.verify_webhook().await.is_err());
}

/// Sixty messages of six people, raised while held, then delivered under a plan.
async fn rough(seed: u64) -> (Vec<String>, Receiver) {
    let (mut config, _) = quick(seed);
    config.faults = FaultPlan { concurrency: 1, delay_permille: 0, ..FaultPlan::rough_webhooks() };
    let sim = MetaSim::start(config).await.unwrap();
    let receiver = Receiver::start().await;
    sim.hold(true);
    sim.set_webhook(&receiver.url);
    let mut wamids = Vec::new();
    for at in 0..60 {
        let phone = format!("+9198200418{:02}", at % 6);
        wamids.push(sim.customer("Ananya Mehta", Some(&phone), None).says(&format!("message {at}")));
    }
    sim.hold(false);
    sim.drain().await;
    (wamids, receiver)
}

#[tokio::test]
async fn batches_repeats_and_orders_are_the_same_for_a_seed_and_lose_nothing() {
    let (wamids, first) = rough(5).await;
    let (_, again) = rough(5).await;
    let (_, other) = rough(6).await;
    let bodies = |receiver: &Receiver| receiver.posts().into_iter().map(|post| post.raw).collect::<Vec<_>>();
    assert_eq!(bodies(&first), bodies(&again));
    assert_ne!(bodies(&first), bodies(&other));

    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    let order: Vec<String> =
        first.items("messages").iter().map(|message| message["id"].as_str().unwrap().to_owned()).collect();
    for id in &order {
        *times.entry(id.clone()).or_default() += 1;
    }
    assert!(wamids.iter().all(|id| times.contains_key(id)), "an event was lost");
    assert_eq!(times.len(), wamids.len(), "an event was made up");
    assert!(times.values().any(|n| *n > 1), "nothing was repeated");
    let mut first_seen = order.clone();
    first_seen.dedup();
    assert_ne!(first_seen, wamids, "nothing was reordered");
    let shapes: Vec<(usize, usize, usize)> = first.posts().iter().map(|post| shape(&post.json())).collect();
    assert!(shapes.iter().any(|(entries, _, _)| *entries > 1), "{shapes:?}");
    assert!(shapes.iter().any(|(_, changes, _)| *changes > 1), "{shapes:?}");
    assert!(shapes.iter().any(|(_, _, messages)| *messages > 1), "{shapes:?}");
}

/// Entries, most changes of an entry, most messages of a change.
fn shape(body: &Value) -> (usize, usize, usize) {
    let entries = body["entry"].as_array().unwrap();
    let changes = entries.iter().map(|entry| entry["changes"].as_array().unwrap());
    let most_messages =
        changes.clone().flatten().map(|change| change["value"]["messages"].as_array().map_or(0, Vec::len)).max();
    (entries.len(), changes.map(Vec::len).max().unwrap(), most_messages.unwrap())
}

#[tokio::test]
async fn every_message_of_a_batch_has_its_contact() {
    let (_, receiver) = rough(5).await;
    for post in receiver.posts() {
        for entry in post.json()["entry"].as_array().unwrap() {
            for change in entry["changes"].as_array().unwrap() {
                let contacts = change["value"]["contacts"].as_array().unwrap();
                for message in change["value"]["messages"].as_array().unwrap() {
                    let own = contacts.iter().filter(|contact| contact["user_id"] == message["from_user_id"]);
                    assert_eq!(own.count(), 1, "{change}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_refused_body_is_repeated_unchanged_until_200() {
    let (sim, receiver, _) = connected().await;
    receiver.answers(&[500, 401, 204, 503]);
    let wamid = sim.customer("Marta Bianchi", Some("+393471182290"), None).says("Buongiorno");
    sim.drain().await;
    let posts = receiver.posts();
    assert_eq!(posts.iter().map(|post| post.status).collect::<Vec<_>>(), [500, 401, 204, 503, 200], "only 200 ends it");
    assert!(posts.iter().all(|post| post.raw == posts[0].raw && post.signature == posts[0].signature));
    assert_eq!(receiver.items("messages")[0]["id"], wamid.as_str());
    let counts = sim.counts();
    assert_eq!((counts.events, counts.posts, counts.answered, counts.failed_tries), (1, 5, 1, 4));
}

#[tokio::test]
async fn a_dead_receiver_gets_everything_when_it_comes_back() {
    let (config, _) = quick(7);
    let sim = MetaSim::start(config).await.unwrap();
    // A port that was just given back: nobody listens there.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    sim.set_webhook(&format!("http://{address}/hook"));
    let marta = sim.customer("Marta Bianchi", Some("+393471182290"), None);
    let wamids: Vec<String> = (0..5).map(|at| marta.says(&format!("ci siete? {at}"))).collect();
    while sim.counts().failed_tries < 5 {
        tokio::task::yield_now().await;
    }
    assert!(sim.pending() > 0);
    let receiver = Receiver::on(tokio::net::TcpListener::bind(address).await.unwrap());
    sim.drain().await;
    let mut seen: Vec<String> =
        receiver.items("messages").iter().map(|m| m["id"].as_str().unwrap().to_owned()).collect();
    seen.sort();
    let mut wanted = wamids;
    wanted.sort();
    assert_eq!(seen, wanted);
    assert_eq!(sim.pending(), 0);
}

#[tokio::test]
async fn an_account_without_subscription_is_silent() {
    let (sim, receiver, _) = connected().await;
    let url = format!("{}/v26.0/{WABA}/subscribed_apps", sim.base_url());
    let marta = sim.customer("Marta Bianchi", Some("+393471182290"), None);
    client().delete(&url).bearer_auth(TOKEN).send().await.unwrap();
    marta.says("c'è nessuno?");
    assert_eq!(sim.pending(), 0);
    assert_eq!(get_json(&sim, &format!("/v26.0/{WABA}/subscribed_apps")).await.1, json!({"data": []}));
    client().post(&url).bearer_auth(TOKEN).send().await.unwrap();
    marta.says("e adesso?");
    sim.drain().await;
    assert_eq!(receiver.items("messages").len(), 1);
    let (_, apps) = get_json(&sim, &format!("/v26.0/{WABA}/subscribed_apps")).await;
    assert_eq!(apps["data"][0]["whatsapp_business_api_data"]["id"], sim.config().app_id.as_str());
}
