//! Facts: told of what happens, sent to those who see reports, without the person once erased; and desks of the version before.

use std::collections::BTreeMap;

use parley_domain::content::Content;
use parley_domain::conversation::{Conversation, Status};
use parley_domain::entity::{Entity, Key, Kind};
use parley_domain::fact::{Fact, FactKind};
use parley_domain::permission::Role;
use parley_domain::protocol::PROTOCOL_HEADER;
use parley_domain::protocol::access::UpdateMemberRequest;
use parley_domain::protocol::change::{BackfillRequest, PullRequest, SnapshotPage, SnapshotRequest};
use parley_domain::protocol::endpoint::{Backfill, Endpoint, Pull, Snapshot, UpdateMember};
use parley_domain::protocol::intent::{Command, Verdict};
use parley_domain::{Code, MessageId, MessageText};

use crate::world::{Desk, World, everywhere, text};

everywhere!(
    what_happens_is_told_to_managers_and_not_to_agents,
    facts_stay_with_their_inbox,
    an_erased_person_is_in_no_fact_and_the_totals_stay,
    a_kind_is_fetched_whole_by_a_desk_that_lacks_it,
    a_desk_of_the_version_before_is_served_without_what_it_does_not_know,
);

fn facts(desk: &Desk) -> Vec<Fact> {
    let rows = desk.entities(|entity| match entity {
        Entity::Fact(row) => Some(row),
        _ => None,
    });
    rows.into_iter().cloned().collect()
}

fn kinds(desk: &Desk) -> BTreeMap<String, usize> {
    facts(desk).iter().fold(BTreeMap::new(), |mut counts, fact| {
        *counts.entry(format!("{:?}", fact.kind)).or_default() += 1;
        counts
    })
}

fn conversation(desk: &Desk) -> Conversation {
    let rows = desk.entities(|entity| match entity {
        Entity::Conversation(row) => Some(row),
        _ => None,
    });
    rows[0].clone()
}

async fn set(world: &World, desk: &Desk, row: &Conversation, status: Status, shown: Status) {
    let command = Command::SetStatus { conversation: row.id, status, snoozed_until: None, shown };
    assert_eq!(desk.push(world, vec![desk.intent(world, command)]).await, vec![Verdict::Applied]);
}

/// A conversation that was answered, resolved, and opened again by the customer.
async fn history(world: &World) -> Desk {
    world.webhook(&text(world, "wamid.one", 1, "do you have the lamp?")).await;
    world.applied().await;
    let mut admin = world.desk("ada").await;
    admin.snapshot(world).await;
    let row = conversation(&admin);
    let send = Command::SendMessage {
        message: MessageId(admin.id(world)),
        conversation: row.id,
        content: Content::Text { body: MessageText::new("we do") },
        reply_to: None,
        resend_of: None,
        newest_shown: None,
    };
    assert_eq!(admin.push(world, vec![admin.intent(world, send)]).await, vec![Verdict::Applied]);
    set(world, &admin, &row, Status::Resolved, Status::Open).await;
    world.webhook(&text(world, "wamid.two", 1, "and in red?")).await;
    world.applied().await;
    admin
}

async fn what_happens_is_told_to_managers_and_not_to_agents(world: World) {
    world.add_member("max", Role::Manager).await;
    world.add_member("ann", Role::Agent).await;
    let mut early = world.desk("max").await;
    early.snapshot(&world).await;
    let mut agent = world.desk("ann").await;
    agent.snapshot(&world).await;
    history(&world).await;
    let mut late = world.desk("max").await;
    late.snapshot(&world).await;
    early.pull(&world).await;
    agent.pull(&world).await;
    let told = [("ConversationReopened", 1), ("ConversationResolved", 1), ("ConversationStarted", 1), ("Replied", 1)];
    let told: BTreeMap<String, usize> = told.map(|(kind, count)| (kind.to_owned(), count)).into();
    assert_eq!(kinds(&early), told, "by pull");
    assert_eq!(facts(&late), facts(&early), "by snapshot");
    let reopened = facts(&late).into_iter().find(|fact| fact.kind == FactKind::ConversationReopened).unwrap();
    assert_eq!(reopened.member, None, "the customer did it");
    assert_eq!(agent.messages().len(), late.messages().len());
    assert!(facts(&agent).is_empty());
    let refused = agent.call::<Backfill>(&world, &whole(&agent, Kind::Fact)).await.unwrap_err();
    assert_eq!(refused.1.code, Code::OutOfScope);
}

