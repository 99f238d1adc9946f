//! Looks at the world: at rest, when everything must be the same everywhere, and in the middle of things.

use std::collections::BTreeMap;

use parley_client::Engine;
use parley_client::views::OutboxState;
use parley_domain::entity::{Entity, Kind};
use parley_domain::protocol::change::Row;
use parley_domain::{ConversationId, IntentId, WorkspaceId};
use parley_server::db::{Db, intents, pages, rows as server_rows, sequence};

use super::frozen;
use super::history::{Places, ServerRow, ServerRows, Sight};
use super::plan::DESKS;
use super::world::{After, World};
use crate::Fallible;

/// How long everything may take to be the same again, in simulated milliseconds.
const CONVERGES: u64 = 30_000;
/// How long a send of unknown fate keeps its lane, and a little more.
const LANES: u64 = 200_000;

/// All rows of a workspace as the server has them.
pub(super) async fn rows(db: &Db, workspace: WorkspaceId) -> parley_server::Result<ServerRows> {
    let changes = pages::changes_between(db.reader(), workspace, None, 0, 1 << 50, 1_000_000).await?;
    let scopes: BTreeMap<_, _> = changes.iter().map(|change| (change.key, change.scope_seq)).collect();
    let keys = changes.iter().filter(|change| !change.deleted).map(|change| change.key);
    let stored = server_rows::load(db.reader(), workspace, keys, false).await?;
    Ok(stored
        .into_iter()
        .map(|row| {
            let key = row.entity.key();
            let scope_seq = scopes.get(&key).copied().unwrap_or_default();
            let wamid = row.wamid.map(|wamid| wamid.as_str().to_owned());
            (key, ServerRow { entity: row.entity, seq: row.seq, scope_seq, wamid })
        })
        .collect())
}

