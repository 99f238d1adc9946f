//! What this app stores on this computer, and clearing it (PRIVACY.md UI-10.1); the workspace's policy for desks; entries that
//! the policy keeps off this desk, asked of the server.

use std::path::Path;

use parley_domain::entity::{Key, Kind};
use parley_domain::lease::Standing;
use parley_domain::policy::DevicePolicy;
use parley_domain::protocol::access::Nothing;
use parley_domain::protocol::change::{BackfillRequest, ResyncReason};
use parley_domain::protocol::device::{DevicePolicyView, SetDevicePolicyRequest};
use parley_domain::protocol::endpoint::{Backfill, GetDevicePolicy, SetDevicePolicy};
use parley_domain::time::DAY;
use parley_domain::{ConversationId, Timestamp};

use super::{Engine, blocking};
use crate::desk::paths;
use crate::live::lock;
use crate::standing::reading;
use crate::store::pool::Urgency;
use crate::store::{clearing, outbox, scratch, timeline};
use crate::views::{Clearable, Event, LeaseView, StorageView, StoreName, StoreView, TimelineCursor, TimelinePage};
use crate::{Result, keyfile};

impl Engine {
    /// Live sizes and dates of everything that is stored, with the rules by which it goes.
    pub async fn storage(&self) -> Result<StorageView> {
        let live = self.live()?;
        let rules = live.watch.kept().rules;
        let path = live.hold.base.join(&live.hold.dir);
        let base = live.hold.base.clone();
        let sizes = blocking(move || Ok(sizes(&base, &path))).await?;
        let copy = live.stores.replica.read(clearing::span).await?;
        let drafts = live.stores.outbox.read(clearing::drafts_span).await?;
        let pending = live.pending();
        let made = |pick: fn(Option<Timestamp>, Timestamp) -> Option<Timestamp>| {
            pending.iter().fold(None, |found, item| pick(found, item.intent.made_at))
        };
        let store = |store, bytes, rows: usize, keeps_days, clearable| StoreView {
            store,
            bytes,
            rows: u32::try_from(rows).unwrap_or(u32::MAX),
            oldest: None,
            newest: None,
            keeps_days,
            clearable,
        };
        let window = Some(rules.message_window_days);
        let stores = vec![
            StoreView {
                oldest: copy.oldest,
                newest: copy.newest,
                ..store(StoreName::LocalCopy, sizes.replica, copy.rows, window, Some(Clearable::LocalCopy))
            },
            StoreView {
                oldest: made(|found, at| Some(found.map_or(at, |found| found.min(at)))),
                newest: made(|found, at| Some(found.map_or(at, |found| found.max(at)))),
                ..store(StoreName::Outbox, sizes.outbox, pending.len(), None, None)
            },
            StoreView {
                oldest: drafts.oldest,
                newest: drafts.newest,
                ..store(StoreName::Drafts, 0, drafts.rows, Some(rules.drafts_days), Some(Clearable::Drafts))
            },
            store(StoreName::Media, sizes.media, 0, Some(rules.media_days), None),
            store(StoreName::Keys, sizes.keys, 0, None, None),
            store(StoreName::Settings, sizes.settings, 0, None, None),
        ];
        Ok(StorageView { stores, rules, lease: self.lease().await? })
    }

    /// When the server was heard, and when this desk locks and deletes itself if it is not heard again.
    pub async fn lease(&self) -> Result<LeaseView> {
        let live = self.live()?;
        let (kept, reading) = (live.watch.kept(), reading(live.clock.as_ref()));
        let now = kept.heard.trusted(reading).now;
        let days = |of: u32| kept.heard.server + i64::from(of) * DAY;
        let locks_at = match kept.heard.standing(reading, &kept.rules) {
            Standing::Usable { locks_at, .. } => locks_at,
            Standing::Locked { .. } | Standing::Wipe => now,
        };
        let left = locks_at.since(now).max(0);
        Ok(LeaseView {
            heard_at: kept.heard.server,
            locks_at,
            wipes_at: days(kept.rules.wipe_after_days),
            days_left: u32::try_from(left.div_euclid(DAY)).unwrap_or(u32::MAX),
            in_custody: live.in_custody(),
        })
    }

    /// Clears a part of what is stored. The local copy is fetched anew, as far as the policy allows; what waits to be sent stays.
    pub async fn clear_storage(&self, what: Clearable) -> Result<StorageView> {
        let live = self.live()?;
        match what {
            Clearable::LocalCopy => {
                live.stores.replica.write(Urgency::Person, |tx| clearing::clear(tx)).await?;
                live.resync(ResyncReason::Schema, Vec::new()).await?;
                live.redraw().await?;
                live.wish(crate::sync::driver::Wish::Started);
            }
            Clearable::Drafts => {
                let _edits = live.edits.lock().await;
                let now = live.now();
                live.stores
                    .outbox
                    .write(Urgency::Person, move |tx| {
                        outbox::forget_drafts(tx, Timestamp(i64::MAX), now, &[]).map(drop)
                    })
                    .await?;
                lock(&live.drafts).clear();
            }
        }
        live.stores.scrub().await?;
        for event in [Event::Lists, Event::Board, Event::Connection] {
            live.events.send(event);
        }
        self.storage().await
    }

    /// The workspace's policy for desks.
    pub async fn device_policy(&self) -> Result<DevicePolicyView> {
        self.remote::<GetDevicePolicy>(Nothing {}).await
    }

    /// Sets the workspace's policy for desks; `None` goes back to the default.
    pub async fn set_device_policy(&self, policy: Option<DevicePolicy>) -> Result<()> {
        self.remote::<SetDevicePolicy>(SetDevicePolicyRequest { policy }).await.map(drop)
    }

    /// A page of a timeline from the server: entries that the policy keeps off this desk. Nothing of it is stored; while the
    /// server cannot be reached it is refused with [`parley_domain::Code::Offline`].
    pub async fn remote_timeline(
        &self,
        conversation: ConversationId,
        before: Option<TimelineCursor>,
        limit: u32,
    ) -> Result<TimelinePage> {
        let root = Key::new(Kind::Conversation, conversation);
        let mut rows = Vec::new();
        let mut after = None;
        loop {
            let page = self.remote::<Backfill>(BackfillRequest { root, after }).await?;
            rows.extend(page.rows);
            after = page.after;
            let reached = before.as_ref().is_none_or(|before| {
                rows.iter().any(|row| scratch::position(row).is_some_and(|position| position < before.position))
            });
            if after.is_none() || (reached && rows.len() > limit as usize) {
                break;
            }
        }
        let more = after.is_some();
        blocking(move || {
            let memory = scratch::of(rows)?;
            let page = timeline::page(&memory, conversation, before, limit)?;
            Ok(TimelinePage { beyond: more && page.before.is_none(), ..page })
        })
        .await
    }
}

struct Sizes {
    replica: u64,
    outbox: u64,
    media: u64,
    keys: u64,
    settings: u64,
}

fn sizes(base: &Path, dir: &Path) -> Sizes {
    let one = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
    let with_log = |path: &Path| {
        let log = path.with_extension("db-wal");
        one(path) + one(&log)
    };
    let [replica, outbox, media] = paths(dir);
    Sizes {
        replica: with_log(&replica),
        outbox: with_log(&outbox),
        media: with_log(&media),
        keys: one(&dir.join(keyfile::FILE)) + one(&dir.join("standing.json")),
        settings: one(&base.join("desk.json")),
    }
}
