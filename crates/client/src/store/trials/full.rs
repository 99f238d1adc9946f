//! A full disk, a failing device, a file system that became read-only: from each of the first 200 writes of the workload on.
//!
//! No panic; the answer is [`Code::DiskFull`]; reading works meanwhile; when space is back the same connections go on, nothing
//! acknowledged is lost, and the files are whole.

use std::collections::BTreeMap;

use parley_faultfs::{Fault, Plan, watch};

use super::*;

const POINTS: u64 = 200;

#[tokio::test]
async fn writing_goes_on_when_space_is_back_and_reading_never_stops() {
    let mut refused = BTreeMap::<String, usize>::new();
    for fault in [Fault::Full, Fault::Device, Fault::ReadOnly] {
        let mut reached = 0;
        // Every point of a full disk in every run; the others are alike to SQLite but for the code.
        let every = if fault == Fault::Full { 1 } else { amount(5, 1) };
        for point in (1..=POINTS).step_by(every) {
            let dir = scratch();
            let watch = watch(dir.path());
            let mut trial = Trial::create(dir.path()).await.unwrap();
            trial.begin().await.unwrap();
            trial.news(20).await.unwrap();
            let before = held(&trial.stores).await.unwrap();
            watch.fail(Some(Plan { from: point, fault }));
            let mut n = 0;
            // A few more tries after the first refusal: a member goes on typing.
            let mut left = 4;
            while left > 0 && n < 400 {
                let done = trial.step(n).await;
                n += 1;
                if let Some(code) = code_of(&done) {
                    assert_eq!(code, Code::DiskFull, "{fault:?} from write {point} on: {done:?}");
                    left -= 1;
                    let now = held(&trial.stores).await.unwrap();
                    assert!(now.0 >= before.0 && now.1.len() >= before.1.len(), "{fault:?}/{point}: reading stopped");
                }
            }
            assert!(watch.failed() > 0, "{fault:?}: write {point} was not reached");
            *refused.entry(format!("{fault:?}")).or_default() += 1;
            reached += 1;
            watch.fail(None);
            // The same connections go on at once. What the files hold is what the engine would load.
            trial.pending = trial.stores.outbox.read(outbox::load).await.unwrap();
            trial.seq = held(&trial.stores).await.unwrap().0;
            for n in 0..16 {
                trial.step(n).await.unwrap_or_else(|error| panic!("{fault:?}/{point}: not back: {error}"));
            }
            let wanted = put(&trial.acks);
            let found: BTreeSet<IntentId> =
                trial.stores.outbox.read(outbox::load).await.unwrap().iter().map(|item| item.intent.id).collect();
            assert!(wanted.is_subset(&found), "{fault:?}/{point}: acknowledged and lost");
            assert_whole(&trial.stores, &format!("{fault:?}/{point}")).await;
            drop(trial);
            let (stores, mended) = reopen(dir.path()).unwrap();
            assert_eq!(mended, Mended::default());
            let found: BTreeSet<IntentId> =
                stores.outbox.read(outbox::load).await.unwrap().iter().map(|item| item.intent.id).collect();
            assert!(wanted.is_subset(&found), "{fault:?}/{point}: acknowledged and lost after a restart");
        }
        assert!(reached > 0);
    }
    println!("write points at which the disk failed: {refused:?} of {POINTS}");
}

/// Intents that are acknowledged and did not leave.
fn put(acks: &[Ack]) -> BTreeSet<IntentId> {
    let mut held = BTreeSet::new();
    for ack in acks {
        match ack {
            Ack::Put(id) => drop(held.insert(*id)),
            Ack::Left(id, _) => drop(held.remove(id)),
            Ack::Draft(_) => {}
        }
    }
    held
}
