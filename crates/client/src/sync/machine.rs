//! What to do next, without doing it: `step(input, now) → outputs`.
//!
//! Promise: at most one piece of work is in hand; push goes before pull; pull, snapshot and backfill are never in hand
//! together; a failure is followed by a pause that grows from 50 ms to 15 s, with jitter, and ends at once when a person or a
//! poke asks. Local work (deleting what is hidden) goes on without the server.

use parley_domain::time::{HOUR, MINUTE, SECOND};
use parley_domain::{Code, Timestamp};

use crate::views::ConnectionState;

const FIRST_PAUSE: i64 = 50;
const LONGEST_PAUSE: i64 = 15 * SECOND;
/// A refused sign-in does not get better by itself.
const REFUSED_PAUSE: i64 = 60 * SECOND;
/// A socket that could not be opened is tried again after this; pulls go on meanwhile.
const SOCKET_PAUSE: i64 = 3 * SECOND;
/// A contact is made at least this often while the server is there.
const CONTACT_EVERY: i64 = 15 * MINUTE;
/// What the policy takes away is looked for this often.
const RETAIN_EVERY: i64 = HOUR;
/// Without pokes the desk asks by itself this often.
const HEARTBEAT: i64 = 25 * SECOND;

/// A piece of work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Work {
    /// Gets a token.
    Authenticate,
    /// Hears of policy, lease and erasures, and reports.
    Contact,
    /// Asks what became of intents whose root is gone.
    Outcomes,
    /// Offers intents.
    Push,
    /// Fetches and stores a page of changes.
    Pull,
    /// Fetches and stores a page of a snapshot.
    Snapshot,
    /// Fetches and stores a page of one root.
    Backfill,
    /// Deletes a slice of what is hidden.
    Clean,
    /// Deletes a slice of what the last snapshot did not name.
    Sweep,
    /// Deletes a slice of what the policy takes away.
    Retain,
}

impl Work {
    fn is_local(self) -> bool {
        matches!(self, Self::Clean | Self::Sweep | Self::Retain)
    }
}

/// What the stores hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Facts {
    /// A snapshot is complete.
    pub cursor: bool,
    /// Everything up to here is stored.
    pub upto: u64,
    /// Intents can be offered.
    pub push: bool,
    /// Outcomes must be asked for by id.
    pub ask: bool,
    /// Roots wait for their rows.
    pub backfill: bool,
    /// Hidden rows wait to be deleted.
    pub gone: bool,
    /// Rows of an older generation wait to be deleted.
    pub sweep: bool,
}

/// What happened.
#[derive(Clone, PartialEq, Debug)]
pub enum Input {
    /// The driver started.
    Start { facts: Facts },
    /// A member made an edit.
    Edited { facts: Facts },
    /// A member asked.
    SyncNow,
    /// The server said that its `seq` is now this.
    Poked { seq: u64 },
    /// The socket is open.
    SocketUp,
    /// The socket is closed, or could not be opened.
    SocketDown,
    /// This device was revoked.
    Revoked,
    /// The work in hand is done. `more`: the same kind has more to fetch. `remaining`: rows of the snapshot to come.
    Done { facts: Facts, more: bool, remaining: u64 },
    /// The work in hand failed. `dice` is random.
    Failed { code: Code, retry_after: Option<i64>, dice: u64 },
    /// The cursor cannot be served; the store has started over.
    Restarted { facts: Facts },
    /// The local copy was emptied; the work in hand goes on.
    Emptied { facts: Facts },
    /// Time went by.
    Tick,
}

/// What to do.
#[derive(Clone, PartialEq, Debug)]
pub enum Output {
    /// Take this in hand.
    Do(Work),
    /// Open the socket.
    OpenSocket,
    /// Come back with [`Input::Tick`] then, unless something happens before.
    WakeAt(Timestamp),
    /// [`Machine::link`] changed.
    LinkChanged,
    /// Delete everything of this desk.
    Wipe,
}

/// How the connection looks from outside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    pub state: ConnectionState,
    pub since: Timestamp,
    pub heard_at: Option<Timestamp>,
    /// Rows to come while the first sync runs.
    pub syncing: Option<u32>,
    pub problem: Option<Code>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Socket {
    Down,
    Opening,
    Up,
}

