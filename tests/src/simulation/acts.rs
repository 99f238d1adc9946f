//! Carries the lines of a plan out: what customers and members do, and what is broken.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use parley_client::Engine;
use parley_client::views::{OutboxItem, OutboxState};
use parley_domain::conversation::Status;
use parley_domain::entity::{Entity, Kind};
use parley_domain::permission::Role;
use parley_domain::time::MINUTE;
use parley_domain::{Clock, IntentId, MessageId};
use parley_sim::OrderItem;

use super::frozen;
use super::history::Made;
use super::plan::{Act, Moment, Op, Says};
use super::world::World;
use crate::Fallible;

/// How far a desk's clock may be off, in milliseconds, before it locks: less than half of what it believes.
const LEAP: i64 = 2 * MINUTE;

impl World {
    /// Carries a line out.
    pub(super) async fn step(&mut self, op: Op) -> Fallible {
        match op {
            Op::Customer { who, number, what } => self.customer(who, number, what),
            Op::Desk { who, nth, act } => self.act(who, nth, act).await?,
            Op::Grant { who, number, on } => self.grant(who, number, on).await?,
            Op::Role { who, manager } => self.role(who, manager).await?,
            Op::Erase { nth } => self.erase(nth).await?,
            Op::Net { who, fault } => self.desks[who].faults.push_back(fault),
            Op::Cut { who, lasts } => {
                self.struck("desk cut off");
                let until = self.now() + lasts;
                self.cut(who, until);
            }
            Op::Meta { fault } => self.meta_faults.push_back(fault),
            Op::Hook { fault } => self.hook_faults.push_back(fault),
            Op::CrashServer { when: Moment::Now, down } => {
                if self.server.is_some() {
                    self.struck("server crash");
                    self.crash_server(down).await;
                }
            }
            Op::CrashServer { when, down } => self.crash_on = Some((when, down)),
            Op::CrashDesk { who, down } => {
                if self.desks[who].engine.is_some() {
                    self.struck("desk crash");
                    self.desk_down(who, down).await;
                }
            }
            Op::Sleep { who, lasts } => {
                if self.desks[who].engine.is_some() {
                    self.struck("desk closed");
                    self.desk_down(who, lasts).await;
                }
            }
            Op::SlowDisk { who, pace, lasts } => {
                self.struck("slow disk");
                self.desks[who].disk.0.store(pace, Ordering::SeqCst);
                self.later(lasts, super::world::Event::DiskUsual(who));
            }
            Op::Skew { who, ms } => {
                self.struck("clock skew");
                // A clock that leaps further locks the desk until there is a contact (PRIVACY.md DSK-7.4); that has tests of its own.
                self.desks[who].clock.skew(ms.clamp(-LEAP, LEAP));
            }
            Op::Peek { who } => self.peek(who).await?,
            Op::Calm => self.rest(false).await?,
        }
        Ok(())
    }

    fn customer(&mut self, who: usize, number: usize, what: Says) {
        let to = &self.meta_number(number);
        let customer = self.customers[who % self.customers.len()].writing_to(to);
        self.texts += 1;
        let text = format!("in {}", self.texts);
        match what {
            Says::Text => drop(customer.says(&text)),
            Says::Order => drop(customer.orders("7", &[OrderItem::new("lamp", 2, 40, "USD")], &text)),
            Says::Reaction => {
                let Some(last) = customer.received().last().map(|entry| entry.wamid.clone()) else { return };
                drop(customer.reacts(&last, "👍"));
            }
            Says::GoesOffline => customer.online(false),
            Says::ComesOnline => customer.online(true),
        }
        if matches!(what, Says::Text | Says::Order | Says::Reaction) {
            self.history.tally.inbound += 1;
        }
        self.say(&format!("customer {who} to {number}: {what:?}"));
        self.raised();
    }

    fn meta_number(&self, number: usize) -> String {
        format!("10654000000000{}", number % super::plan::NUMBERS)
    }

    // Members.

