//! What the policy keeps off a desk, and what an erasure takes away. In simulated time, with the server gone where that matters.

use parley_client::{DraftMode, Engine};
use parley_domain::content::Content;
use parley_domain::entity::Entity;
use parley_domain::message::{Direction, Message};
use parley_domain::permission::Role;
use parley_domain::policy::DevicePolicy;
use parley_domain::protocol::device::{Deed, Erasure, Receipt};
use parley_domain::time::{DAY, HOUR, MINUTE};
use parley_domain::{Clock, Code, ErasureId, Timestamp};

use crate::lease::Timed;
use crate::world::*;

fn written(n: u128, id: u128, text: &str, at: Timestamp) -> Entity {
    Entity::Message(Message {
        id: message(id),
        conversation: conversation(n),
        direction: Direction::Incoming,
        author: None,
        content: Content::Text { body: text.into() },
        sent_at: at,
        position: 0,
        delivery: None,
        reply_to: None,
        resend_of: None,
        forwarded: false,
        edited: false,
        revoked: false,
    })
}

async fn with_policy(timed: &Timed, change: impl FnOnce(&mut DevicePolicy)) {
    let mut world = timed.server.world();
    let mut policy = world.desk.policy.clone().unwrap_or_default();
    change(&mut policy);
    world.desk.epoch += 1;
    world.desk.policy = Some(policy);
}