/// The planner.
#[derive(Clone, Debug)]
pub struct Machine {
    facts: Facts,
    in_hand: Option<Work>,
    authenticated: bool,
    /// A contact is due: at once after being let in, then now and then.
    contact_at: Timestamp,
    retain_at: Timestamp,
    pull_wanted: bool,
    /// The last push failed: pull before the next one, so that a push that cannot succeed does not stop news.
    pull_first: bool,
    /// The running snapshot has begun: an outcome of before its beginning would come by no pull.
    begun: bool,
    socket: Socket,
    /// The socket is not tried before.
    socket_at: Timestamp,
    failures: u32,
    pause_until: Option<Timestamp>,
    heartbeat_at: Timestamp,
    /// The clock at the last step.
    stepped_at: Timestamp,
    stopped: bool,
    link: Link,
}

impl Machine {
    /// A planner that has heard nothing yet.
    pub fn new(now: Timestamp) -> Self {
        Self {
            facts: Facts::default(),
            in_hand: None,
            authenticated: false,
            contact_at: now,
            retain_at: now,
            pull_wanted: true,
            pull_first: false,
            begun: false,
            socket: Socket::Down,
            socket_at: now,
            failures: 0,
            pause_until: None,
            heartbeat_at: now + HEARTBEAT,
            stepped_at: now,
            stopped: false,
            link: Link { state: ConnectionState::Connecting, since: now, heard_at: None, syncing: None, problem: None },
        }
    }

    /// How the connection looks from outside.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// Takes an input and says what to do.
    pub fn step(&mut self, input: Input, now: Timestamp) -> Vec<Output> {
        let before = self.link.clone();
        let mut outputs = Vec::new();
        if now < self.stepped_at {
            // The clock was set back: nobody knows how long ago anything was, so nothing is put off.
            (self.heartbeat_at, self.socket_at, self.pause_until) = (now, now, None);
            (self.contact_at, self.retain_at) = (self.contact_at.min(now), self.retain_at.min(now));
        }
        self.stepped_at = now;
        match input {
            Input::Start { facts } => {
                self.facts = facts;
                self.link.syncing = (!facts.cursor).then_some(0);
            }
            Input::Edited { facts } => {
                self.facts = facts;
                self.pause_until = None;
            }
            Input::SyncNow => {
                self.pull_wanted = true;
                self.pause_until = None;
                if self.link.state == ConnectionState::Offline {
                    self.appear(ConnectionState::Connecting, now);
                }
            }
            Input::Poked { seq } => {
                self.pull_wanted |= seq > self.facts.upto;
                self.pause_until = None;
                self.link.heard_at = Some(now);
            }
            Input::SocketUp => {
                self.socket = Socket::Up;
                // The server closes sockets when the policy or the rights changed.
                self.contact_at = now;
                // Pokes between the last pull and now were missed.
                self.pull_wanted = true;
            }
            Input::SocketDown => {
                if self.socket == Socket::Opening {
                    self.socket_at = now + SOCKET_PAUSE;
                }
                self.socket = Socket::Down;
                self.pull_wanted = true;
            }
            Input::Revoked => {
                self.stopped = true;
                outputs.push(Output::Wipe);
            }
            Input::Done { facts, more, remaining } => self.done(facts, more, remaining, now),
            Input::Failed { code: Code::DeviceRevoked, .. } => {
                self.stopped = true;
                outputs.push(Output::Wipe);
            }
            Input::Failed { code, retry_after, dice } => self.failed(code, retry_after, dice, now),
            Input::Restarted { facts } => {
                self.in_hand = None;
                self.facts = facts;
                self.authenticated = false;
                self.begun = false;
                self.pull_wanted = true;
                self.link.syncing = Some(0);
            }
            Input::Emptied { facts } => {
                self.facts = facts;
                self.begun = false;
                self.pull_wanted = true;
                self.pause_until = None;
                self.link.syncing = Some(0);
            }
            Input::Tick => {}
        }
        if now >= self.heartbeat_at {
            self.heartbeat_at = now + HEARTBEAT;
            self.pull_wanted = true;
        }
        if !self.stopped {
            self.plan(now, &mut outputs);
        }
        if self.link != before {
            outputs.push(Output::LinkChanged);
        }
        outputs
    }