    async fn act(&mut self, who: usize, nth: usize, act: Act) -> Fallible {
        let Some(engine) = self.desks[who].engine.clone() else { return Ok(()) };
        let before = engine.outbox().await?;
        self.texts += 1;
        let text = format!("out {}", self.texts);
        let done = self.carry_out(&engine, who, nth, act, &text, &before).await;
        let after = engine.outbox().await?;
        let result = match &done {
            None => "nothing to do it with".to_owned(),
            Some(Ok(_)) => "done".to_owned(),
            Some(Err(error)) => error.code().as_str().to_owned(),
        };
        self.say(&format!("desk {who} {act:?} {nth}: {result}"));
        let message = done.and_then(Result::ok).flatten();
        self.note(who, act, &before, &after, message);
        Ok(())
    }

    /// What the outbox tells of an act: what it made, what it took back.
    fn note(&mut self, who: usize, act: Act, before: &[OutboxItem], after: &[OutboxItem], message: Option<MessageId>) {
        let ids = |items: &[OutboxItem]| items.iter().map(|item| item.id).collect::<BTreeSet<_>>();
        let (known, held) = (ids(before), ids(after));
        let gone: Vec<IntentId> = known.difference(&held).copied().collect();
        for item in after.iter().filter(|item| !known.contains(&item.id)) {
            if let (Act::Retry, [old]) = (act, gone.as_slice())
                && let Some(made) = self.history.made.remove(old)
            {
                // Its place in the conversation is where it was; what it followed was answered.
                self.history.made.insert(item.id, Made { follows: None, ..made });
                continue;
            }
            let follows = before
                .iter()
                .rev()
                .find(|one| {
                    one.conversation == item.conversation
                        && matches!(one.action.as_str(), "send_message" | "add_note")
                        && one.state != OutboxState::NeedsReview
                })
                .map(|one| one.id)
                .filter(|_| matches!(item.action.as_str(), "send_message" | "add_note"));
            let made = Made {
                desk: who,
                action: item.action.clone(),
                conversation: item.conversation,
                message,
                follows,
                withdrawn: false,
            };
            self.history.made.insert(item.id, made);
            self.history.tally.intents += 1;
            if item.action == "assign" {
                self.struck("reassigned");
            }
            if let (Some(conversation), Some(message)) = (item.conversation, message) {
                self.desks[who].own.push((conversation, message));
            }
        }
        for id in gone {
            if let Some(made) = self.history.made.get_mut(&id) {
                made.withdrawn = true;
            }
            // Who followed it follows it no longer.
            for made in self.history.made.values_mut().filter(|made| made.follows == Some(id)) {
                made.follows = None;
            }
        }
    }

    async fn carry_out(
        &self,
        engine: &Engine,
        who: usize,
        nth: usize,
        act: Act,
        text: &str,
        items: &[OutboxItem],
    ) -> Option<parley_client::Result<Option<MessageId>>> {
        fn pick<T: Copy>(all: &[T], nth: usize) -> Option<T> {
            all.get(nth % all.len().max(1)).copied()
        }
        let desk = &self.desks[who];
        let conversation = pick(&desk.conversations, nth);
        let none = |result: parley_client::Result<()>| Some(result.map(|()| None));
        match act {
            Act::Reply => Some(engine.send_reply(conversation?, text, None, None).await.map(Some)),
            Act::Note => Some(engine.add_note(conversation?, text).await.map(Some)),
            Act::Assign { to } => {
                let members: Vec<_> =
                    self.desks.iter().filter(|other| other.sight.workspace == desk.sight.workspace).collect();
                let member = members.get(to % members.len().max(1))?.sight.member;
                none(engine.assign(conversation?, Some(member)).await)
            }
            Act::Unassign => none(engine.assign(conversation?, None).await),
            Act::Status { to } => {
                let status = [Status::Resolved, Status::Open, Status::Pending, Status::Snoozed][to % 4];
                let until = (status == Status::Snoozed).then(|| self.clock.now() + 600_000);
                none(engine.set_status(conversation?, status, until).await)
            }
            Act::Label { which } => {
                let label = pick(&desk.labels, which)?;
                none(engine.label(conversation?, BTreeSet::from([label]), BTreeSet::new()).await)
            }
            Act::Unlabel { which } => {
                let label = pick(&desk.labels, which)?;
                none(engine.label(conversation?, BTreeSet::new(), BTreeSet::from([label])).await)
            }
            Act::Read { place } => {
                let upto = pick(desk.positions.get(&conversation?)?, place)?;
                none(engine.mark_read(conversation?, upto).await)
            }
            Act::Move { to } => {
                let stage = pick(&desk.stages, to)?;
                none(engine.move_order(pick(&desk.orders, nth)?, stage).await)
            }
            Act::Resend => Some(engine.resend(pick(&desk.own, nth)?.1).await.map(Some)),
            Act::Cancel => {
                // The newest is the likeliest to be still there.
                let back = desk.own.len().checked_sub(1 + nth % 3)?;
                let (conversation, message) = *desk.own.get(back)?;
                none(engine.cancel_send(message, conversation).await)
            }
            Act::Retry => none(engine.retry_intent(refused(items)?).await),
            Act::Discard => none(engine.discard_intent(refused(items)?).await),
        }
    }

