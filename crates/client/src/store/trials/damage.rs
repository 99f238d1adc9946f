//! Damaged files: flipped bytes, truncated files, zeroed and exchanged pages, a lost log, an old copy (A30).
//!
//! No wrong row is ever read: what is read is what was stored, or reading fails and the next opening mends. A file that was
//! damaged is made anew; of the outbox everything readable is kept, and what the replica still shows of the rest becomes drafts.
//! 2,000 damages with `PARLEY_SOAK`, 120 otherwise.

use std::collections::BTreeMap;

use parley_faultfs::{Files, read_folder, write_folder};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

const PAGE: usize = 4_096;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Kind {
    Flip,
    Garbage,
    Truncated,
    ZeroedPage,
    SwappedPages,
    LostLog,
    DamagedLog,
    OldCopy,
}

const KINDS: [Kind; 8] = [
    Kind::Flip,
    Kind::Garbage,
    Kind::Truncated,
    Kind::ZeroedPage,
    Kind::SwappedPages,
    Kind::LostLog,
    Kind::DamagedLog,
    Kind::OldCopy,
];

/// What the files held when nothing was wrong.
struct Truth {
    messages: BTreeMap<u64, (Uuid, String)>,
    others: BTreeMap<String, Entity>,
    intents: BTreeMap<IntentId, Intent>,
    left: BTreeSet<IntentId>,
}

#[tokio::test]
async fn damage_is_noticed_and_mended_and_never_read_as_rows() {
    let damages = amount(120, 2_000);
    let dir = scratch();
    let desk = dir.path().join("desk");
    let mut trial = Trial::create(&desk).await.unwrap();
    trial.begin().await.unwrap();
    let mut intents = BTreeMap::new();
    let mut old = Files::new();
    for n in 0..158 {
        if n == 80 {
            // A copy of closed files.
            let Trial { stores, pending, seq, made, draft, acks } = trial;
            drop(stores);
            old = read_folder(&desk).unwrap();
            trial = Trial { stores: reopen(&desk).unwrap().0, pending, seq, made, draft, acks };
        }
        // No settling near the end, so that the outbox holds several pages of intents.
        if n < 100 || n % 8 != 3 && n % 8 != 6 {
            trial.step(n).await.unwrap();
        }
        intents.extend(trial.pending.iter().map(|item| (item.intent.id, item.intent.clone())));
    }
    let messages = held(&trial.stores).await.unwrap().1.into_iter().map(|(seq, id, text)| (seq, (id, text))).collect();
    let others = others(&trial.stores).await.unwrap();
    let left = trial.pending.iter().map(|item| item.intent.id).collect();
    let truth = Truth { messages, others, intents, left };
    let in_use = read_folder(&desk).unwrap();
    drop(trial);
    let closed = read_folder(&desk).unwrap();
    assert!(in_use.contains_key("in-use") && !closed.contains_key("in-use") && in_use.contains_key("outbox.db-wal"));

    let mut random = ChaCha8Rng::seed_from_u64(11);
    let image = dir.path().join("image");
    let mut told = BTreeMap::<(Kind, String), usize>::new();
    let (mut saved, mut recovered) = (0, 0);
    for number in 0..damages {
        let kind = KINDS[number % KINDS.len()];
        let name = if random.random_bool(0.6) { "replica" } else { "outbox" };
        let mut files = if matches!(kind, Kind::LostLog | Kind::DamagedLog) { in_use.clone() } else { closed.clone() };
        spoil(&mut files, kind, name, &old, &mut random);
        write_folder(&image, &files).unwrap();
        let what = format!("damage {number}: {kind:?} of {name}");
        let (found, drafts, mended) = survive(&image, &truth, kind, &what).await;
        saved += if mended.outbox { found } else { 0 };
        recovered += drafts;
        *told.entry((kind, format!("{:?}", mended.code().map(Code::as_str)))).or_default() += 1;
    }
    println!("damages: {damages}; what the member was told: {told:#?}");
    println!("intents read from damaged outboxes: {saved}; answers that became drafts: {recovered}");
}

