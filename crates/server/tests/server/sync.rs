//! Pull, snapshot, push: order, scope, outcomes.

use std::collections::BTreeSet;

use parley_domain::content::{Content, SystemEvent};
use parley_domain::conversation::{Conversation, Status};
use parley_domain::entity::{Entity, Key, Kind};
use parley_domain::permission::Role;
use parley_domain::protocol::change::{BackfillRequest, PullRequest};
use parley_domain::protocol::endpoint::{Backfill, Outcomes, Pull};
use parley_domain::protocol::intent::{Command, OutcomesRequest, Verdict};
use parley_domain::{Code, MessageId, MessageText};
use serde_json::json;

use crate::world::{Desk, World, body, card, change, everywhere, message, text};

everywhere!(
    a_pull_brings_what_came_after_the_snapshot,
    an_edit_is_applied_once_and_its_outcome_comes_with_its_rows,
    an_edit_on_an_unaccepted_one_is_blocked,
    a_refused_edit_is_recorded,
    a_reassigned_conversation_enters_one_desk_and_leaves_the_other,
    an_inbox_that_is_not_granted_is_not_seen,
    a_cursor_is_bound_to_its_member_and_permission,
    a_snapshot_misses_nothing_that_moves_meanwhile,
    pages_and_marks_cover_everything_in_order,
    workspaces_do_not_see_each_other,
);

fn conversations(desk: &Desk) -> Vec<&Conversation> {
    desk.entities(|entity| match entity {
        Entity::Conversation(row) => Some(row),
        _ => None,
    })
}

async fn with_conversation(world: &World, name: &str) -> (Desk, Conversation) {
    world.webhook(&text(world, "wamid.start", 1, "hello")).await;
    world.applied().await;
    let mut desk = world.desk(name).await;
    desk.snapshot(world).await;
    let row = conversations(&desk)[0].clone();
    (desk, row)
}

async fn a_pull_brings_what_came_after_the_snapshot(world: World) {
    let (mut desk, row) = with_conversation(&world, "ada").await;
    assert_eq!(desk.pull(&world).await.rows.len(), 0);
    world.webhook(&text(&world, "wamid.next", 1, "are you there?")).await;
    world.applied().await;
    let page = desk.pull(&world).await;
    let kinds: BTreeSet<Kind> = page.rows.iter().map(|row| row.key.kind).collect();
    assert!(kinds.contains(&Kind::Message));
    assert!(page.enter.is_empty() && page.gone.is_empty());
    assert!(page.rows.windows(2).all(|pair| pair[0].seq < pair[1].seq), "in order of seq");
    assert_eq!(desk.messages().len(), 2);
    assert_eq!(desk.messages()[1].conversation, row.id);
    assert!(desk.messages()[1].position > desk.messages()[0].position);
}

async fn an_edit_is_applied_once_and_its_outcome_comes_with_its_rows(world: World) {
    let (mut desk, row) = with_conversation(&world, "ada").await;
    let note = MessageId(desk.id(&world));
    let command =
        Command::AddNote { message: note, conversation: row.id, body: MessageText::new("ask about the lamp") };
    let intent = desk.intent(&world, command);
    for _ in 0..3 {
        assert_eq!(desk.push(&world, vec![intent.clone()]).await, vec![Verdict::Applied]);
    }
    let page = desk.pull(&world).await;
    assert_eq!(page.outcomes.len(), 1);
    assert_eq!((page.outcomes[0].id, page.outcomes[0].verdict), (intent.id, Verdict::Applied));
    assert!(page.rows.iter().any(|row| row.key == Key::new(Kind::Message, note)));
    assert_eq!(desk.messages().len(), 2);
    let asked = desk.call::<Outcomes>(&world, &OutcomesRequest { ids: vec![intent.id] }).await.unwrap();
    assert_eq!(asked.outcomes, page.outcomes);
    // Another device may not have it for its own.
    let other = world.desk("ada").await;
    let refused = Verdict::Refused { code: Code::Conflict };
    assert_eq!(other.push(&world, vec![intent.clone()]).await, vec![refused]);
    let asked = other.call::<Outcomes>(&world, &OutcomesRequest { ids: vec![intent.id] }).await.unwrap();
    assert!(asked.outcomes.is_empty());
    // A no-op is recorded too.
    let same =
        Command::SetStatus { conversation: row.id, status: Status::Open, snoozed_until: None, shown: Status::Open };
    assert_eq!(desk.push(&world, vec![desk.intent(&world, same)]).await, vec![Verdict::NoOp]);
    assert_eq!(desk.pull(&world).await.outcomes.len(), 1);
}