impl World {
    /// Rows are on their way to a desk: the checker sees them, and the run learns what there is to act on.
    pub(super) async fn sent(&mut self, who: usize, rows: &[Row]) -> Fallible {
        self.history.sent(rows);
        if rows.is_empty() {
            return Ok(());
        }
        let Some(server) = &self.server else { return Ok(()) };
        let sight = self.desks[who].sight.clone();
        let mut places = Places::empty(sight.workspace);
        let of = |kind| rows.iter().filter(move |row| row.root.kind == kind).map(|row| row.root.id.to_string());
        let orders: Vec<String> = of(Kind::Order).collect();
        let contacts: Vec<String> = of(Kind::Contact).collect();
        let mut talks: Vec<String> = of(Kind::Conversation).collect();
        let db = server.app.db().clone();
        frozen(async {
            let conversations = pages::conversations_of_orders(db.reader(), sight.workspace, &orders).await?;
            talks.extend(conversations.values().map(ConversationId::to_string));
            talks.sort_unstable();
            talks.dedup();
            if !talks.is_empty() || !contacts.is_empty() {
                for place in pages::places(db.reader(), sight.workspace, &talks, &contacts).await? {
                    places.conversation(place.conversation, place.contact, place.inbox, place.assignee);
                }
            }
            for (order, conversation) in conversations {
                places.order(order, conversation);
            }
            Ok::<_, parley_server::Error>(())
        })
        .await?;
        self.history.within(&sight, rows, &places);
        let desk = &mut self.desks[who];
        for entity in rows.iter().filter_map(|row| row.entity.as_ref()) {
            match entity {
                Entity::Conversation(row) if !desk.conversations.contains(&row.id) => desk.conversations.push(row.id),
                Entity::Order(row) if !desk.orders.contains(&row.id) => desk.orders.push(row.id),
                Entity::Label(row) if !desk.labels.contains(&row.id) => desk.labels.push(row.id),
                Entity::Stage(row) if !desk.stages.contains(&row.id) => desk.stages.push(row.id),
                Entity::Message(row) => {
                    let places = desk.positions.entry(row.conversation).or_default();
                    if !places.contains(&row.position) {
                        places.push(row.position);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Right after an answer: own messages are shown, once, whatever the server said; nothing forbidden is left.
    pub(super) async fn look(&mut self, who: usize, after: After) {
        let Some(engine) = self.desks[who].engine.clone() else { return };
        if parley_client::Disk::pace(self.desks[who].disk.as_ref()).is_some() {
            // It takes its time; the end tells.
            return;
        }
        for message in after.applied {
            let Some((conversation, _)) = self.desks[who].own.iter().find(|(_, id)| *id == message).copied() else {
                continue;
            };
            // Out of sight meanwhile: then it is not shown, which is right.
            let Ok(Some(_)) = engine.conversation(conversation).await else { continue };
            let Ok(page) = engine.timeline(conversation, None, 200).await else { continue };
            let times = page.entries.iter().filter(|entry| entry.id == message).count();
            self.history.tally.checked("I3", 1);
            if times != 1 && page.before.is_none() {
                let text = format!("desk {who} shows its own {message} {times} times after the push was answered");
                self.history.violated("I3", text);
            }
        }
        if let Some(allowed) = after.allowed {
            let held = engine.held().await.unwrap_or_default();
            self.history.tally.checked("I8", held.len() as u64);
            let outside = held.iter().find_map(|(_, entity)| match entity {
                Entity::Conversation(row) if !allowed.contains(&row.inbox) => Some(row.id),
                _ => None,
            });
            if let Some(id) = outside {
                self.history.violated("I8", format!("desk {who} shows {id} after it was told that it may not"));
            }
        }
    }

    /// In the middle of things: whatever a desk says it has reached, it holds.
    pub(super) async fn peek(&mut self, who: usize) -> Fallible {
        let (Some(engine), Some(server)) = (self.desks[who].engine.clone(), &self.server) else { return Ok(()) };
        let sight = self.desks[who].sight.clone();
        if self.desks[who].rights_changed {
            return Ok(());
        }
        let server = frozen(rows(server.app.db(), sight.workspace)).await?;
        let Some(upto) = engine.reached().await? else { return Ok(()) };
        let held = engine.held().await?;
        self.history.reached(who, &sight, &server, &held, upto);
        self.say(&format!("a look at desk {who}, which stands at {upto}"));
        Ok(())
    }

    /// Everything heals; then all must be the same, soon. `last`: sends of unknown fate are waited for, too.
    pub(super) async fn rest(&mut self, last: bool) -> Fallible {
        self.say("everything heals");
        self.heal().await?;
        if !self.converge().await? {
            return Ok(());
        }
        for _ in 0..8 {
            let mut any = false;
            for who in 0..DESKS {
                any |= self.tidy(who).await?;
            }
            if !any {
                break;
            }
            if !self.converge().await? {
                return Ok(());
            }
        }
        if last {
            let until = self.now() + LANES;
            self.pump(until).await?;
            if !self.history.violations.is_empty() || !self.converge().await? {
                return Ok(());
            }
        }
        self.compare(last).await
    }

    async fn heal(&mut self) -> Fallible {
        self.crash_on = None;
        self.meta_faults.clear();
        self.hook_faults.clear();
        if self.server.is_none() {
            self.server_up().await?;
        }
        self.hurry();
        for customer in &self.customers {
            customer.online(true);
        }
        self.raised();
        for who in 0..DESKS {
            let desk = &mut self.desks[who];
            desk.faults.clear();
            desk.cut_until = 0;
            desk.disk.0.store(0, std::sync::atomic::Ordering::SeqCst);
            self.desk_up(who).await;
            if let Some(engine) = &self.desks[who].engine {
                // The network is back: the shell tells the engine.
                let _ = engine.sync_now().await;
            }
        }
        Ok(())
    }

    async fn converge(&mut self) -> Fallible<bool> {
        let from = self.now();
        let mut late = String::new();
        while self.now() <= from + CONVERGES {
            let until = self.now() + 500;
            self.pump(until).await?;
            if !self.history.violations.is_empty() {
                return Ok(false);
            }
            late = match self.unequal().await? {
                None => {
                    self.history.tally.checked("I10", 1);
                    let took = self.now() - from;
                    self.say(&format!("all is equal after {took} ms"));
                    return Ok(true);
                }
                Some(late) => late,
            };
        }
        self.history.tally.checked("I10", 1);
        self.history.violated("I10", format!("after {CONVERGES} ms without faults: {late}"));
        Ok(false)
    }

    /// What is not finished, at a glance.
    async fn unequal(&mut self) -> Fallible<Option<String>> {
        let Some(server) = &self.server else { return Ok(Some("the server is down".to_owned())) };
        let db = server.app.db().clone();
        let (bodies, waiting, dead) = frozen(parley_server::db::raw::counts(&db)).await?;
        if dead > 0 {
            self.history.violated("I1", format!("{dead} webhook items are dead"));
        }
        if bodies > waiting + dead || !self.quiet() {
            return Ok(Some("webhooks are on their way".to_owned()));
        }
        for who in 0..DESKS {
            let Some(engine) = self.desks[who].engine.clone() else { return Ok(Some(format!("desk {who} is closed"))) };
            let (head, _) = frozen(sequence::head(db.reader(), self.desks[who].sight.workspace)).await?;
            let reached = engine.reached().await?;
            if reached != Some(head) {
                let link = engine.connection();
                return Ok(Some(format!(
                    "desk {who} stands at {reached:?}, the server at {head}; link {:?} {:?}",
                    link.state, link.problem
                )));
            }
            let waits = engine.outbox().await?;
            if let Some(item) =
                waits.iter().find(|item| matches!(item.state, OutboxState::Queued | OutboxState::Sending))
            {
                return Ok(Some(format!("desk {who} still holds {} {}", item.action, item.id)));
            }
        }
        Ok(None)
    }

    async fn compare(&mut self, last: bool) -> Fallible {
        let Some(server) = &self.server else { return Ok(()) };
        let db = server.app.db().clone();
        let ids: Vec<IntentId> = self.history.made.keys().copied().chain(self.history.offered_ids()).collect();
        let mut servers = Vec::new();
        let sights: Vec<Sight> = self.desks.iter().map(|desk| desk.sight.clone()).collect();
        for workspace in self.ids.workspaces {
            let found = frozen(rows(&db, workspace)).await?;
            let outcomes = frozen(intents::recorded(db.reader(), workspace, &ids)).await?;
            let outcomes = outcomes.into_iter().map(|(id, recorded)| (id, recorded.outcome)).collect();
            self.history.at_rest(workspace, &found, &outcomes, &sights);
            servers.push(found);
        }
        self.history.all_there(&servers);
        self.history.accepted(&self.meta.ledger(), &servers, last);
        for (who, sight) in sights.into_iter().enumerate() {
            let Some(engine) = self.desks[who].engine.clone() else { continue };
            let Some(rows) = servers.get(usize::from(sight.workspace != self.ids.workspaces[0])) else { continue };
            let held = engine.held().await?;
            self.history.same(who, &sight, rows, &held);
            if let Some(upto) = engine.reached().await? {
                self.history.reached(who, &sight, rows, &held, upto);
            }
            self.desks[who].rights_changed = false;
            self.timelines(who, &engine, rows, &held).await?;
        }
        let (hash, lines) = self.digest();
        self.say(&format!("compared; {lines} lines, {hash}"));
        Ok(())
    }

    async fn timelines(&mut self, who: usize, engine: &Engine, rows: &ServerRows, held: &[(u64, Entity)]) -> Fallible {
        let talks: Vec<ConversationId> = held
            .iter()
            .filter_map(|(_, entity)| match entity {
                Entity::Conversation(row) => Some(row.id),
                _ => None,
            })
            .collect();
        // A few each time: another few the next time.
        let from = usize::try_from(self.now() / 1_000).unwrap_or_default();
        for nth in 0..talks.len().min(4) {
            let id = talks[(from + nth * 3) % talks.len()];
            let page = engine.timeline(id, None, 500).await?;
            let shown: Vec<_> = page
                .entries
                .iter()
                .map(|entry| {
                    let text = match &entry.content {
                        parley_domain::content::Content::Text { body } if entry.resend_of.is_none() => {
                            Some(body.expose().to_owned())
                        }
                        _ => None,
                    };
                    (entry.id, text)
                })
                .collect();
            self.history.timeline(who, id, rows, &shown);
        }
        Ok(())
    }
}
