//! Sending: once, in order, settled by evidence.

use parley_domain::content::Content;
use parley_domain::delivery::DeliveryState;
use parley_domain::limits::UNKNOWN_HOLDS_LANE;
use parley_domain::protocol::intent::{Command, Verdict};
use parley_domain::{Code, ConversationId, MessageId, MessageText};
use parley_sim::{Customer, Fault};
use serde_json::json;

use crate::world::{Desk, World, body, change, eventually, everywhere};

everywhere!(
    an_answer_reaches_the_customer_and_its_ticks_come_back,
    a_status_before_the_answer_is_not_lost,
    statuses_in_any_order_end_the_same,
    a_lost_answer_is_settled_by_a_status_and_never_repeated,
    a_silent_unknown_is_shown_and_frees_its_lane,
    a_kill_between_claim_and_result_sends_nothing_twice,
    lanes_keep_order_and_do_not_wait_for_each_other,
    what_meta_refuses_fails_with_its_code,
    a_rate_limit_waits_and_goes_again,
    a_queued_message_can_be_cancelled,
);

async fn talk(world: &World, name: &str, phone: &str) -> (Customer, Desk, ConversationId) {
    let customer = world.sim.customer(name, Some(phone), None);
    customer.says("hello");
    world.sim.drain().await;
    world.applied().await;
    let mut desk = world.desk("ada").await;
    desk.snapshot(world).await;
    let conversation = desk.messages().last().unwrap().conversation;
    (customer, desk, conversation)
}

async fn send(world: &World, desk: &Desk, conversation: ConversationId, words: &str) -> MessageId {
    let message = MessageId(desk.id(world));
    let command = Command::SendMessage {
        message,
        conversation,
        content: Content::Text { body: MessageText::new(words) },
        reply_to: None,
        resend_of: None,
        newest_shown: None,
    };
    assert_eq!(desk.push(world, vec![desk.intent(world, command)]).await, vec![Verdict::Applied]);
    message
}

async fn state(world: &World, desk: &mut Desk, message: MessageId) -> DeliveryState {
    desk.pull(world).await;
    let found = desk.messages().into_iter().find(|row| row.id == message).cloned();
    found.unwrap().delivery.unwrap().state
}

async fn reaches(world: &World, desk: &mut Desk, message: MessageId, wanted: DeliveryState) {
    eventually(&format!("the message is {}", wanted.as_str()), async || {
        let now = state(world, desk, message).await;
        // Customers may read faster than a test looks.
        now == wanted || (wanted == DeliveryState::Delivered && now == DeliveryState::Read)
    })
    .await;
}

fn sent(world: &World) -> Vec<String> {
    world.sim.ledger().into_iter().filter_map(|entry| entry.text).collect()
}

async fn an_answer_reaches_the_customer_and_its_ticks_come_back(world: World) {
    let (ana, mut desk, conversation) = talk(&world, "Ana", "+55 11 91234-5678").await;
    ana.reads_at_once(true);
    let message = send(&world, &desk, conversation, "good morning").await;
    reaches(&world, &mut desk, message, DeliveryState::Read).await;
    let row = desk.messages().into_iter().find(|row| row.id == message).cloned().unwrap();
    let delivery = row.delivery.unwrap();
    assert!(delivery.accepted_at.is_some() && delivery.delivered_at.is_some() && delivery.failure.is_none());
    assert_eq!(sent(&world), vec!["good morning"]);
    assert!(world.sim.violations().is_empty());
    assert!(parley_server::db::outbox::all(world.app().db().reader()).await.unwrap().is_empty());
}

async fn a_status_before_the_answer_is_not_lost(world: World) {
    let (_, mut desk, conversation) = talk(&world, "Ana", "+55 11 91234-5678").await;
    world.sim.next_send(Fault::StatusFirst);
    let message = send(&world, &desk, conversation, "fast").await;
    reaches(&world, &mut desk, message, DeliveryState::Delivered).await;
    assert_eq!(sent(&world).len(), 1);
}

