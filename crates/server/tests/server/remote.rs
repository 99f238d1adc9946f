//! Remote lists show exactly what sync would give the same member.

use std::collections::BTreeSet;

use parley_domain::conversation::{Conversation, Status};
use parley_domain::entity::Entity;
use parley_domain::permission::Role;
use parley_domain::protocol::endpoint::Conversations;
use parley_domain::protocol::intent::{Command, Verdict};
use parley_domain::protocol::remote::{ConversationsRequest, Whose};
use parley_domain::{Code, ConversationId, InboxId};
use serde_json::json;

use crate::world::{Desk, World, body, card, change, everywhere, message, text};

everywhere!(a_remote_list_shows_what_sync_would_give, a_remote_list_of_an_inbox_that_is_not_granted_is_not_found);

fn held(desk: &Desk) -> Vec<&Conversation> {
    desk.entities(|entity| match entity {
        Entity::Conversation(row) => Some(row),
        _ => None,
    })
}

async fn listed(world: &World, desk: &Desk, status: Status, whose: Whose, inbox: Option<InboxId>) -> Vec<Conversation> {
    let mut rows = Vec::new();
    let mut below = None;
    loop {
        let request = ConversationsRequest { status, whose, inbox, below, limit: 3 };
        let page = desk.call::<Conversations>(world, &request).await.unwrap();
        assert!(page.rows.len() <= 3);
        rows.extend(page.rows.into_iter().map(|row| row.conversation));
        below = page.below;
        if below.is_none() {
            return rows;
        }
    }
}

async fn a_remote_list_shows_what_sync_would_give(world: World) {
    let second = world.connect("106540000000002").await;
    let finn = world.add_member("finn", Role::Agent).await;
    world.add_member("mona", Role::Manager).await;
    for person in 1..=9 {
        // Some at the same moment: the id decides their order.
        world.webhook(&text(&world, &format!("wamid.{person}"), person, "hello")).await;
        if person % 3 == 0 {
            world.clock.advance(1_000);
        }
    }
    for person in 20..=23 {
        let elsewhere = change(
            "106540000000002",
            json!([card(person)]),
            json!([message(&world, &format!("wamid.{person}"), person, "hello")]),
            json!([]),
        );
        world.webhook(&body(json!([elsewhere]))).await;
    }
    world.applied().await;
    let mut ada = world.desk("ada").await;
    ada.snapshot(&world).await;
    let ids: Vec<ConversationId> = held(&ada).iter().map(|row| row.id).collect();
    assert_eq!(ids.len(), 13);
    let ada_id = ada.session.member;
    let edits = ids.iter().enumerate().flat_map(|(at, id)| {
        let assignee = [None, Some(finn), Some(ada_id)][at % 3];
        let assign = assignee.map(|who| Command::Assign { conversation: *id, assignee: Some(who), shown: None });
        let resolve = Command::SetStatus {
            conversation: *id,
            status: Status::Resolved,
            snoozed_until: None,
            shown: Status::Open,
        };
        assign.into_iter().chain((at % 4 == 0).then_some(resolve))
    });
    let intents: Vec<_> = edits.map(|edit| ada.intent(&world, edit)).collect();
    assert!(
        ada.push(&world, intents)
            .await
            .iter()
            .all(|verdict| matches!(verdict, Verdict::Applied | Verdict::Refused { .. }))
    );

    let mut seen = BTreeSet::new();
    for name in ["ada", "mona", "finn"] {
        let mut desk = world.desk(name).await;
        desk.snapshot(&world).await;
        let me = desk.session.member;
        seen.insert(held(&desk).len());
        for inbox in [None, Some(world.inbox)] {
            for status in [Status::Open, Status::Resolved] {
                for whose in [Whose::Anybody, Whose::Mine, Whose::Nobody] {
                    let mut expected: Vec<Conversation> = held(&desk)
                        .into_iter()
                        .filter(|row| row.status == status && inbox.is_none_or(|inbox| row.inbox == inbox))
                        .filter(|row| match whose {
                            Whose::Anybody => true,
                            Whose::Mine => row.assignee == Some(me),
                            Whose::Nobody => row.assignee.is_none(),
                        })
                        .cloned()
                        .collect();
                    expected.sort_by_key(|row| std::cmp::Reverse((row.active_at, row.id)));
                    let rows = listed(&world, &desk, status, whose, inbox).await;
                    assert_eq!(rows, expected, "{name}, {status:?}, {whose:?}, {inbox:?}");
                }
            }
        }
        assert_eq!(name == "ada", desk.session.inboxes.contains(&second));
    }
    assert_eq!(seen.len(), 3, "the three members see different things");
}

async fn a_remote_list_of_an_inbox_that_is_not_granted_is_not_found(world: World) {
    let second = world.connect("106540000000002").await;
    world.add_member("mona", Role::Manager).await;
    let desk = world.desk("mona").await;
    let request = ConversationsRequest {
        status: Status::Open,
        whose: Whose::Anybody,
        inbox: Some(second),
        below: None,
        limit: 10,
    };
    let (status, problem) = desk.call::<Conversations>(&world, &request).await.unwrap_err();
    assert_eq!((status, problem.code), (404, Code::NotFound));
}