    /// Gives up everything that was refused; returns whether there was anything.
    pub(super) async fn tidy(&mut self, who: usize) -> Fallible<bool> {
        let Some(engine) = self.desks[who].engine.clone() else { return Ok(false) };
        let mut any = false;
        loop {
            let before = engine.outbox().await?;
            let Some(id) = refused(&before) else { return Ok(any) };
            engine.discard_intent(id).await?;
            let after = engine.outbox().await?;
            self.note(who, Act::Discard, &before, &after, None);
            any = true;
        }
    }

    // The admin.

    async fn grant(&mut self, who: usize, number: usize, on: bool) -> Fallible {
        let (workspace, inbox) = (self.workspace_of(number), self.ids.inboxes[number]);
        let Some(server) = &self.server else { return Ok(()) };
        let sight = &self.desks[who].sight;
        if sight.workspace != workspace || sight.inboxes.contains(&inbox) == on {
            return Ok(());
        }
        let (admin, member) = (server.app.admin(), sight.member);
        frozen(async {
            if on {
                admin.grant_inbox(workspace, member, inbox).await
            } else {
                admin.withdraw_inbox(workspace, member, inbox).await
            }
        })
        .await?;
        let desk = &mut self.desks[who];
        if on {
            desk.sight.inboxes.insert(inbox)
        } else {
            desk.sight.inboxes.remove(&inbox)
        };
        desk.rights_changed = true;
        self.struck("access changed");
        self.after_work();
        Ok(())
    }

    async fn role(&mut self, who: usize, manager: bool) -> Fallible {
        let Some(server) = &self.server else { return Ok(()) };
        let sight = &self.desks[who].sight;
        let role = if manager { Role::Manager } else { Role::Agent };
        if sight.role == role {
            return Ok(());
        }
        let (admin, workspace, member) = (server.app.admin(), sight.workspace, sight.member);
        frozen(admin.update_member(workspace, member, role, true)).await?;
        self.desks[who].sight.role = role;
        self.desks[who].rights_changed = true;
        self.struck("role changed");
        self.after_work();
        Ok(())
    }

    async fn erase(&mut self, nth: usize) -> Fallible {
        let Some(server) = &self.server else { return Ok(()) };
        let workspace = self.ids.workspaces[nth % 2];
        let rows = frozen(super::rest::rows(server.app.db(), workspace)).await?;
        let contacts: Vec<_> = rows.keys().filter(|key| key.kind == Kind::Contact).collect();
        let Some(contact) = contacts.get(nth % contacts.len().max(1)) else { return Ok(()) };
        let contact = parley_domain::ContactId(contact.id);
        let theirs = rows.values().filter_map(|row| match &row.entity {
            Entity::Conversation(row) if row.contact == contact => Some(row.id),
            _ => None,
        });
        let theirs: BTreeSet<_> = theirs.collect();
        self.history.forgotten.extend(rows.values().filter_map(|row| match &row.entity {
            Entity::Message(message) if theirs.contains(&message.conversation) => row.wamid.clone(),
            _ => None,
        }));
        self.history.erased.extend(theirs);
        self.history.erased_contacts.insert(contact);
        frozen(server.app.admin().erase_contact(workspace, contact)).await?;
        self.struck("contact erased");
        self.after_work();
        Ok(())
    }
}

fn refused(items: &[OutboxItem]) -> Option<IntentId> {
    items.iter().find(|item| item.state == OutboxState::NeedsReview).map(|item| item.id)
}