async fn statuses_in_any_order_end_the_same(world: World) {
    let (ana, mut desk, conversation) = talk(&world, "Ana", "+55 11 91234-5678").await;
    ana.online(false);
    let message = send(&world, &desk, conversation, "order").await;
    eventually("it is accepted", async || !world.sim.ledger().is_empty()).await;
    let wamid = world.sim.ledger()[0].wamid.clone();
    let at = desk.session.server_time.0 / 1_000;
    for (state, after) in [("read", 3), ("failed", 9), ("delivered", 2), ("sent", 1), ("read", 3), ("made_up", 4)] {
        let status = json!({ "id": wamid, "status": state, "timestamp": (at + after).to_string(),
            "recipient_id": "5511912345678", "errors": if state == "failed" { json!([{ "code": 131026 }]) } else { json!([]) } });
        world.webhook(&body(json!([change("106540000000001", json!([]), json!([]), json!([status]))]))).await;
        world.applied().await;
    }
    reaches(&world, &mut desk, message, DeliveryState::Read).await;
    let row = desk.messages().into_iter().find(|row| row.id == message).cloned().unwrap();
    let delivery = row.delivery.unwrap();
    assert_eq!(delivery.delivered_at.unwrap().0, (at + 2) * 1_000);
    assert_eq!(delivery.failure.unwrap().meta_code, Some(131_026), "recorded, but read wins");
}

async fn a_lost_answer_is_settled_by_a_status_and_never_repeated(world: World) {
    let (_, mut desk, conversation) = talk(&world, "Ana", "+55 11 91234-5678").await;
    world.sim.hold(true);
    world.sim.next_send(Fault::ResetAfterAccept);
    let message = send(&world, &desk, conversation, "exactly once").await;
    eventually("it is unknown", async || {
        let rows = parley_server::db::outbox::all(world.app().db().reader()).await.unwrap();
        rows.iter().any(|row| row.settle_by.is_some())
    })
    .await;
    assert_eq!(state(&world, &mut desk, message).await, DeliveryState::Queued, "nobody says anything yet");
    world.sim.hold(false);
    reaches(&world, &mut desk, message, DeliveryState::Delivered).await;
    assert_eq!(sent(&world), vec!["exactly once"]);
}

async fn a_silent_unknown_is_shown_and_frees_its_lane(world: World) {
    let (_, mut desk, conversation) = talk(&world, "Ana", "+55 11 91234-5678").await;
    world.sim.next_send(Fault::Broken);
    let lost = send(&world, &desk, conversation, "lost").await;
    eventually("it is unknown", async || {
        let rows = parley_server::db::outbox::all(world.app().db().reader()).await.unwrap();
        rows.iter().any(|row| row.settle_by.is_some())
    })
    .await;
    let next = send(&world, &desk, conversation, "next").await;
    assert_eq!(state(&world, &mut desk, next).await, DeliveryState::Queued, "the lane is held");
    assert!(sent(&world).is_empty());
    world.clock.advance(UNKNOWN_HOLDS_LANE);
    reaches(&world, &mut desk, lost, DeliveryState::Unconfirmed).await;
    reaches(&world, &mut desk, next, DeliveryState::Delivered).await;
    assert_eq!(sent(&world), vec!["next"], "unknown is never sent again by itself");
}

async fn a_kill_between_claim_and_result_sends_nothing_twice(mut world: World) {
    let (_, mut desk, conversation) = talk(&world, "Ana", "+55 11 91234-5678").await;
    world.sim.hold(true);
    world.sim.next_send(Fault::Slow { ms: 60_000 });
    let message = send(&world, &desk, conversation, "in the middle").await;
    eventually("Meta has it", async || world.sim.ledger().len() == 1).await;
    world.kill().await;
    world.open().await;
    eventually("it is found in hand", async || {
        let rows = parley_server::db::outbox::all(world.app().db().reader()).await.unwrap();
        rows.len() == 1 && rows[0].settle_by.is_some()
    })
    .await;
    let behind = send(&world, &desk, conversation, "behind it").await;
    world.sim.hold(false);
    reaches(&world, &mut desk, message, DeliveryState::Delivered).await;
    reaches(&world, &mut desk, behind, DeliveryState::Delivered).await;
    assert_eq!(sent(&world), vec!["in the middle", "behind it"]);
}

