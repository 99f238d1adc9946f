//! Many writers in one workspace: readers see no hole and miss nothing, and no update is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parley_domain::conversation::Conversation;
use parley_domain::entity::Entity;
use parley_domain::protocol::intent::{Command, Verdict};
use parley_domain::workspace::Label;
use parley_domain::{Clock, ConversationId, LabelId, MessageId, MessageText};
use sea_orm::{ConnectionTrait, Statement};

use crate::world::{Desk, World, everywhere, text};

const WRITERS: usize = 64;
const SHARED: usize = 8;

everywhere!(sixty_four_writers_leave_no_hole_and_nothing_unseen, sixty_four_writers_on_eight_rows_lose_no_update);

/// Eight conversations, and a few devices that share the writing.
async fn crowd(world: &World) -> (Vec<ConversationId>, Vec<Desk>) {
    for person in 1..=SHARED {
        world.webhook(&text(world, &format!("wamid.start{person}"), u32::try_from(person).unwrap(), "hello")).await;
    }
    world.applied().await;
    let mut desks = Vec::new();
    for _ in 0..4 {
        desks.push(world.desk("ada").await);
    }
    desks[0].snapshot(world).await;
    let ids: Vec<_> = conversations(&desks[0]).into_iter().map(|row| row.id).collect();
    assert_eq!(ids.len(), SHARED);
    (ids, desks)
}

fn conversations(desk: &Desk) -> Vec<&Conversation> {
    desk.entities(|entity| match entity {
        Entity::Conversation(row) => Some(row),
        _ => None,
    })
}

/// What one reader sees in one moment: the counter, and where each row stands.
async fn moment(world: &World) -> (i64, BTreeMap<(String, String), i64>) {
    let snapshot = world.app().db().snapshot().await.unwrap();
    let backend = snapshot.get_database_backend();
    let all = |sql: &'static str| snapshot.query_all_raw(Statement::from_string(backend, sql));
    let counter = all("SELECT seq FROM workspace").await.unwrap()[0].try_get_by_index::<i64>(0).unwrap();
    let rows = all("SELECT kind, id, seq FROM `change`").await.unwrap();
    let places = rows
        .iter()
        .map(|row| {
            let text = |at| row.try_get_by_index::<String>(at).unwrap();
            ((text(0), text(1)), row.try_get_by_index::<i64>(2).unwrap())
        })
        .collect();
    snapshot.rollback().await.unwrap();
    (counter, places)
}

async fn sixty_four_writers_leave_no_hole_and_nothing_unseen(world: World) {
    let (ids, mut desks) = crowd(&world).await;
    let mut follower = world.desk("ada").await;
    follower.snapshot(&world).await;
    let done = AtomicBool::new(false);
    let world = &world;
    let (ids, writing) = (&ids, &desks);

    let writers = async {
        futures_util::future::join_all((0..WRITERS).map(|writer| async move {
            let desk = &writing[writer % writing.len()];
            for round in 0..4 {
                let note = |at: usize| Command::AddNote {
                    message: MessageId(uuid::Uuid::from_u128(
                        (1u128 << 76) + (writer * 1_000 + round * 10 + at) as u128,
                    )),
                    conversation: ids[(writer + round + at) % SHARED],
                    body: MessageText::new(format!("writer {writer}, round {round}, {at}")),
                };
                let intents = (0..=writer % 3).map(|at| desk.intent(world, note(at))).collect();
                let verdicts = desk.push(world, intents).await;
                assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Applied), "{verdicts:?}");
            }
        }))
        .await;
        done.store(true, Ordering::SeqCst);
    };
    let checker = async {
        let mut looks = 0;
        let (mut counter, mut places) = moment(world).await;
        loop {
            let last = done.load(Ordering::SeqCst);
            let (next, now) = moment(world).await;
            for (key, seq) in &now {
                assert!(*seq <= next, "{key:?} stands at {seq} before the counter says so ({next})");
                assert!(
                    *seq > counter || places.get(key) == Some(seq),
                    "{key:?} came to {seq} although readers had seen the counter at {counter}"
                );
            }
            (counter, places) = (next, now);
            looks += 1;
            if last {
                return looks;
            }
        }
    };
    let following = async {
        while !done.load(Ordering::SeqCst) {
            follower.pull(world).await;
        }
        follower.pull(world).await;
    };
    let ((), looks, ()) = tokio::join!(writers, checker, following);
    assert!(looks > 3, "the checker looked only {looks} times");

    let fresh = &mut desks[0];
    fresh.rows.clear();
    fresh.snapshot(world).await;
    let places = |desk: &Desk| -> BTreeMap<_, _> { desk.rows.iter().map(|(key, row)| (*key, row.seq)).collect() };
    assert_eq!(places(&follower), places(fresh), "who followed holds what a newcomer gets");
    let notes = (0..WRITERS).map(|writer| 4 * (writer % 3 + 1)).sum::<usize>();
    assert_eq!(follower.messages().len(), notes + SHARED);
}

async fn sixty_four_writers_on_eight_rows_lose_no_update(world: World) {
    let (ids, desks) = crowd(&world).await;
    let labels: Vec<Label> = (0..WRITERS)
        .map(|writer| Label {
            id: LabelId(uuid::Uuid::from_u128((2u128 << 76) + writer as u128)),
            name: format!("label {writer}"),
            colour: "blue".to_owned(),
        })
        .collect();
    parley_server::db::admin::insert_labels(world.app().db().writer(), world.workspace, &labels).await.unwrap();
    let (world, ids) = (Arc::new(world), Arc::new(ids));
    let desks: Vec<Arc<Desk>> = desks.into_iter().map(Arc::new).collect();

    let mut running = tokio::task::JoinSet::new();
    for (writer, label) in labels.iter().enumerate() {
        let (world, ids, desk, label) = (world.clone(), ids.clone(), desks[writer % desks.len()].clone(), label.id);
        running.spawn(async move {
            // Half come one by one, half as a batch; nobody in the order of anybody else.
            let edits: Vec<_> = (0..SHARED)
                .map(|at| Command::Label {
                    conversation: ids[(writer * 3 + at * 5) % SHARED],
                    add: BTreeSet::from([label]),
                    remove: BTreeSet::new(),
                })
                .map(|command| desk.intent(&world, command))
                .collect();
            let together = if writer % 2 == 0 { SHARED } else { 1 };
            for part in edits.chunks(together) {
                for verdict in desk.push(&world, part.to_vec()).await {
                    assert_eq!(verdict, Verdict::Applied);
                }
            }
        });
    }
    // Meanwhile the customers go on writing into the same conversations, each message later than the one before.
    let writes = 25;
    let began = world.clock.now();
    for write in 1..=writes {
        world.clock.advance(1_000);
        for person in 1..=SHARED {
            let person = u32::try_from(person).unwrap();
            assert_eq!(world.webhook(&text(&world, &format!("wamid.{write}.{person}"), person, "and?")).await, 200);
        }
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
    world.applied().await;
    let mut reader = world.desk("ada").await;
    reader.snapshot(&world).await;
    let expected: BTreeSet<LabelId> = labels.iter().map(|label| label.id).collect();
    for row in conversations(&reader) {
        assert_eq!(row.labels, expected, "a label was lost on {}", row.id);
        let wrote = row.customer_wrote_at.unwrap();
        assert!(wrote.since(began) >= (writes - 1) * 1_000, "a customer's message was lost on {}: {wrote:?}", row.id);
    }
}
