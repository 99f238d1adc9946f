//! Edits: durable before they are shown, drawn over newer rows, applied once, undone when refused.

use std::path::PathBuf;

use parley_client::DraftMode;
use parley_client::views::{OutboxState, View};
use parley_domain::Code;
use parley_domain::conversation::Status;
use parley_domain::delivery::DeliveryState;
use parley_domain::entity::{Key, Kind};
use parley_domain::protocol::intent::Verdict;

use crate::world::*;

async fn drained(engine: &parley_client::Engine) {
    until(engine, "outbox empty", async || engine.outbox().await.unwrap().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_shown_at_once_and_applied_once_though_the_answer_of_the_server_is_lost() {
    let (server, desk) = (Server::start().await, Desk::new());
    let engine = desk.signed_in(&server).await;
    server.world().lose_push_answers = true;
    engine.save_draft(conversation(1), DraftMode::Reply, "It is on its").await.unwrap();
    let sent = engine.send_reply(conversation(1), "It is on its way", None, None).await.unwrap();
    let entry = engine.timeline(conversation(1), None, 10).await.unwrap().entries.pop().unwrap();
    assert_eq!((entry.id, entry.delivery.unwrap().state), (sent, DeliveryState::Queued));
    assert_eq!(engine.draft(conversation(1), DraftMode::Reply).await.unwrap(), None);
    drained(&engine).await;
    assert_eq!(texts(&engine, 1).await, ["Hello from the first sync", "It is on its way"]);
    let page = engine.timeline(conversation(1), None, 10).await.unwrap();
    assert!(page.entries.iter().all(|entry| !entry.pending && entry.position > 0));
    let world = server.world();
    assert_eq!(world.outcomes.len(), 1);
    assert_eq!(world.rows.keys().filter(|key| key.kind == Kind::Message).count(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_done_offline_survives_a_restart_and_goes_out_in_order() {
    let (mut server, desk) = (Server::start().await, Desk::new());
    server.world().place_order(1);
    let engine = desk.signed_in(&server).await;
    server.vanish().await;
    engine.send_reply(conversation(1), "first", None, None).await.unwrap();
    engine.send_reply(conversation(1), "second", None, None).await.unwrap();
    engine.add_note(conversation(1), "be kind").await.unwrap();
    engine.assign(conversation(1), Some(me())).await.unwrap();
    engine.label(conversation(0), [label()].into(), Default::default()).await.unwrap();
    engine.set_status(conversation(2), Status::Resolved, None).await.unwrap();
    engine.move_order(order(1), stage(1)).await.unwrap();
    engine.move_order(order(1), stage(2)).await.unwrap();
    engine.assign(conversation(1), Some(colleague())).await.unwrap();
    engine.close().await;

    let engine = desk.open().await;
    let shown = texts(&engine, 1).await;
    assert_eq!(shown[1..], ["first", "second", "be kind"]);
    assert_eq!(engine.conversations(View::Label { id: label() }, None, 9).await.unwrap().total, 1);
    assert_eq!(engine.conversations(View::Resolved, None, 9).await.unwrap().total, 1);
    let board = engine.board(None).await.unwrap().unwrap();
    assert_eq!(board.columns.iter().map(|column| column.count).collect::<Vec<_>>(), [0, 0, 1]);
    assert!(board.columns[2].cards[0].pending);
    assert_eq!(engine.outbox().await.unwrap().len(), 9);

    server.come_back().await;
    drained(&engine).await;
    let outcomes = server.world().outcomes.clone();
    let refused: Vec<_> = outcomes.iter().filter(|outcome| outcome.verdict != Verdict::Applied).collect();
    assert!(refused.is_empty(), "{refused:?}");
    assert_eq!(outcomes.len(), 9);
    assert_eq!(texts(&engine, 1).await[1..], ["first", "second", "be kind"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pending_edit_is_shown_over_a_newer_row_of_the_server_and_a_refused_one_is_undone() {
    let (server, desk) = (Server::start().await, Desk::new());
    let engine = desk.signed_in(&server).await;
    server.world().block_pushes = true;
    engine.assign(conversation(1), Some(me())).await.unwrap();
    server.change(|world| {
        world.change(1, |row| {
            row.labels = [label()].into();
            row.read_upto = 1;
        });
    });
    let shown = async || engine.conversation(conversation(1)).await.unwrap().unwrap().row;
    until(&engine, "news of the server", async || shown().await.labels == [label()]).await;
    assert_eq!(shown().await.assignee, Some(me()), "the pending edit is drawn over the newer row");
    {
        let mut world = server.world();
        (world.block_pushes, world.refuse) = (false, Some(Code::Forbidden));
    }
    engine.sync_now().await.unwrap();
    until(&engine, "refused", async || engine.connection().needs_review == 1).await;
    let row = shown().await;
    assert_eq!((row.assignee, row.labels), (None, vec![label()]), "undone; the server's news stay");
    let item = engine.outbox().await.unwrap().remove(0);
    assert_eq!((item.state, item.code), (OutboxState::NeedsReview, Some(Code::Forbidden)));
    engine.discard_intent(item.id).await.unwrap();
    assert!(engine.outbox().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_answer_keeps_its_text_in_place_and_can_be_sent_again_or_given_back() {
    let (server, desk) = (Server::start().await, Desk::new());
    let engine = desk.signed_in(&server).await;
    server.world().refuse = Some(Code::WindowClosed);
    engine.send_reply(conversation(1), "too late", None, None).await.unwrap();
    until(&engine, "refused", async || engine.connection().needs_review == 1).await;
    let last = async |engine: &parley_client::Engine| {
        engine.timeline(conversation(1), None, 10).await.unwrap().entries.pop().unwrap()
    };
    assert_eq!(last(&engine).await.refused, Some(Code::WindowClosed));
    engine.close().await;
    let engine = desk.open().await;
    assert_eq!(last(&engine).await.refused, Some(Code::WindowClosed), "also after a restart");
    assert!(engine.conversations(View::AllOpen, None, 9).await.unwrap().rows.iter().any(|row| row.not_sent));

    server.world().refuse = None;
    let item = engine.outbox().await.unwrap().remove(0);
    engine.retry_intent(item.id).await.unwrap();
    drained(&engine).await;
    assert_eq!(texts(&engine, 1).await[1..], ["too late"]);
    assert_eq!(last(&engine).await.refused, None);

    server.world().refuse = Some(Code::WindowClosed);
    engine.send_reply(conversation(1), "again", None, None).await.unwrap();
    until(&engine, "refused again", async || engine.connection().needs_review == 1).await;
    let item = engine.outbox().await.unwrap().remove(0);
    engine.discard_intent(item.id).await.unwrap();
    assert_eq!(texts(&engine, 1).await[1..], ["too late"]);
    let draft = engine.draft(conversation(1), DraftMode::Reply).await.unwrap().unwrap();
    assert_eq!(draft.expose(), "again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_that_the_rules_forbid_is_refused_before_it_is_stored() {
    let (server, desk) = (Server::start().await, Desk::new());
    server.world().change(1, |row| row.customer_wrote_at = Some(now() - 30 * parley_domain::time::HOUR));
    let engine = desk.signed_in(&server).await;
    let refused = async |text: &str| engine.send_reply(conversation(1), text, None, None).await.unwrap_err().code();
    assert_eq!(refused("hello").await, Code::WindowClosed);
    let detail = engine.conversation(conversation(1)).await.unwrap().unwrap();
    assert_eq!(detail.may_write.code, Some(Code::WindowClosed));
    assert_eq!(engine.send_reply(conversation(0), " ", None, None).await.unwrap_err().code(), Code::EmptyMessage);
    assert!(engine.outbox().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_never_left_the_desk_is_taken_back_without_a_trace() {
    let (mut server, desk) = (Server::start().await, Desk::new());
    let engine = desk.signed_in(&server).await;
    server.vanish().await;
    until(&engine, "offline", async || engine.connection().problem.is_some()).await;
    let first = engine.send_reply(conversation(1), "never mind", None, None).await.unwrap();
    engine.send_reply(conversation(1), "stays", Some(first), None).await.unwrap();
    engine.cancel_send(first, conversation(1)).await.unwrap();
    assert_eq!(texts(&engine, 1).await[1..], ["stays"]);
    server.come_back().await;
    drained(&engine).await;
    assert_eq!(texts(&engine, 1).await[1..], ["stays"]);
    assert!(!format!("{:?}", server.world().outcomes).contains("Blocked"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_on_a_conversation_that_goes_is_refused_with_its_text() {
    let (mut server, desk) = (Server::start().await, Desk::new());
    let engine = desk.signed_in(&server).await;
    server.vanish().await;
    until(&engine, "offline", async || engine.connection().problem.is_some()).await;
    engine.send_reply(conversation(1), "for nobody", None, None).await.unwrap();
    {
        let mut world = server.world();
        world.leave(Key::new(Kind::Conversation, conversation(1)));
        world.fail_pushes = 1_000;
    }
    server.come_back().await;
    until(&engine, "refused", async || engine.connection().needs_review == 1).await;
    let item = engine.outbox().await.unwrap().remove(0);
    assert_eq!((item.code, item.text.unwrap().expose()), (Some(Code::OutOfScope), "for nobody"));
}

/// Copies the files of one kind, as they are between two openings.
fn files(desk: &Desk, name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let dir =
        std::fs::read_dir(desk.dir.path()).unwrap().map(|e| e.unwrap().path()).find(|path| path.is_dir()).unwrap();
    let matching = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    matching
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(name))
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect()
}

fn put_back(desk: &Desk, name: &str, kept: &[(PathBuf, Vec<u8>)]) {
    for (path, _) in files(desk, name) {
        std::fs::remove_file(path).unwrap();
    }
    for (path, bytes) in kept {
        std::fs::write(path, bytes).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opening_draws_the_difference_between_outbox_and_replica_both_ways() {
    let (mut server, desk) = (Server::start().await, Desk::new());
    desk.signed_in(&server).await.close().await;
    server.vanish().await;
    let (old_replica, old_outbox) = (files(&desk, "replica.db"), files(&desk, "outbox.db"));
    let engine = desk.open().await;
    engine.send_reply(conversation(1), "durable", None, None).await.unwrap();
    engine.assign(conversation(1), Some(me())).await.unwrap();
    engine.close().await;

    // The power went before the replica was on the platter: the outbox knows more.
    put_back(&desk, "replica.db", &old_replica);
    let engine = desk.open().await;
    assert_eq!(texts(&engine, 1).await[1..], ["durable"]);
    assert_eq!(engine.conversations(View::Mine, None, 9).await.unwrap().total, 1);
    engine.close().await;

    // The replica shows what the outbox no longer holds.
    put_back(&desk, "outbox.db", &old_outbox);
    let engine = desk.open().await;
    assert_eq!(texts(&engine, 1).await, ["Hello from the first sync"]);
    assert_eq!(engine.conversations(View::Mine, None, 9).await.unwrap().total, 0);
    assert_eq!(engine.search("durable", 9).await.unwrap().messages.len(), 0);
}
