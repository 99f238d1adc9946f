//! Rows from the server: complete, never backwards, hidden at once when they go out of scope.

use parley_client::views::{ConnectionState, Phase, View};
use parley_domain::Code;
use parley_domain::content::Content;
use parley_domain::entity::{Entity, Key, Kind};
use parley_domain::protocol::change::{PullPage, ResyncReason, ResyncRequired, Row};

use crate::world::*;

async fn open_total(engine: &parley_client::Engine) -> u32 {
    engine.conversations(View::AllOpen, None, 50).await.unwrap().total
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_there_after_a_poke_and_notified_once() {
    let (server, desk) = (Server::start().await, Desk::new());
    let engine = desk.signed_in(&server).await;
    let mut events = engine.subscribe();
    server.change(|world| {
        world.say(1, 700, "Where is my parcel?");
        world.say(1, 701, "Hello?");
    });
    until(&engine, "arrived", async || texts(&engine, 1).await.len() == 3).await;
    let row = &engine.conversations(View::Unassigned, None, 50).await.unwrap().rows[1];
    assert_eq!((row.id, row.unread), (conversation(1), 3));
    assert_eq!(row.preview.as_ref().unwrap().text.expose(), "Hello?");
    assert_eq!(next_notice(&mut events).await, conversation(1), "none for the first sync");

    // The same page once more, with a cursor that goes on: nothing is new in it.
    {
        let mut world = server.world();
        let rows: Vec<Row> = [700, 701]
            .map(|id| {
                let key = Key::new(Kind::Message, message(id));
                let (seq, entity) = world.rows[&key].clone();
                Row { key, root: Key::new(Kind::Conversation, conversation(1)), seq, entity }
            })
            .into();
        let (upto, cursor) = (world.seq, world.seq.to_string());
        world.scripted.push_back(PullPage { rows, upto, cursor, more: true, ..PullPage::default() });
    }
    server.change(|world| {
        world.say(2, 702, "after the repetition");
    });
    until(&engine, "next", async || texts(&engine, 2).await.len() == 2).await;
    assert_eq!(next_notice(&mut events).await, conversation(2), "one for both, none for the repetition");
    assert!(notified(&mut events).is_empty());
    assert_eq!(texts(&engine, 1).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_notification_for_what_is_in_front_or_a_colleagues() {
    let (server, desk) = (Server::start().await, Desk::new());
    let engine = desk.signed_in(&server).await;
    engine.focus(Some(conversation(1)), true).await.unwrap();
    let mut events = engine.subscribe();
    server.change(|world| {
        world.change(2, |row| row.assignee = Some(colleague()));
        world.say(1, 700, "in front");
        world.say(2, 701, "a colleague's");
        world.say(0, 702, "nobody's");
    });
    until(&engine, "arrived", async || texts(&engine, 0).await.len() == 2).await;
    assert_eq!(next_notice(&mut events).await, conversation(0));
    assert!(notified(&mut events).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_goes_on_where_it_stopped_and_is_usable_meanwhile() {
    let (server, desk) = (Server::start().await, Desk::new());
    {
        let mut world = server.world();
        world.page = 10;
        for n in 10..40 {
            world.talk(n, now());
            world.say(n, 2_000 + n, "early bird");
        }
        world.answers_left = Some(6);
    }
    let engine = desk.open().await;
    engine.sign_in(&server.address.to_string(), "ana@example.com", "right", "x", None).await.unwrap();
    until(&engine, "stopped", async || engine.connection().problem.is_some()).await;
    assert!(engine.connection().syncing.is_some());
    assert_eq!(engine.sidebar().await.unwrap().inboxes.len(), 1, "what came is shown");
    engine.close().await;
    let asked = server.world().snapshot_after.len();

    server.world().answers_left = None;
    let engine = desk.open().await;
    synced(&engine).await;
    assert_eq!(open_total(&engine).await, 33);
    let world = server.world();
    let resumed = world.snapshot_after[asked].clone().unwrap();
    assert!(resumed.starts_with("60@"), "six pages of ten were stored and are not fetched again: {resumed}");
    assert!(world.snapshot_after[1..].iter().all(Option::is_some));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_that_break_off_lose_and_repeat_nothing() {
    let (server, desk) = (Server::start().await, Desk::new());
    let engine = desk.signed_in(&server).await;
    {
        let mut world = server.world();
        world.page = 70;
        for id in 0..300 {
            world.say(0, 5_000 + id, &format!("line {id}"));
        }
        world.answers_left = Some(2);
    }
    engine.sync_now().await.unwrap();
    until(&engine, "broken off", async || texts(&engine, 0).await.len() > 100).await;
    engine.close().await;
    server.world().answers_left = None;
    let engine = desk.open().await;
    until(&engine, "complete", async || {
        engine.timeline(conversation(0), None, 500).await.unwrap().entries.len() == 301
    })
    .await;
    let entries = engine.timeline(conversation(0), None, 500).await.unwrap().entries;
    assert!(entries.windows(2).all(|pair| pair[0].position < pair[1].position));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_never_overwrites_a_newer_one_and_a_deleted_one_does_not_come_back() {
    let (server, desk) = (Server::start().await, Desk::new());
    let engine = desk.signed_in(&server).await;
    let key = Key::new(Kind::Message, message(10));
    let (old_seq, old) = server.world().rows[&key].clone();
    let again = |seq, entity| Row { key, root: Key::new(Kind::Conversation, conversation(1)), seq, entity };
    let script = |world: &mut World, seq, entity| {
        world.seq += 1;
        let (upto, cursor) = (world.seq, world.seq.to_string());
        let rows = vec![again(seq, entity)];
        world.scripted.push_back(PullPage { rows, upto, cursor, more: true, ..PullPage::default() });
    };
    server.change(|world| {
        let Some(Entity::Message(mut edited)) = old.clone() else { panic!() };
        edited.content = Content::Text { body: "corrected".into() };
        edited.edited = true;
        world.put(Entity::Message(edited));
    });
    until(&engine, "edited", async || texts(&engine, 1).await == ["corrected"]).await;
    server.change(|world| script(world, old_seq, old.clone()));
    server.change(|world| {
        world.say(1, 700, "later");
    });
    until(&engine, "later", async || texts(&engine, 1).await.len() == 2).await;
    assert_eq!(texts(&engine, 1).await, ["corrected", "later"]);

    server.change(|world| world.delete(key));
    until(&engine, "deleted", async || texts(&engine, 1).await == ["later"]).await;
    server.change(|world| script(world, old_seq, old.clone()));
    server.change(|world| {
        world.say(1, 701, "last");
    });
    until(&engine, "last", async || texts(&engine, 1).await.len() == 2).await;
    assert_eq!(texts(&engine, 1).await, ["later", "last"]);
    assert!(engine.search("corrected", 10).await.unwrap().messages.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_that_goes_is_hidden_everywhere_also_after_a_restart_and_comes_back_whole() {
    let (mut server, desk) = (Server::start().await, Desk::new());
    {
        let mut world = server.world();
        for id in 0..900 {
            world.say(1, 5_000 + id, &format!("pumpernickel {id}"));
        }
        world.place_order(1);
    }
    let engine = desk.signed_in(&server).await;
    assert_eq!(engine.search("pumpernickel", 200).await.unwrap().messages.len(), 200);
    let root = Key::new(Kind::Conversation, conversation(1));
    server.change(|world| world.leave(root));
    until(&engine, "gone", async || engine.conversation(conversation(1)).await.unwrap().is_none()).await;
    let nothing = async |engine: &parley_client::Engine| {
        assert!(texts(engine, 1).await.is_empty());
        assert!(engine.search("pumpernickel", 50).await.unwrap().messages.is_empty());
        assert_eq!(open_total(engine).await, 2);
        assert!(engine.board(None).await.unwrap().unwrap().columns.iter().all(|column| column.cards.is_empty()));
    };
    nothing(&engine).await;
    engine.close().await;
    server.vanish().await;
    let engine = desk.open().await;
    nothing(&engine).await;

    server.come_back().await;
    server.change(|world| world.enter(root));
    engine.sync_now().await.unwrap();
    until(&engine, "back", async || engine.timeline(conversation(1), None, 500).await.unwrap().entries.len() == 500)
        .await;
    until(&engine, "whole", async || {
        engine.conversations(View::AllOpen, None, 9).await.unwrap().rows.iter().any(|row| row.unread == 901)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resync_keeps_rows_visible_and_sweeps_what_the_snapshot_does_not_name() {
    let (server, desk) = (Server::start().await, Desk::new());
    let engine = desk.signed_in(&server).await;
    {
        // Deleted so long ago that the server no longer tells.
        let mut world = server.world();
        world.rows.remove(&Key::new(Kind::Conversation, conversation(2)));
        world.rows.remove(&Key::new(Kind::Message, message(20)));
        world.say(0, 700, "while away");
        world.resync = Some(ResyncRequired { reason: ResyncReason::Age, lineage: "a".into(), allowed: vec![] });
        world.answers_left = Some(1);
    }
    engine.sync_now().await.unwrap();
    until(&engine, "told", async || engine.connection().problem.is_some()).await;
    assert_eq!(open_total(&engine).await, 3, "old rows stay visible until the snapshot is complete");
    server.world().answers_left = None;
    engine.sync_now().await.unwrap();
    until(&engine, "swept", async || open_total(&engine).await == 2).await;
    assert_eq!(texts(&engine, 0).await.last().unwrap(), "while away");
    assert!(engine.conversation(conversation(2)).await.unwrap().is_none());
    assert!(texts(&engine, 2).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_rights_hide_everything_outside_before_the_snapshot() {
    let (server, desk) = (Server::start().await, Desk::new());
    let engine = desk.signed_in(&server).await;
    {
        let mut world = server.world();
        world.resync = Some(ResyncRequired { reason: ResyncReason::Permission, lineage: "a".into(), allowed: vec![] });
        world.answers_left = Some(1);
    }
    engine.sync_now().await.unwrap();
    until(&engine, "hidden", async || open_total(&engine).await == 0).await;
    assert!(engine.search("Hello", 10).await.unwrap().messages.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_network_down_the_inbox_is_there_and_it_reconnects_by_itself() {
    let (mut server, desk) = (Server::start().await, Desk::new());
    desk.signed_in(&server).await.close().await;
    server.vanish().await;
    let engine = desk.open().await;
    let Phase::Ready { me: who } = engine.phase() else { panic!("{:?}", engine.phase()) };
    assert_eq!((who.id, who.workspace.as_str()), (me(), "Bluebird Bakery"));
    assert_eq!(open_total(&engine).await, 3);
    assert_eq!(texts(&engine, 1).await, ["Hello from the first sync"]);
    assert_eq!(engine.search("first", 10).await.unwrap().messages.len(), 3);
    until(&engine, "offline", async || engine.connection().state == ConnectionState::Offline).await;
    assert!(matches!(engine.connection().problem, Some(Code::Offline | Code::ServerFailed)));

    server.world().say(1, 700, "are you there?");
    server.come_back().await;
    until(&engine, "online", async || engine.connection().state == ConnectionState::Online).await;
    until(&engine, "caught up", async || texts(&engine, 1).await.len() == 2).await;
}
