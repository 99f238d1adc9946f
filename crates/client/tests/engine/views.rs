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
async fn operators_narrow_messages_down_and_orders_are_found_by_number_and_customer() {
    let (server, desk) = (Server::start().await, Desk::new());
    {
        let mut world = server.world();
        world.say(1, 100, "the brass lamp");
        world.say(2, 101, "the brass lamp");
        world.say(2, 102, "请问我的订单什么时候发货");
        world.change(2, |row| row.labels = [label()].into());
        world.place_order(1);
        world.put(Entity::Message(Message {
            id: message(103),
            conversation: conversation(2),
            direction: Direction::Incoming,
            author: None,
            content: Content::Media(parley_domain::content::Media {
                kind: parley_domain::content::MediaKind::Image,
                mime: None,
                caption: Some("brass lamp, broken".into()),
                filename: None,
                voice: false,
                provider_id: None,
                failure: None,
            }),
            sent_at: now(),
            position: 0,
            delivery: None,
            reply_to: None,
            resend_of: None,
            forwarded: false,
            edited: false,
            revoked: false,
        }));
    }
    let engine = desk.signed_in(&server).await;
    engine.send_reply(conversation(1), "a lamp for you", None, None).await.unwrap();
    let found = async |typed: &str| engine.search(typed, 20).await.unwrap();
    let ids = async |typed: &str| -> Vec<u128> {
        let hits = found(typed).await.messages;
        hits.iter().map(|hit| hit.message.0.as_u128().wrapping_sub(message(0).0.as_u128())).collect()
    };
    assert_eq!(ids("brass label:VIP").await, [103, 101]);
    assert_eq!(ids("lamp has:file").await, [103]);
    assert_eq!(ids("has:file").await, [103], "an operator alone is a question");
    assert_eq!(ids("brass from:\"contact 1\"").await, [100]);
    assert_eq!(found("lamp from:me").await.messages.len(), 1);
    assert_eq!(found("lamp from:ana").await.messages.len(), 1, "a colleague by name");
    assert_eq!(ids("brass in:shop").await, [103, 101, 100]);
    assert!(ids("brass in:elsewhere").await.is_empty() && ids("brass from:nobody").await.is_empty());
    assert!(ids("brass before:2020-01-01").await.is_empty());
    assert_eq!(ids("brass after:2020-01-01 before:2100-01-01").await, [103, 101, 100]);
    assert_eq!(ids("订单").await, [102]);
    assert_eq!(ids("发货").await, [102]);

    assert_eq!(found("1001").await.orders.iter().map(|hit| hit.order).collect::<Vec<_>>(), [order(1)]);
    assert_eq!(found("contact 1").await.orders.len(), 1, "of that customer");
    assert!(found("lamp").await.orders.is_empty());
    assert!(found("brass").await.complete);
    assert!(!engine.search("brass", 1).await.unwrap().complete, "there is more than was asked for");
}

/// A13: whatever is typed is words or a known operator; no error of the database, no other column, no other table.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_typed_into_search_is_syntax() {
    use rand::seq::IndexedRandom;
    use rand::{Rng, SeedableRng};
    let (server, desk) = (Server::start().await, Desk::new());
    server.world().say(1, 100, "plain words");
    let engine = desk.signed_in(&server).await;
    let pieces = [
        "\"",
        "'",
        "*",
        "^",
        "NEAR(",
        "NEAR/2",
        " AND ",
        " OR ",
        " NOT ",
        "text:",
        "name:",
        "{text name}:",
        "-",
        "+",
        "(",
        ")",
        ";",
        "--",
        "/*",
        "\\",
        "%",
        "_",
        "\0",
        "from:",
        "label:",
        "in:",
        "has:file",
        "before:",
        "after:2026-01-01",
        "x'00'",
        " UNION SELECT * FROM session",
        "plain",
        "words",
        "\u{202e}",
        "\u{200d}",
        "ก",
        "货",
        "é",
        "٣",
        "1e9",
        "message_text",
    ];
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(13);
    for _ in 0..5_000 {
        let count = random.random_range(1..9);
        let typed: String = (0..count).filter_map(|_| pieces.choose(&mut random).copied()).collect();
        let found = engine.search(&typed, 5).await.unwrap_or_else(|error| panic!("{typed:?}: {error}"));
        assert!(found.messages.len() <= 5, "{typed:?}");
    }
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