async fn an_edit_on_an_unaccepted_one_is_blocked(world: World) {
    let (mut desk, row) = with_conversation(&world, "ada").await;
    let missing = MessageId(desk.id(&world));
    let first = desk.intent(&world, Command::CancelSend { message: missing, conversation: row.id });
    let label = Command::MarkRead { conversation: row.id, upto: 99 };
    let mut second = desk.intent(&world, label);
    second.after = vec![first.id];
    assert_eq!(desk.push(&world, vec![second.clone()]).await, vec![Verdict::Blocked], "its base was never offered");
    let verdicts = desk.push(&world, vec![first.clone(), second.clone()]).await;
    assert_eq!(verdicts, vec![Verdict::Refused { code: Code::NotFound }, Verdict::Blocked]);
    assert_eq!(desk.pull(&world).await.outcomes.len(), 1, "blocked leaves no trace");
    second.after = vec![];
    assert_eq!(desk.push(&world, vec![second]).await, vec![Verdict::Applied], "mended, it goes");
}

async fn a_refused_edit_is_recorded(world: World) {
    let (mut desk, row) = with_conversation(&world, "ada").await;
    world.clock.advance(25 * 3_600_000);
    let mut desk2 = world.desk("ada").await;
    desk2.cursor = desk.cursor.clone();
    desk2.rows = std::mem::take(&mut desk.rows);
    let send = Command::SendMessage {
        message: MessageId(desk2.id(&world)),
        conversation: row.id,
        content: Content::Text { body: MessageText::new("too late") },
        reply_to: None,
        resend_of: None,
        newest_shown: None,
    };
    let refused = Verdict::Refused { code: Code::WindowClosed };
    assert_eq!(desk2.push(&world, vec![desk2.intent(&world, send)]).await, vec![refused]);
    let page = desk2.pull(&world).await;
    assert_eq!(page.outcomes.len(), 1);
    assert_eq!(page.outcomes[0].verdict, refused);
    assert_eq!(desk2.messages().len(), 1, "nothing was written");
    assert!(world.sim.ledger().is_empty());
}