    fn done(&mut self, facts: Facts, more: bool, remaining: u64, now: Timestamp) {
        let work = self.in_hand.take();
        self.facts = facts;
        if work == Some(Work::Retain) && !more {
            self.retain_at = now + RETAIN_EVERY;
        }
        if work.is_some_and(Work::is_local) {
            return;
        }
        self.link.heard_at = Some(now);
        if work == Some(Work::Authenticate) {
            // Being let in is not yet an answer: the pause goes on growing until real work succeeds.
            self.authenticated = true;
            self.contact_at = now;
            return;
        }
        if work == Some(Work::Contact) {
            // A changed policy may have started the store over.
            self.begun &= facts.cursor;
            if !more {
                self.contact_at = now + CONTACT_EVERY;
            }
            return;
        }
        self.failures = 0;
        self.pause_until = None;
        self.link.problem = None;
        self.appear(ConnectionState::Online, now);
        match work {
            // What was accepted comes back by a pull.
            Some(Work::Push | Work::Outcomes) => self.pull_wanted = true,
            Some(Work::Pull) => {
                // A poke that came meanwhile may tell of more than this page had.
                self.pull_wanted |= more;
                self.pull_first = false;
            }
            Some(Work::Snapshot) => {
                self.begun = true;
                self.pull_first = false;
                self.link.syncing = more.then_some(u32::try_from(remaining).unwrap_or(u32::MAX));
                self.pull_wanted = true;
            }
            _ => {}
        }
    }

    fn failed(&mut self, code: Code, retry_after: Option<i64>, dice: u64, now: Timestamp) {
        let work = self.in_hand.take();
        if code == Code::Unauthorized && work != Some(Work::Authenticate) && self.authenticated {
            // The token ran out or was replaced: get another one, at once.
            self.authenticated = false;
            return;
        }
        self.authenticated = false;
        if work == Some(Work::Retain) {
            self.retain_at = now + MINUTE;
        }
        self.pull_first |= work == Some(Work::Push);
        let refused = matches!(code, Code::Unauthorized | Code::ProtocolMismatch | Code::Forbidden);
        let grown = FIRST_PAUSE.saturating_mul(1 << self.failures.min(10)).min(LONGEST_PAUSE);
        let pause = if refused { REFUSED_PAUSE } else { grown };
        // Half of it is fixed, half is jitter, so that desks do not come back all at once.
        let jitter = i64::try_from(dice % u64::try_from(pause / 2 + 1).unwrap_or(1)).unwrap_or(0);
        let pause = (pause / 2 + jitter).max(retry_after.unwrap_or(0));
        self.failures = self.failures.saturating_add(1);
        self.pause_until = Some(now + pause);
        self.pull_wanted = true;
        self.link.problem = Some(code);
        self.appear(ConnectionState::Offline, now);
    }

    fn appear(&mut self, state: ConnectionState, now: Timestamp) {
        if self.link.state != state {
            self.link.state = state;
            self.link.since = now;
        }
    }

    fn plan(&mut self, now: Timestamp, outputs: &mut Vec<Output>) {
        let paused = self.pause_until.is_some_and(|until| now < until);
        if self.authenticated && !paused && self.socket == Socket::Down && now >= self.socket_at {
            self.socket = Socket::Opening;
            outputs.push(Output::OpenSocket);
        }
        if self.in_hand.is_none()
            && let Some(work) = self.next(paused, now)
        {
            self.in_hand = Some(work);
            self.pull_wanted &= work != Work::Pull;
            outputs.push(Output::Do(work));
        }
        let mut wake = self.pause_until.filter(|_| paused).unwrap_or(self.heartbeat_at).min(self.heartbeat_at);
        if self.socket == Socket::Down && now < self.socket_at {
            wake = wake.min(self.socket_at);
        }
        if now < self.retain_at {
            wake = wake.min(self.retain_at);
        }
        outputs.push(Output::WakeAt(wake));
    }