/// Opens damaged files as the engine does, reads everything, and opens again when reading met damage.
async fn survive(image: &Path, truth: &Truth, kind: Kind, what: &str) -> (usize, usize, Mended) {
    let mut mended = Mended::default();
    for _ in 0..3 {
        let (stores, now) = reopen(image).unwrap_or_else(|error| panic!("{what}: does not open: {error}"));
        mended = Mended {
            replica: mended.replica | now.replica,
            outbox: mended.outbox | now.outbox,
            media: mended.media | now.media,
        };
        match read_all(&stores, truth, kind, mended, what).await {
            Ok((found, drafts)) => {
                // Damage in a page that nothing reads is not noticed, and makes no row wrong.
                if mended != Mended::default() {
                    assert_whole(&stores, what).await;
                }
                return (found, drafts, mended);
            }
            Err(error) => assert!(error.is_damage(), "{what}: {error}"),
        }
        drop(stores);
        assert!(image.join("suspect").exists(), "{what}: nobody rang");
    }
    panic!("{what}: not mended in three openings");
}

async fn read_all(stores: &Stores, truth: &Truth, kind: Kind, mended: Mended, what: &str) -> Result<(usize, usize)> {
    let (upto, rows) = held(stores).await?;
    for (seq, id, text) in &rows {
        assert_eq!(truth.messages.get(seq), Some(&(*id, text.clone())), "{what}: a wrong row");
    }
    let prefix = truth.messages.range(..=upto).count();
    // A replica that fetches everything again keeps the rows it has and stands at no place of the order.
    assert!(mended.replica || rows.len() == prefix, "{what}: {} rows of {prefix} up to {upto}", rows.len());
    let earlier = matches!(kind, Kind::LostLog | Kind::DamagedLog | Kind::OldCopy);
    assert!(
        prefix == truth.messages.len() || mended.replica || earlier,
        "{what}: rows are missing, and nobody says so"
    );
    for (key, entity) in others(stores).await? {
        assert_eq!(truth.others.get(&key), Some(&entity), "{what}: a wrong row");
    }
    let pending = stores.outbox.read(outbox::load).await?;
    stores.outbox.read(outbox::drafts).await?;
    for item in &pending {
        assert_eq!(truth.intents.get(&item.intent.id), Some(&item.intent), "{what}: a wrong intent");
    }
    let held: BTreeSet<IntentId> = pending.iter().map(|item| item.intent.id).collect();
    let lost = truth.left.difference(&held).count();
    let drafts = stores.replica.read(move |c| overlay::unknown_answers(c, &pending)).await?.len();
    assert!(lost == 0 || mended.outbox || drafts > 0 || earlier, "{what}: {lost} intents are gone, and nobody says so");
    if !mended.replica && !matches!(kind, Kind::LostLog | Kind::DamagedLog | Kind::OldCopy) {
        assert!(drafts >= lost, "{what}: {lost} intents are gone, {drafts} of their texts are kept");
    }
    Ok((held.len(), drafts))
}

/// Rows that do not change after the first sync, by key.
async fn others(stores: &Stores) -> Result<BTreeMap<String, Entity>> {
    let rows = stores.replica.read(super::super::all_rows).await?;
    Ok(rows
        .into_iter()
        .filter(|(_, entity)| matches!(entity, Entity::Contact(_) | Entity::Inbox(_)))
        .map(|(_, entity)| (format!("{:?}", entity.key()), entity))
        .collect())
}

fn spoil(files: &mut Files, kind: Kind, name: &str, old: &Files, random: &mut ChaCha8Rng) {
    let (file, log) = (format!("{name}.db"), format!("{name}.db-wal"));
    if kind == Kind::LostLog {
        files.remove(&log);
        return;
    }
    let target = if kind == Kind::DamagedLog { log } else { file };
    let bytes = files.get_mut(&target).unwrap();
    let pages = bytes.len() / PAGE;
    match kind {
        Kind::Flip | Kind::DamagedLog => {
            let at = random.random_range(0..bytes.len());
            bytes[at] ^= 1 << random.random_range(0..8);
        }
        Kind::Garbage => {
            let at = random.random_range(0..bytes.len() - 64);
            random.fill(&mut bytes[at..at + 64]);
        }
        Kind::Truncated => {
            let left = random.random_range(0..bytes.len());
            bytes.truncate(if random.random_bool(0.5) { left / PAGE * PAGE } else { left });
        }
        Kind::ZeroedPage => {
            let page = random.random_range(0..pages);
            bytes[page * PAGE..(page + 1) * PAGE].fill(0);
        }
        Kind::SwappedPages => {
            let all: Vec<usize> = (0..pages).collect();
            let two: Vec<usize> = all.choose_multiple(random, 2).copied().collect();
            for at in 0..PAGE {
                bytes.swap(two[0] * PAGE + at, two[1] * PAGE + at);
            }
        }
        Kind::OldCopy => *bytes = old.get(&target).unwrap().clone(),
        Kind::LostLog => {}
    }
}