async fn facts_stay_with_their_inbox(world: World) {
    world.add_member("max", Role::Manager).await;
    let (admin, max) = (world.desk("ada").await, world.desk("max").await);
    let nowhere = UpdateMemberRequest {
        member: max.session.member,
        role: Role::Manager,
        active: true,
        inboxes: vec![],
        teams: vec![],
    };
    admin.call::<UpdateMember>(&world, &nowhere).await.unwrap();
    history(&world).await;
    let mut max = world.desk("max").await;
    max.snapshot(&world).await;
    assert!(facts(&max).is_empty(), "of an inbox that is not granted");
    let page = max.call::<Backfill>(&world, &whole(&max, Kind::Fact)).await.unwrap();
    assert!(page.rows.is_empty());
}

async fn an_erased_person_is_in_no_fact_and_the_totals_stay(world: World) {
    let mut admin = history(&world).await;
    admin.pull(&world).await;
    let (before, row) = (kinds(&admin), conversation(&admin));
    world.app().admin().erase_contact(world.workspace, row.contact).await.unwrap();
    let mut newcomer = world.desk("ada").await;
    newcomer.snapshot(&world).await;
    admin.pull(&world).await;
    for desk in [&admin, &newcomer] {
        assert_eq!(kinds(desk), before);
        assert!(facts(desk).iter().all(|fact| fact.contact != row.contact && fact.conversation != row.id));
    }
}

fn whole(desk: &Desk, kind: Kind) -> BackfillRequest {
    BackfillRequest { root: Key::new(kind, desk.session.workspace), after: None }
}

async fn a_kind_is_fetched_whole_by_a_desk_that_lacks_it(world: World) {
    let mut admin = history(&world).await;
    admin.pull(&world).await;
    for kind in Kind::ALL.iter().copied().filter(|kind| !kind.is_root()) {
        let held: Vec<Key> = admin.rows.keys().copied().filter(|key| key.kind == kind).collect();
        let page = admin.call::<Backfill>(&world, &whole(&admin, kind)).await.unwrap();
        let mut brought: Vec<Key> = page.rows.iter().map(|row| row.key).collect();
        brought.sort_unstable();
        assert_eq!(brought, held, "{kind:?}");
        assert_eq!(page.after, None);
    }
    let other = BackfillRequest { root: Key::new(Kind::Fact, admin.session.member), after: None };
    assert_eq!(admin.call::<Backfill>(&world, &other).await.unwrap_err().1.code, Code::OutOfScope);
}

async fn as_before<E: Endpoint>(world: &World, desk: &Desk, version: u32, request: &E::Request) -> (u16, String) {
    let call = world.http.post(world.url(E::PATH)).header(PROTOCOL_HEADER, version).json(request);
    let answer = call.bearer_auth(desk.session.access_token.expose()).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn a_desk_of_the_version_before_is_served_without_what_it_does_not_know(world: World) {
    let admin = history(&world).await;
    let (status, text) = as_before::<Snapshot>(&world, &admin, 1, &SnapshotRequest { after: None }).await;
    assert_eq!(status, 200);
    let page: SnapshotPage = serde_json::from_str(&text).unwrap();
    assert_eq!(page.after, None);
    assert!(page.rows.iter().any(|row| row.key.kind == Kind::Message));
    assert!(!text.contains("\"fact\""));
    let pull = PullRequest { cursor: admin.cursor.clone() };
    let (status, text) = as_before::<Pull>(&world, &admin, 1, &pull).await;
    assert_eq!((status, text.contains("\"fact\"")), (200, false));
    assert!(as_before::<Pull>(&world, &admin, 2, &pull).await.1.contains("\"fact\""));
    for unknown in [0, 3] {
        let (status, text) = as_before::<Pull>(&world, &admin, unknown, &pull).await;
        assert_eq!(status, 426);
        assert!(text.contains("protocol_mismatch"));
    }
}
