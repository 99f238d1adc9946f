//! Power cuts: at any point of the record of what reached the files, with un-synced writes dropped, reordered or torn.
//!
//! Every image opens and is whole; `outbox.db` has every acknowledged commit; `replica.db` is a prefix of what was stored;
//! an intent that left the outbox left its outcome in the replica. 5,000 images with `PARLEY_SOAK`, 400 otherwise.

use std::collections::BTreeMap;

use parley_faultfs::{Disk, Op, Style, watch, write_folder};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

const STEPS: u64 = 160;

#[tokio::test]
async fn every_power_cut_leaves_files_that_open_and_everything_acknowledged() {
    let images = amount(400, 5_000);
    let dir = scratch();
    let desk = dir.path().join("desk");
    make_dir(&desk).unwrap();
    let watch = watch(&desk);
    watch.record();
    let mut trial = Trial::create(&desk).await.unwrap();
    watch.mark(0);
    trial.begin().await.unwrap();
    // A mark stands behind each acknowledgement: what was acknowledged before a cut is what the last mark counted.
    for n in 0..STEPS {
        trial.step(n).await.unwrap();
        watch.mark(trial.acks.len() as u64 + 1);
    }
    let acks = trial.acks.clone();
    let made: BTreeMap<u64, Uuid> =
        held(&trial.stores).await.unwrap().1.into_iter().map(|row| (row.0, row.1)).collect();
    let ops = watch.taken();
    drop(trial);
    drop(watch);
    let begun = ops.iter().position(|op| *op == Op::Mark(0)).unwrap();
    let syncs = ops.iter().filter(|op| matches!(op, Op::Sync { .. })).count();
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut cuts: Vec<usize> = (0..images).map(|_| random.random_range(begun..ops.len())).collect();
    cuts.sort_unstable();
    let image = dir.path().join("image");
    let (mut disk, mut played, mut acknowledged) = (Disk::default(), 0, 0);
    let mut styles = BTreeMap::<String, usize>::new();
    for (number, cut) in cuts.into_iter().enumerate() {
        for op in &ops[played..=cut] {
            disk.play(op);
            if let Op::Mark(count) = op {
                acknowledged = usize::try_from(count.saturating_sub(1)).unwrap();
            }
        }
        played = played.max(cut + 1);
        let style = Style::ALL[number % Style::ALL.len()];
        *styles.entry(format!("{style:?}")).or_default() += 1;
        write_folder(&image, &disk.cut(style, &mut random)).unwrap();
        let what = format!("image {number}, cut after operation {cut} of {}, {style:?}", ops.len());
        let (stores, mended) = reopen(&image).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(mended, Mended::default(), "{what}: a power cut damages nothing");
        assert_acknowledged(&stores, &acks, acknowledged, &made, &what).await;
        assert_whole(&stores, &what).await;
    }
    println!(
        "power cuts: {images} images of {} operations with {syncs} syncs, {styles:?}; {} acknowledgements",
        ops.len(),
        acks.len()
    );
}

async fn assert_acknowledged(
    stores: &Stores,
    acks: &[Ack],
    acknowledged: usize,
    made: &BTreeMap<u64, Uuid>,
    what: &str,
) {
    let (pending, drafts) =
        stores.outbox.read(|connection| Ok((outbox::load(connection)?, outbox::drafts(connection)?))).await.unwrap();
    let (upto, rows) = held(stores).await.unwrap();
    let found: BTreeSet<IntentId> = pending.iter().map(|item| item.intent.id).collect();
    let (before, after) = acks.split_at(acknowledged);
    let mut wanted = BTreeSet::new();
    let mut draft = 0;
    for ack in before {
        match ack {
            Ack::Put(id) => {
                wanted.insert(*id);
            }
            Ack::Left(id, seq) => {
                wanted.remove(id);
                assert!(upto >= *seq, "{what}: intent {id:?} left the outbox, and its outcome {seq} is lost ({upto})");
                assert!(!found.contains(id), "{what}: the outbox forgot that {id:?} left");
            }
            Ack::Draft(n) => draft = *n,
        }
    }
    // What was under way at the cut may have happened or not.
    let (mut may_leave, mut may_come) = (BTreeSet::new(), BTreeSet::new());
    match after.first() {
        Some(Ack::Put(id)) => drop(may_come.insert(*id)),
        Some(Ack::Left(id, _)) => drop(may_leave.insert(*id)),
        _ => {}
    }
    for id in wanted.difference(&may_leave) {
        assert!(found.contains(id), "{what}: the acknowledged intent {id:?} is lost");
    }
    assert!(found.iter().all(|id| wanted.contains(id) || may_come.contains(id)), "{what}: an intent from nowhere");
    let shown = drafts.get(&(conversation(0), DraftMode::Reply)).map(|text| text.expose().to_owned());
    let fits = |n: u64| shown == (n > 0).then(|| format!("draft {n}"));
    assert!(fits(draft) || fits(draft + 1), "{what}: the draft is {shown:?} after {draft}");
    let prefix: Vec<(u64, Uuid)> = made.range(..=upto).map(|(seq, id)| (*seq, *id)).collect();
    let kept: Vec<(u64, Uuid)> = rows.iter().map(|row| (row.0, row.1)).collect();
    assert_eq!(kept, prefix, "{what}: not a prefix up to {upto}");
    // Opening draws the difference between the files: nothing of it fails.
    stores
        .edit(move |tx| {
            let mut touched = Touched::default();
            let left = apply::after_outcomes(&pending, &apply::settled(tx)?);
            overlay::rebase(tx, &left, &actor(), &mut touched)?;
            for item in &left {
                let Command::SendMessage { message, .. } = &item.intent.command else { continue };
                assert!(messages::read(tx, message.0)?.is_some(), "a pending answer is not shown");
            }
            apply::refresh(tx, &touched)
        })
        .await
        .unwrap();
}