/// Lets the next contact come.
async fn next_contact(timed: &Timed, engine: &Engine) {
    let before = timed.server.world().desk.contacts.len();
    timed.clock.pass(16 * MINUTE);
    engine.sync_now().await.unwrap();
    until(engine, "a contact", async || timed.server.world().desk.contacts.len() > before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_past_the_window_are_not_stored_and_go_without_the_server() {
    let mut timed = Timed::start().await;
    let at = timed.clock.now();
    {
        let mut world = timed.server.world();
        world.put(written(1, 700, "forty days old", at - 40 * DAY));
        world.put(written(1, 701, "five days old", at - 5 * DAY));
    }
    let engine = timed.signed_in().await;
    let page = engine.timeline(conversation(1), None, 50).await.unwrap();
    assert!(page.beyond, "older entries are with the server");
    let shown = texts(&engine, 1).await;
    assert!(shown.contains(&"five days old".to_owned()) && !shown.contains(&"forty days old".to_owned()), "{shown:?}");
    assert!(engine.search("forty", 5).await.unwrap().messages.is_empty());
    let all = engine.remote_timeline(conversation(1), None, 50).await.unwrap();
    assert_eq!(all.entries.len(), 3, "asked of the server, and kept nowhere");
    assert!(!texts(&engine, 1).await.contains(&"forty days old".to_owned()));

    // Offline for as long as the lease allows: what turns old goes.
    with_policy(&timed, |policy| policy.message_window_days = 8).await;
    next_contact(&timed, &engine).await;
    until(&engine, "applied", async || engine.storage().await.unwrap().rules.message_window_days == 8).await;
    timed.server.vanish().await;
    timed.clock.pass(4 * DAY);
    engine.sync_now().await.unwrap();
    until(&engine, "gone", async || !texts(&engine, 1).await.contains(&"five days old".to_owned())).await;
    assert!(engine.search("five", 5).await.unwrap().messages.is_empty());
    assert_eq!(engine.remote_timeline(conversation(1), None, 50).await.unwrap_err().code(), Code::Offline);

    // A wider window fetches what it newly allows.
    with_policy(&timed, |policy| policy.message_window_days = 60).await;
    timed.server.come_back().await;
    engine.sync_now().await.unwrap();
    until(&engine, "fetched", async || texts(&engine, 1).await.len() == 3).await;
    assert!(!engine.timeline(conversation(1), None, 50).await.unwrap().beyond);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_workspaces_own_age_cuts_too() {
    let timed = Timed::start().await;
    let at = timed.clock.now();
    timed.server.world().put(written(1, 700, "twelve days old", at - 12 * DAY));
    with_policy(&timed, |policy| policy.message_keep_days = 10).await;
    let engine = timed.signed_in().await;
    until(&engine, "cut", async || texts(&engine, 1).await == ["Hello from the first sync"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cap_keeps_the_newest_conversations_and_one_that_wakes_comes_back_whole() {
    let timed = Timed::start().await;
    with_policy(&timed, |policy| policy.conversations_max = 2).await;
    let engine = timed.signed_in().await;
    // The contact came before the first row, so the oldest of the three was never stored.
    let held = async || {
        let mut held = 0;
        for n in 0..3 {
            held += usize::from(engine.conversation(conversation(n)).await.unwrap().is_some());
        }
        held
    };
    until(&engine, "capped", async || held().await == 2).await;
    assert!(engine.conversation(conversation(0)).await.unwrap().is_none());
    timed.server.change(|world| {
        let at = now() + HOUR;
        world.change(0, |row| row.active_at = at);
        world.say(0, 900, "awake again");
    });
    until(&engine, "back", async || texts(&engine, 0).await == ["Hello from the first sync", "awake again"]).await;
    timed.clock.pass(61 * MINUTE);
    engine.sync_now().await.unwrap();
    until(&engine, "evicted", async || held().await == 2).await;
    assert!(engine.conversation(conversation(0)).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drafts_and_closed_orders_go_after_their_days() {
    let mut timed = Timed::start().await;
    timed.server.world().place_order(1);
    let engine = timed.signed_in().await;
    until(&engine, "order", async || !engine.conversation(conversation(1)).await.unwrap().unwrap().orders.is_empty())
        .await;
    engine.save_draft(conversation(1), DraftMode::Reply, "old").await.unwrap();
    engine.move_order(order(1), stage(2)).await.unwrap();
    until(&engine, "moved", async || engine.outbox().await.unwrap().is_empty()).await;
    timed.clock.pass(HOUR);
    engine.sync_now().await.unwrap();
    assert_eq!(engine.conversation(conversation(1)).await.unwrap().unwrap().orders.len(), 1, "closed just now");
    timed.server.vanish().await;
    timed.clock.pass(2 * DAY);
    engine.sync_now().await.unwrap();
    until(&engine, "closed", async || engine.conversation(conversation(1)).await.unwrap().unwrap().orders.is_empty())
        .await;
    assert!(engine.draft(conversation(1), DraftMode::Reply).await.unwrap().is_some());
    timed.clock.pass(4 * DAY);
    timed.server.come_back().await;
    next_contact(&timed, &engine).await;
    timed.server.vanish().await;
    timed.clock.pass(6 * DAY);
    engine.save_draft(conversation(2), DraftMode::Note, "young").await.unwrap();
    timed.server.come_back().await;
    next_contact(&timed, &engine).await;
    timed.clock.pass(5 * DAY);
    engine.sync_now().await.unwrap();
    until(&engine, "old draft", async || engine.draft(conversation(1), DraftMode::Reply).await.unwrap().is_none())
        .await;
    assert!(engine.draft(conversation(2), DraftMode::Note).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manager_holds_conversations_and_orders_and_no_word_of_them() {
    let timed = Timed::start().await;
    timed.server.world().role = Some(Role::Manager);
    timed.server.world().place_order(1);
    let engine = timed.signed_in().await;
    assert!(engine.conversation(conversation(1)).await.unwrap().unwrap().row.preview.is_none());
    assert!(texts(&engine, 1).await.is_empty());
    assert!(engine.timeline(conversation(1), None, 10).await.unwrap().beyond);
    assert!(engine.search("Hello", 5).await.unwrap().messages.is_empty());
    assert_eq!(engine.board(None).await.unwrap().unwrap().columns[0].count, 1);
    timed.server.change(|world| {
        world.say(1, 900, "one more");
    });
    engine.sync_now().await.unwrap();
    assert_eq!(engine.remote_timeline(conversation(1), None, 10).await.unwrap().entries.len(), 2);
    assert!(texts(&engine, 1).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_goes_before_the_outbox_and_is_signed_for() {
    let mut timed = Timed::start().await;
    let engine = timed.signed_in().await;
    timed.server.vanish().await;
    engine.send_reply(conversation(1), "too late", None, None).await.unwrap();
    engine.save_draft(conversation(1), DraftMode::Note, "about her").await.unwrap();
    engine.send_reply(conversation(2), "to somebody else", None, None).await.unwrap();
    let erasure =
        Erasure { id: ErasureId(uuid(77)), place: 1, contact: contact(1), conversations: vec![conversation(1)] };
    timed.server.world().desk.erasures.push(erasure.clone());
    timed.server.world().log.clear();
    timed.server.come_back().await;
    engine.sync_now().await.unwrap();
    until(&engine, "receipt", async || !timed.server.world().desk.receipts.is_empty()).await;
    assert!(texts(&engine, 1).await.is_empty());
    assert_eq!(engine.draft(conversation(1), DraftMode::Note).await.unwrap(), None);
    assert!(engine.search("Contact 1", 5).await.unwrap().contacts.is_empty());
    until(&engine, "sent", async || engine.outbox().await.unwrap().is_empty()).await;
    let world = timed.server.world();
    assert_eq!(world.pushed.len(), 1, "only what was for somebody else was offered");
    let receipt = world.desk.receipts[0].clone();
    assert_eq!(receipt.deed, Deed::Erased { erasure: erasure.id, rows: 2 });
    let seed: [u8; 32] = {
        use parley_client::keys::KeyVault;
        let name = timed.desk.vault.names().into_iter().find(|name| name.ends_with("/device")).unwrap();
        timed.desk.vault.get(&name).unwrap().unwrap().as_slice().try_into().unwrap()
    };
    let key = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key();
    let signature: [u8; 64] = hex::decode(&receipt.signature).unwrap().try_into().unwrap();
    let signed = Receipt::signed(receipt.device, receipt.at, receipt.deed);
    key.verify_strict(&signed, &ed25519_dalek::Signature::from_bytes(&signature)).unwrap();
    let later = world.desk.contacts.last().unwrap();
    assert_eq!(later.erased_upto, Some(1));
}