async fn lanes_keep_order_and_do_not_wait_for_each_other(world: World) {
    let (_, _, first) = talk(&world, "Ana", "+55 11 91234-5678").await;
    let (_, mut desk, second) = talk(&world, "Ben", "+49 151 1234567").await;
    assert_ne!(first, second);
    // No status may settle the slow one meanwhile.
    world.sim.hold(true);
    world.sim.next_send(Fault::Slow { ms: 1_500 });
    send(&world, &desk, first, "a1").await;
    eventually("a1 is with Meta", async || sent(&world) == ["a1"]).await;
    let mut last = None;
    for n in 2..6 {
        last = Some(send(&world, &desk, first, &format!("a{n}")).await);
    }
    let other = send(&world, &desk, second, "b1").await;
    reaches(&world, &mut desk, other, DeliveryState::Accepted).await;
    assert_eq!(sent(&world), vec!["a1", "b1"], "the second lane overtakes the slow one");
    world.sim.hold(false);
    reaches(&world, &mut desk, last.unwrap(), DeliveryState::Delivered).await;
    let first_lane: Vec<String> = sent(&world).into_iter().filter(|text| text.starts_with('a')).collect();
    assert_eq!(first_lane, vec!["a1", "a2", "a3", "a4", "a5"]);
}

async fn what_meta_refuses_fails_with_its_code(world: World) {
    let (_, mut desk, conversation) = talk(&world, "Ana", "+55 11 91234-5678").await;
    world.sim.next_send(Fault::Refuse { code: 131_026 });
    let message = send(&world, &desk, conversation, "refused").await;
    reaches(&world, &mut desk, message, DeliveryState::Failed).await;
    let row = desk.messages().into_iter().find(|row| row.id == message).cloned().unwrap();
    assert_eq!(row.delivery.unwrap().failure.unwrap().meta_code, Some(131_026));
    let again = send(&world, &desk, conversation, "the lane goes on").await;
    reaches(&world, &mut desk, again, DeliveryState::Delivered).await;
    // A resend is a new message.
    let resend = MessageId(desk.id(&world));
    let command = |message, of| Command::SendMessage {
        message,
        conversation,
        content: Content::Text { body: MessageText::new("refused") },
        reply_to: None,
        resend_of: Some(of),
        newest_shown: None,
    };
    assert_eq!(desk.push(&world, vec![desk.intent(&world, command(resend, message))]).await, vec![Verdict::Applied]);
    reaches(&world, &mut desk, resend, DeliveryState::Delivered).await;
    let other = desk.intent(&world, command(MessageId(desk.id(&world)), again));
    let refused = Verdict::Refused { code: Code::Conflict };
    assert_eq!(desk.push(&world, vec![other]).await, vec![refused], "what arrived is not sent again");
}

async fn a_rate_limit_waits_and_goes_again(world: World) {
    let (_, mut desk, conversation) = talk(&world, "Ana", "+55 11 91234-5678").await;
    world.sim.next_send(Fault::RateLimited);
    let message = send(&world, &desk, conversation, "patience").await;
    eventually("it waits", async || {
        let rows = parley_server::db::outbox::all(world.app().db().reader()).await.unwrap();
        rows.first().is_some_and(|row| row.attempt == 1 && row.lease_until.is_none())
    })
    .await;
    assert!(sent(&world).is_empty());
    world.clock.advance(10 * 60 * 1_000 - 1_000);
    desk = world.desk("ada").await;
    desk.snapshot(&world).await;
    reaches(&world, &mut desk, message, DeliveryState::Delivered).await;
    assert_eq!(sent(&world), vec!["patience"]);
}

async fn a_queued_message_can_be_cancelled(world: World) {
    let (_, mut desk, conversation) = talk(&world, "Ana", "+55 11 91234-5678").await;
    world.sim.hold(true);
    world.sim.next_send(Fault::Slow { ms: 1_500 });
    let first = send(&world, &desk, conversation, "first").await;
    eventually("the first is with Meta", async || sent(&world) == ["first"]).await;
    let second = send(&world, &desk, conversation, "second").await;
    let cancel = |message| Command::CancelSend { message, conversation };
    let conflict = Verdict::Refused { code: Code::Conflict };
    assert_eq!(desk.push(&world, vec![desk.intent(&world, cancel(first))]).await, vec![conflict], "it is in hand");
    assert_eq!(desk.push(&world, vec![desk.intent(&world, cancel(second))]).await, vec![Verdict::Applied]);
    world.sim.hold(false);
    reaches(&world, &mut desk, first, DeliveryState::Delivered).await;
    assert_eq!(state(&world, &mut desk, second).await, DeliveryState::Cancelled);
    assert_eq!(sent(&world), vec!["first"]);
}