async fn a_reassigned_conversation_enters_one_desk_and_leaves_the_other(world: World) {
    let bob = world.add_member("bob", Role::Agent).await;
    let eve = world.add_member("eve", Role::Agent).await;
    world.webhook(&text(&world, "wamid.one", 1, "one")).await;
    world.webhook(&text(&world, "wamid.two", 1, "two")).await;
    world.webhook(&text(&world, "wamid.other", 2, "somebody else")).await;
    world.applied().await;
    let (mut ada, mut bobs, mut eves) = (world.desk("ada").await, world.desk("bob").await, world.desk("eve").await);
    for desk in [&mut ada, &mut bobs, &mut eves] {
        desk.snapshot(&world).await;
        assert_eq!(desk.messages().len(), 3, "nobody's conversations are seen by all");
    }
    let mine = bobs.messages()[0].conversation;
    let assign = |who, shown| Command::Assign { conversation: mine, assignee: Some(who), shown };
    assert_eq!(bobs.push(&world, vec![bobs.intent(&world, assign(bob, None))]).await, vec![Verdict::Applied]);
    let gone = eves.pull(&world).await;
    assert!(gone.gone.contains(&Key::new(Kind::Conversation, mine)));
    assert_eq!(eves.messages().len(), 1);
    assert!(eves.rows.values().all(|row| row.root.id != mine.0));
    let stays = ada.pull(&world).await;
    assert!(stays.gone.is_empty() && stays.enter.is_empty(), "an admin sees all the time");
    bobs.pull(&world).await;
    assert_eq!(bobs.messages().len(), 4, "with a line that tells of it");
    let line = bobs.messages()[3].content.clone();
    assert!(matches!(line, Content::System { event: SystemEvent::Assigned, .. }));

    // What is written meanwhile is not for her; on the way back everything comes.
    world.webhook(&text(&world, "wamid.three", 1, "three")).await;
    world.applied().await;
    assert!(eves.pull(&world).await.rows.iter().all(|row| row.root.id != mine.0));
    let (status, problem) = eves
        .call::<Backfill>(&world, &BackfillRequest { root: Key::new(Kind::Conversation, mine), after: None })
        .await
        .unwrap_err();
    assert_eq!((status, problem.code), (404, Code::OutOfScope));
    assert_eq!(bobs.push(&world, vec![bobs.intent(&world, assign(eve, Some(bob)))]).await, vec![Verdict::Applied]);
    let page = bobs.pull(&world).await;
    assert!(page.gone.contains(&Key::new(Kind::Conversation, mine)));
    assert_eq!(page.outcomes.len(), 1, "the outcome comes although the root is gone");
    let page = eves.pull(&world).await;
    assert!(page.enter.contains(&Key::new(Kind::Conversation, mine)));
    for root in page.enter {
        let mut after = None;
        loop {
            let page = eves.call::<Backfill>(&world, &BackfillRequest { root, after }).await.unwrap();
            eves.take(page.rows);
            after = page.after;
            if after.is_none() {
                break;
            }
        }
    }
    ada.pull(&world).await;
    // Facts go to those who see reports.
    let shared = |key: &Key| key.kind != Kind::Fact;
    let rows_of = |desk: &Desk| {
        desk.rows.iter().filter(|(key, _)| shared(key)).map(|(key, row)| (*key, row.seq)).collect::<BTreeSet<_>>()
    };
    assert_eq!(rows_of(&eves), rows_of(&ada), "the same rows at the same seq");
    let theirs = rows_of(&bobs);
    let mut fresh = world.desk("bob").await;
    fresh.snapshot(&world).await;
    assert_eq!(theirs, rows_of(&fresh), "pulls and a snapshot agree");
}

async fn an_inbox_that_is_not_granted_is_not_seen(world: World) {
    let second = world.connect("106540000000002").await;
    world.add_member("bob", Role::Manager).await;
    let hidden = body(json!([change(
        "106540000000002",
        json!([card(5)]),
        json!([message(&world, "wamid.hidden", 5, "for others")]),
        json!([])
    )]));
    let mut bobs = world.desk("bob").await;
    bobs.snapshot(&world).await;
    world.webhook(&hidden).await;
    world.applied().await;
    let page = bobs.pull(&world).await;
    assert!(page.rows.is_empty(), "not even the person");
    let inboxes = bobs.entities(|entity| match entity {
        Entity::Inbox(row) => Some(row),
        _ => None,
    });
    assert!(inboxes.iter().all(|row| row.id != second));
    let mut ada = world.desk("ada").await;
    ada.snapshot(&world).await;
    assert_eq!(ada.messages().len(), 1);
    let conversation = conversations(&ada)[0].id;
    let note =
        Command::AddNote { message: MessageId(bobs.id(&world)), conversation, body: MessageText::new("guessing ids") };
    let refused = Verdict::Refused { code: Code::OutOfScope };
    assert_eq!(bobs.push(&world, vec![bobs.intent(&world, note)]).await, vec![refused]);
}

async fn a_cursor_is_bound_to_its_member_and_permission(world: World) {
    let bob = world.add_member("bob", Role::Agent).await;
    let mut ada = world.desk("ada").await;
    ada.snapshot(&world).await;
    let mut bobs = world.desk("bob").await;
    bobs.snapshot(&world).await;
    let reason = async |desk: &Desk, cursor: String| {
        let (status, problem) = desk.call::<Pull>(&world, &PullRequest { cursor }).await.unwrap_err();
        assert_eq!(status, 409);
        let required: serde_json::Value = serde_json::from_str(&problem.message).unwrap();
        (required["reason"].as_str().unwrap().to_owned(), required["allowed"].as_array().unwrap().len())
    };
    assert_eq!(reason(&bobs, ada.cursor.clone()).await.0, "invalid");
    assert_eq!(reason(&bobs, String::new()).await.0, "invalid");
    assert_eq!(reason(&bobs, format!("x{}", bobs.cursor)).await.0, "invalid");
    world.app().admin().withdraw_inbox(world.workspace, bob, world.inbox).await.unwrap();
    assert_eq!(reason(&bobs, bobs.cursor.clone()).await, ("permission".to_owned(), 0));
    world.clock.advance(46 * 24 * 3_600_000);
    let later = world.desk("ada").await;
    assert_eq!(reason(&later, ada.cursor.clone()).await.0, "age");
}

