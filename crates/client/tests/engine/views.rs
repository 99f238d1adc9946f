//! What the window is given: pages, counts, search, orders, drafts.

use parley_client::DraftMode;
use parley_client::views::View;
use parley_domain::content::Content;
use parley_domain::entity::Entity;
use parley_domain::message::{Direction, Message};

use crate::world::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conversations_come_in_pages_newest_first_each_once() {
    let (server, desk) = (Server::start().await, Desk::new());
    {
        let mut world = server.world();
        for n in 10..57 {
            // Some have the same time: the id decides.
            world.talk(n, now() - (n as i64 / 3) * 10_000);
        }
        world.change(10, |row| row.assignee = Some(me()));
        world.change(11, |row| row.assignee = Some(colleague()));
    }
    let engine = desk.signed_in(&server).await;
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = engine.conversations(View::AllOpen, after, 7).await.unwrap();
        assert_eq!(page.total, 50);
        seen.extend(page.rows.iter().map(|row| (row.active_at, row.id)));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 50);
    assert!(seen.windows(2).all(|pair| pair[0] > pair[1]));
    let sidebar = engine.sidebar().await.unwrap();
    assert_eq!((sidebar.all_open, sidebar.mine, sidebar.unassigned), (50, 1, 48));
    assert_eq!((sidebar.inboxes[0].open, sidebar.members.len()), (50, 2));
    for (view, total) in [(View::Mine, 1), (View::Unassigned, 48), (View::Inbox { id: inbox() }, 50)] {
        assert_eq!(engine.conversations(view, None, 9).await.unwrap().total, total, "{view:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timeline_is_paged_upwards_without_gap_or_repetition_and_pending_stands_last() {
    let (server, desk) = (Server::start().await, Desk::new());
    {
        let mut world = server.world();
        for id in 0..120 {
            world.say(0, 5_000 + id, &format!("line {id}"));
        }
    }
    let engine = desk.signed_in(&server).await;
    server.world().answers_left = Some(0);
    engine.send_reply(conversation(0), "mine", None, None).await.unwrap();
    let (mut lines, mut before) = (Vec::new(), None);
    loop {
        let page = engine.timeline(conversation(0), before, 25).await.unwrap();
        let mut part: Vec<String> =
            page.entries.iter().map(|entry| entry.content.searchable().unwrap().to_owned()).collect();
        part.extend(lines);
        lines = part;
        before = page.before;
        if before.is_none() {
            break;
        }
    }
    let mut wanted = vec!["Hello from the first sync".to_owned()];
    wanted.extend((0..120).map(|id| format!("line {id}")));
    wanted.push("mine".to_owned());
    assert_eq!(lines, wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn search_finds_beginnings_whatever_the_accents_in_every_script() {
    let (server, desk) = (Server::start().await, Desk::new());
    {
        let mut world = server.world();
        for (id, text) in [
            (100, "Ein Café crème, bitte"),
            (101, "أين طلبي من فضلك"),
            (102, "Meu pedido não chegou"),
            (103, "STRASSE und Straßenbahn"),
            (104, "quote \" OR * NEAR( test"),
        ] {
            world.say(1, id, text);
        }
    }
    let engine = desk.signed_in(&server).await;
    let found = async |words: &str| -> Vec<u128> {
        let hits = engine.search(words, 20).await.unwrap().messages;
        hits.iter().map(|hit| hit.message.0.as_u128() - message(0).0.as_u128()).collect()
    };
    assert_eq!(found("cafe").await, [100]);
    assert_eq!(found("CRÈ bitte").await, [100]);
    assert_eq!(found("طلب").await, [101]);
    assert_eq!(found("nao ped").await, [102]);
    assert_eq!(found("strass").await, [103]);
    assert_eq!(found("\" NEAR(").await, [104]);
    assert_eq!(found("hello").await, [20, 10, 0], "newest first");
    assert!(found("*").await.is_empty() && found("ello").await.is_empty());

    let hit = engine.search("cafe", 5).await.unwrap().messages.remove(0);
    let marked: Vec<_> = hit.snippet.iter().filter(|part| part.hit).map(|part| part.text.expose()).collect();
    assert_eq!((marked, hit.contact_name.unwrap().expose()), (vec!["Café"], "Contact 1"));
    let contacts = engine.search("contact 2", 5).await.unwrap().contacts;
    assert_eq!(contacts.iter().map(|hit| hit.contact).collect::<Vec<_>>(), [contact(2)]);
    let contacts = engine.search("+49 151 00000002", 5).await.unwrap().contacts;
    assert_eq!(contacts.iter().map(|hit| hit.conversation).collect::<Vec<_>>(), [Some(conversation(2))]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reactions_stand_on_their_entry_and_quotes_show_what_was_said() {
    let (server, desk) = (Server::start().await, Desk::new());
    {
        let mut world = server.world();
        let mut row = |id, content, reply_to| {
            world.put(Entity::Message(Message {
                id: message(id),
                conversation: conversation(1),
                direction: Direction::Incoming,
                author: None,
                content,
                sent_at: now(),
                position: 0,
                delivery: None,
                reply_to,
                resend_of: None,
                forwarded: false,
                edited: false,
                revoked: false,
            }));
        };
        let thumbs = |emoji: &str| Content::Reaction { to: Some(message(10)), emoji: Some(emoji.into()) };
        row(100, thumbs("👍"), None);
        row(101, thumbs("🎉"), None);
        row(102, Content::Text { body: "as I said".into() }, Some(message(10)));
    }
    let engine = desk.signed_in(&server).await;
    let entries = engine.timeline(conversation(1), None, 10).await.unwrap().entries;
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0].reactions, ["🎉"]);
    assert_eq!(entries[1].quoted.as_ref().unwrap().text.expose(), "Hello from the first sync");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_beside_its_conversation_and_on_the_board_and_can_be_moved() {
    let (server, desk) = (Server::start().await, Desk::new());
    server.world().place_order(1);
    let engine = desk.signed_in(&server).await;
    let detail = engine.conversation(conversation(1)).await.unwrap().unwrap();
    let tag = detail.row.order.unwrap();
    assert_eq!((tag.number, tag.stage.as_str()), (1_001, "New"));
    assert_eq!((detail.orders[0].stage_place, detail.orders[0].stage_count), (0, 3));
    engine.move_order(order(1), stage(2)).await.unwrap();
    until(&engine, "moved", async || engine.outbox().await.unwrap().is_empty()).await;
    let board = engine.board(None).await.unwrap().unwrap();
    let done = &board.columns[2];
    assert_eq!((done.count, done.totals[0].minor, done.closed), (1, 4_200, true));
    let tag = engine.conversation(conversation(1)).await.unwrap().unwrap().row.order;
    assert_eq!(tag, None, "closed orders are not tagged");
    assert_eq!(engine.sidebar().await.unwrap().pipelines[0].open, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drafts_survive_a_restart_and_reading_clears_the_count() {
    let (server, desk) = (Server::start().await, Desk::new());
    let engine = desk.signed_in(&server).await;
    engine.save_draft(conversation(1), DraftMode::Note, "half a thou").await.unwrap();
    engine.close().await;
    let engine = desk.open().await;
    let draft = engine.draft(conversation(1), DraftMode::Note).await.unwrap().unwrap();
    assert_eq!(draft.expose(), "half a thou");
    let row = async || engine.conversation(conversation(1)).await.unwrap().unwrap().row;
    assert_eq!((row().await.draft.unwrap().expose(), row().await.unread), ("half a thou", 1));
    let newest = engine.timeline(conversation(1), None, 1).await.unwrap().entries[0].position;
    engine.mark_read(conversation(1), newest).await.unwrap();
    assert_eq!(row().await.unread, 0);
    until(&engine, "accepted", async || engine.outbox().await.unwrap().is_empty()).await;
    assert_eq!(row().await.unread, 0);
}