    fn next(&self, paused: bool, now: Timestamp) -> Option<Work> {
        let facts = &self.facts;
        let contact = !paused;
        let talk = contact && self.authenticated;
        let wanted = [
            (contact && !self.authenticated, Work::Authenticate),
            (talk && now >= self.contact_at, Work::Contact),
            // Rows first: an outcome drops what is drawn for it.
            (talk && facts.ask && facts.cursor, Work::Outcomes),
            (talk && (facts.cursor || self.begun) && facts.push && !self.pull_first, Work::Push),
            (talk && facts.cursor && self.pull_wanted, Work::Pull),
            // What is hidden goes before its root may come back.
            (facts.gone, Work::Clean),
            (facts.sweep, Work::Sweep),
            (talk && !facts.cursor, Work::Snapshot),
            (talk && facts.backfill, Work::Backfill),
            (now >= self.retain_at, Work::Retain),
        ];
        wanted.into_iter().find_map(|(wanted, work)| wanted.then_some(work))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    const READY: Facts =
        Facts { cursor: true, upto: 10, push: false, ask: false, backfill: false, gone: false, sweep: false };

    fn work(outputs: &[Output]) -> Option<Work> {
        outputs.iter().find_map(|output| match output {
            Output::Do(work) => Some(*work),
            _ => None,
        })
    }

    fn wake(outputs: &[Output]) -> i64 {
        let found = outputs.iter().find_map(|output| match output {
            Output::WakeAt(at) => Some(at.0),
            _ => None,
        });
        found.unwrap_or(i64::MAX)
    }

    fn done(facts: Facts) -> Input {
        Input::Done { facts, more: false, remaining: 0 }
    }

    /// A planner that is let in and has nothing to do.
    fn idle() -> Machine {
        let mut machine = Machine::new(Timestamp(0));
        machine.step(Input::Start { facts: READY }, Timestamp(0));
        assert_eq!(work(&machine.step(done(READY), Timestamp(0))), Some(Work::Contact));
        assert_eq!(work(&machine.step(done(READY), Timestamp(0))), Some(Work::Pull));
        machine.step(Input::SocketUp, Timestamp(0));
        assert_eq!(work(&machine.step(done(READY), Timestamp(0))), Some(Work::Contact));
        assert_eq!(work(&machine.step(done(READY), Timestamp(0))), Some(Work::Pull));
        assert_eq!(work(&machine.step(done(READY), Timestamp(0))), Some(Work::Retain));
        assert_eq!(work(&machine.step(done(READY), Timestamp(0))), None);
        assert_eq!(machine.link().state, ConnectionState::Online);
        machine
    }

    #[test]
    fn on_contact_it_is_let_in_then_hears_then_offers_then_asks() {
        let mut machine = Machine::new(Timestamp(0));
        let facts = Facts { push: true, ..READY };
        assert_eq!(work(&machine.step(Input::Start { facts }, Timestamp(0))), Some(Work::Authenticate));
        assert_eq!(work(&machine.step(done(facts), Timestamp(0))), Some(Work::Contact));
        // Erasures came: another contact takes their receipts, before anything is offered.
        let more = Input::Done { facts, more: true, remaining: 0 };
        assert_eq!(work(&machine.step(more, Timestamp(0))), Some(Work::Contact));
        assert_eq!(work(&machine.step(done(facts), Timestamp(0))), Some(Work::Push));
        assert_eq!(work(&machine.step(done(READY), Timestamp(0))), Some(Work::Pull));
        assert_eq!(machine.link().state, ConnectionState::Online);
    }

    #[test]
    fn without_a_cursor_it_takes_a_snapshot_first_and_pulls_behind_it() {
        let mut machine = Machine::new(Timestamp(0));
        let bare = Facts { cursor: false, ..READY };
        machine.step(Input::Start { facts: bare }, Timestamp(0));
        assert_eq!(machine.link().syncing, Some(0));
        assert_eq!(work(&machine.step(done(bare), Timestamp(0))), Some(Work::Contact));
        assert_eq!(work(&machine.step(done(bare), Timestamp(0))), Some(Work::Snapshot));
        let more = Input::Done { facts: bare, more: true, remaining: 70 };
        assert_eq!(work(&machine.step(more, Timestamp(0))), Some(Work::Snapshot));
        assert_eq!(machine.link().syncing, Some(70));
        assert_eq!(work(&machine.step(done(READY), Timestamp(0))), Some(Work::Pull));
        assert_eq!(machine.link().syncing, None);
    }

    #[test]
    fn a_poke_during_a_pull_leads_to_another_pull_and_a_known_one_does_not() {
        let mut machine = idle();
        assert_eq!(work(&machine.step(Input::Poked { seq: 10 }, Timestamp(1))), None);
        assert_eq!(work(&machine.step(Input::Poked { seq: 11 }, Timestamp(1))), Some(Work::Pull));
        assert_eq!(work(&machine.step(Input::Poked { seq: 12 }, Timestamp(1))), None, "one at a time");
        assert_eq!(work(&machine.step(done(Facts { upto: 11, ..READY }), Timestamp(1))), Some(Work::Pull));
    }

    #[test]
    fn what_is_hidden_is_deleted_before_its_root_comes_back_and_without_the_server() {
        let mut machine = idle();
        let facts = Facts { gone: true, backfill: true, ..READY };
        assert_eq!(work(&machine.step(Input::Edited { facts }, Timestamp(1))), Some(Work::Clean));
        let failed = |code| Input::Failed { code, retry_after: None, dice: 0 };
        let facts = Facts { gone: false, ..facts };
        assert_eq!(work(&machine.step(done(facts), Timestamp(1))), Some(Work::Backfill));
        machine.step(failed(Code::Offline), Timestamp(1));
        let facts = Facts { gone: true, ..facts };
        machine.pause_until = Some(Timestamp(1_000));
        machine.facts = facts;
        assert_eq!(work(&machine.step(Input::Tick, Timestamp(2))), Some(Work::Clean));
    }

    #[test]
    fn pauses_grow_to_fifteen_seconds_and_end_when_somebody_asks() {
        let mut machine = idle();
        let mut now = 1;
        let mut longest = 0;
        machine.step(Input::SyncNow, Timestamp(now));
        for _ in 0..14 {
            let failed = Input::Failed { code: Code::Offline, retry_after: None, dice: u64::MAX };
            let outputs = machine.step(failed, Timestamp(now));
            assert_eq!(work(&outputs), None);
            let until = machine.pause_until.unwrap().0;
            assert!(until > now && until - now <= LONGEST_PAUSE && wake(&outputs) <= until);
            longest = longest.max(until - now);
            now = until;
            assert_eq!(work(&machine.step(Input::Tick, Timestamp(now))), Some(Work::Authenticate));
        }
        assert!(longest > LONGEST_PAUSE / 2, "{longest}");
        machine.step(Input::Failed { code: Code::Offline, retry_after: None, dice: 9 }, Timestamp(now));
        assert_eq!(work(&machine.step(Input::SyncNow, Timestamp(now))), Some(Work::Authenticate));
    }

    #[test]
    fn a_push_that_fails_does_not_stop_news() {
        let mut machine = idle();
        let facts = Facts { push: true, ..READY };
        assert_eq!(work(&machine.step(Input::Edited { facts }, Timestamp(1))), Some(Work::Push));
        let failed = Input::Failed { code: Code::ServerFailed, retry_after: None, dice: 0 };
        machine.step(failed, Timestamp(1));
        let until = machine.pause_until.unwrap().0;
        assert_eq!(work(&machine.step(Input::Tick, Timestamp(until))), Some(Work::Authenticate));
        assert_eq!(work(&machine.step(done(facts), Timestamp(until))), Some(Work::Contact));
        assert_eq!(work(&machine.step(done(facts), Timestamp(until))), Some(Work::Pull));
        assert_eq!(work(&machine.step(done(facts), Timestamp(until))), Some(Work::Push));
    }

    fn any_input() -> impl Strategy<Value = Input> {
        let facts = (any::<[bool; 6]>(), 0u64..20).prop_map(|([cursor, push, ask, backfill, gone, sweep], upto)| {
            Facts { cursor, upto, push, ask, backfill, gone, sweep }
        });
        let codes = prop_oneof![Just(Code::Offline), Just(Code::Unauthorized), Just(Code::ServerFailed)];
        prop_oneof![
            facts.clone().prop_map(|facts| Input::Edited { facts }),
            Just(Input::SyncNow),
            (0u64..30).prop_map(|seq| Input::Poked { seq }),
            Just(Input::SocketUp),
            Just(Input::SocketDown),
            Just(Input::Tick),
            (facts.clone(), any::<bool>()).prop_map(|(facts, more)| Input::Done { facts, more, remaining: 3 }),
            (codes, any::<u64>()).prop_map(|(code, dice)| Input::Failed { code, retry_after: None, dice }),
            facts.prop_map(|facts| Input::Restarted { facts }),
        ]
    }

    proptest! {
        /// Whatever happens in whatever order: one piece of work at a time, none that needs a token without one, and it
        /// always knows when to look again.
        #[test]
        fn one_piece_of_work_at_a_time(inputs in proptest::collection::vec((any_input(), 0i64..40_000), 1..80)) {
            let mut machine = Machine::new(Timestamp(0));
            let mut now = 0;
            let mut in_hand = work(&machine.step(Input::Start { facts: READY }, Timestamp(now))).is_some();
            for (input, passes) in inputs {
                let ends = matches!(input, Input::Done { .. } | Input::Failed { .. } | Input::Restarted { .. });
                if ends && !in_hand {
                    continue;
                }
                now += passes;
                in_hand &= !ends;
                let outputs = machine.step(input, Timestamp(now));
                let begun: Vec<Work> = outputs.iter().filter_map(|output| match output {
                    Output::Do(work) => Some(*work),
                    _ => None,
                }).collect();
                prop_assert!(begun.len() + usize::from(in_hand) <= 1, "{begun:?}");
                in_hand |= !begun.is_empty();
                for work in begun {
                    prop_assert!(machine.authenticated || work == Work::Authenticate || work.is_local());
                }
                prop_assert!(wake(&outputs) <= now + HEARTBEAT);
            }
        }
    }
}