async fn a_snapshot_misses_nothing_that_moves_meanwhile(world: World) {
    use parley_domain::protocol::change::SnapshotRequest;
    use parley_domain::protocol::endpoint::Snapshot;
    // Enough for several pages, one conversation larger than a page.
    let many = |person: u32, from: u32, upto: u32| {
        let messages: Vec<_> =
            (from..upto).map(|n| message(&world, &format!("wamid.{person}.{n}"), person, &format!("m{n}"))).collect();
        body(json!([change("106540000000001", json!([card(person)]), json!(messages), json!([]))]))
    };
    world.webhook(&many(1, 0, 60)).await;
    world.applied().await;
    world.clock.advance(10_000);
    for chunk in 0..6 {
        world.webhook(&many(2, chunk * 250, (chunk + 1) * 250)).await;
    }
    world.applied().await;
    let mut desk = world.desk("ada").await;
    let mut after = None;
    let mut pages = 0;
    loop {
        let page = desk.call::<Snapshot>(&world, &SnapshotRequest { after }).await.unwrap();
        assert!(page.rows.len() <= parley_domain::limits::PAGE_ROWS + 10);
        desk.take(page.rows);
        desk.cursor = page.cursor;
        after = page.after;
        pages += 1;
        if pages == 1 {
            // The oldest conversation wakes up and jumps over the place that is reached.
            world.clock.advance(10_000);
            world.webhook(&many(1, 60, 61)).await;
            world.applied().await;
        }
        if after.is_none() {
            break;
        }
    }
    assert!(pages >= 2);
    desk.pull(&world).await;
    assert_eq!(desk.messages().len(), 1_561);
}

async fn pages_and_marks_cover_everything_in_order(world: World) {
    let mut desk = world.desk("ada").await;
    desk.snapshot(&world).await;
    for chunk in 0..5u32 {
        let messages: Vec<_> =
            (0..240).map(|n| message(&world, &format!("wamid.{chunk}.{n}"), chunk, &format!("m{n}"))).collect();
        world
            .webhook(&body(json!([change("106540000000001", json!([card(chunk)]), json!(messages), json!([]))])))
            .await;
    }
    world.applied().await;
    let page = desk.call::<Pull>(&world, &PullRequest { cursor: desk.cursor.clone() }).await.unwrap();
    assert!(page.more && page.rows.len() == parley_domain::limits::PAGE_ROWS);
    assert_eq!(page.marks.len(), 9);
    // A desk that stops at a mark goes on from there without loss.
    let mark = &page.marks[4];
    desk.take(page.rows[..mark.index].to_vec());
    desk.cursor.clone_from(&mark.cursor);
    desk.pull(&world).await;
    assert_eq!(desk.messages().len(), 1_200);
}

async fn workspaces_do_not_see_each_other(world: World) {
    use parley_domain::protocol::session::Secret;
    use parley_domain::{Email, PersonName};
    let (_, row) = with_conversation(&world, "ada").await;
    let new = parley_server::admin::NewWorkspace {
        name: "Other".to_owned(),
        admin_name: PersonName::new("mallory"),
        admin_email: Email::new("mallory@example.org"),
        admin_password: Secret::new(crate::world::PASSWORD),
    };
    world.app().admin().create_workspace(new).await.unwrap();
    let mut mallory = world.desk("mallory").await;
    mallory.snapshot(&world).await;
    assert!(mallory.messages().is_empty() && conversations(&mallory).is_empty());
    let steal = Command::AddNote {
        message: MessageId(mallory.id(&world)),
        conversation: row.id,
        body: MessageText::new("mine now"),
    };
    let refused = Verdict::Refused { code: Code::NotFound };
    assert_eq!(mallory.push(&world, vec![mallory.intent(&world, steal)]).await, vec![refused]);
    let request = BackfillRequest { root: Key::new(Kind::Conversation, row.id), after: None };
    assert_eq!(mallory.call::<Backfill>(&world, &request).await.unwrap_err().0, 404);
}
