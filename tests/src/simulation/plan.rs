//! Plans: what happens in a run and what goes wrong, one operation a line (JSON), each at its time.
//!
//! Promise: a plan decides everything; the same plan gives the same run. What a seed makes is a plan, so a run can be written
//! down, cut down, and played again from a file. Operations name things by number; a number that fits nothing then is taken
//! modulo what is there, or the operation is left out.

use std::fmt::Write;

use parley_sim::Fault;
use rand::Rng;
use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use xtask::failure::{Context, Failure};

use crate::Fallible;

/// Desks of a run; see [`super::start::MEMBERS`].
pub const DESKS: usize = 4;
/// Numbers that customers write to.
pub const NUMBERS: usize = 3;
/// Customers.
pub const CUSTOMERS: usize = 14;
/// Length of a run in simulated milliseconds.
pub const LENGTH: u64 = 2 * 60 * 60 * 1000;
/// Messages of customers, at least.
pub const INBOUND: usize = 300;
/// Edits of members, at least.
pub const INTENTS: usize = 300;
/// Faults, at least.
pub const FAULTS: usize = 20;

const MINUTE: u64 = 60_000;
/// Busy spells in a run.
const SPELLS: u64 = 8;
/// From one burst to the next within a spell.
const BURST: u64 = 45_000;

/// One line.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Step {
    /// Milliseconds since the run began.
    pub at: u64,
    #[serde(flatten)]
    pub op: Op,
}

/// What happens.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// A customer writes to a number.
    Customer { who: usize, number: usize, what: Says },
    /// A member does something at a desk; `nth` chooses the conversation, order or message.
    Desk { who: usize, nth: usize, act: Act },
    /// The admin gives a member an inbox, or takes it away.
    Grant { who: usize, number: usize, on: bool },
    /// An agent becomes a manager, or an agent again.
    Role { who: usize, manager: bool },
    /// A contact is erased.
    Erase { nth: usize },
    /// The next request of a desk meets this.
    Net { who: usize, fault: NetFault },
    /// A desk's network is gone for so long.
    Cut { who: usize, lasts: u64 },
    /// The next send to Meta meets this.
    Meta { fault: Fault },
    /// The next webhook meets this.
    Hook { fault: HookFault },
    /// The server is killed, and is back after so long.
    CrashServer { when: Moment, down: u64 },
    /// A desk is killed, and is back after so long.
    CrashDesk { who: usize, down: u64 },
    /// A desk is closed for so long.
    Sleep { who: usize, lasts: u64 },
    /// Each step of a desk's disk takes so long for so long.
    SlowDisk { who: usize, pace: u64, lasts: u64 },
    /// A desk's clock is set off by so much.
    Skew { who: usize, ms: i64 },
    /// A look at a desk while everything goes on.
    Peek { who: usize },
    /// Everything heals: all must be the same everywhere soon.
    Calm,
}

/// What a customer does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    Text,
    Order,
    Reaction,
    GoesOffline,
    ComesOnline,
}

/// What a member does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    Reply,
    Note,
    Assign { to: usize },
    Unassign,
    Status { to: usize },
    Label { which: usize },
    Unlabel { which: usize },
    Read { place: usize },
    Move { to: usize },
    Resend,
    Cancel,
    Retry,
    Discard,
}

/// What can happen to a request, its answer, or a poke.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetFault {
    LoseRequest,
    LoseAnswer,
    /// The same request comes a second time, so much later.
    Repeat {
        ms: u64,
    },
    /// So much slower.
    Delay {
        ms: u64,
    },
    LosePoke,
    /// A poke comes after later ones.
    LatePoke {
        ms: u64,
    },
    /// The answer to the next renewal of the session is lost.
    LoseRefresh,
}

/// What can happen to a webhook.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookFault {
    Lose,
    LoseAnswer,
    Repeat {
        ms: u64,
    },
    /// Later ones overtake it.
    Delay {
        ms: u64,
    },
    /// It goes in one body with the next ones.
    Gather {
        ms: u64,
    },
}

/// When the server is killed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    Now,
    /// When a send has left for Meta.
    Sending,
    /// When edits are committed and not answered.
    Pushed,
    /// When a webhook was answered and is not applied.
    Hooked,
}

/// A whole run.
#[derive(Clone, PartialEq, Debug)]
pub struct Plan {
    /// Decides latencies, ids and keys.
    pub seed: u64,
    /// In order of time.
    pub steps: Vec<Step>,
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x5eed_5eed);
        let mut steps = Vec::new();
        // What happens comes in busy spells, as in life; in between most desks are closed.
        let spells: Vec<(u64, u64)> = (0..SPELLS)
            .map(|n| (n * LENGTH / SPELLS + rng.random_range(MINUTE..8 * MINUTE), rng.random_range(95_000..150_000)))
            .collect();
        let sleeps = sleeps(&mut rng, &spells);
        for (who, nights) in sleeps.iter().enumerate() {
            steps.extend(nights.iter().map(|(at, lasts)| Step { at: *at, op: Op::Sleep { who, lasts: *lasts } }));
        }
        let moment = |rng: &mut ChaCha8Rng| {
            let (from, lasts) = spells.choose(rng).copied().unwrap_or_default();
            // Within a spell it comes in bursts.
            from + rng.random_range(0..lasts / BURST) * BURST + rng.random_range(0..1_300)
        };
        for n in 0..INBOUND + 45 {
            // Everybody has written once before much happens.
            let first = n < CUSTOMERS * 2;
            let at = if first { rng.random_range(0..10_000) } else { moment(&mut rng) };
            let (who, number) = if first {
                (n % CUSTOMERS, n % NUMBERS)
            } else {
                (rng.random_range(0..CUSTOMERS), rng.random_range(0..NUMBERS))
            };
            steps.push(Step {
                at,
                op: Op::Customer { who, number, what: if first { Says::Text } else { says(&mut rng) } },
            });
        }
        let mut made = 0;
        while made < INTENTS + 250 {
            let at = 1_000 + moment(&mut rng);
            let who = rng.random_range(0..DESKS);
            let asleep =
                |at: u64| sleeps.get(who).into_iter().flatten().any(|(from, lasts)| at >= *from && at < from + lasts);
            if asleep(at) {
                continue;
            }
            let nth = rng.random_range(0..64);
            let act = act(&mut rng);
            steps.push(Step { at, op: Op::Desk { who, nth, act } });
            made += 1;
            // Somebody goes on with the same thing at once.
            if rng.random_ratio(1, 5) {
                let again = [act, Act::Note, Act::Cancel, Act::Reply].choose(&mut rng).copied().unwrap_or(act);
                steps.push(Step { at: at + rng.random_range(1..400), op: Op::Desk { who, nth, act: again } });
                made += 1;
            }
        }
        faults(&mut rng, &mut steps, &spells);
        for (from, lasts) in spells.iter().skip(2).step_by(3) {
            steps.push(Step { at: from + lasts + 15_000, op: Op::Calm });
        }
        for _ in 0..4 {
            steps.push(Step { at: moment(&mut rng), op: Op::Peek { who: rng.random_range(0..DESKS) } });
        }
        steps.retain(|step| step.at <= LENGTH);
        steps.sort_by_key(|step| step.at);
        Self { seed, steps }
    }

    /// As text: the seed, then one operation a line.
    pub fn text(&self) -> String {
        let mut text = format!("{{\"seed\":{}}}\n", self.seed);
        for step in &self.steps {
            let _ = writeln!(text, "{}", serde_json::to_string(step).unwrap_or_default());
        }
        text
    }

    /// From text.
    pub fn parse(text: &str) -> Fallible<Self> {
        #[derive(Deserialize)]
        struct Head {
            seed: u64,
        }
        let mut lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
        let head = lines.next().ok_or_else(|| Failure::new("the plan is empty"))?;
        let Head { seed } = serde_json::from_str(head).context("the plan's first line names the seed")?;
        let steps = lines.map(|line| serde_json::from_str(line).context(line)).collect::<Fallible<Vec<Step>>>()?;
        Ok(Self { seed, steps })
    }
}

/// When desks are closed: mostly between the spells, and now and then through one.
fn sleeps(rng: &mut ChaCha8Rng, spells: &[(u64, u64)]) -> Vec<Vec<(u64, u64)>> {
    (0..DESKS)
        .map(|_| {
            let mut nights: Vec<(u64, u64)> = Vec::new();
            for pair in spells.windows(2) {
                let [(from, lasts), (next, _)] = pair else { continue };
                let at = from + lasts + rng.random_range(70_000..90_000);
                let until = next.saturating_sub(rng.random_range(0..15_000));
                let through = rng.random_ratio(1, 8);
                let until = if through { next + rng.random_range(20_000..90_000) } else { until };
                if rng.random_ratio(9, 10) && until > at + MINUTE {
                    nights.push((at, until - at));
                }
            }
            nights
        })
        .collect()
}

fn says(rng: &mut ChaCha8Rng) -> Says {
    match rng.random_range(0..100) {
        0..=84 => Says::Text,
        85..=91 => Says::Order,
        92..=95 => Says::Reaction,
        96..=97 => Says::GoesOffline,
        _ => Says::ComesOnline,
    }
}

fn act(rng: &mut ChaCha8Rng) -> Act {
    match rng.random_range(0..100) {
        0..=37 => Act::Reply,
        38..=48 => Act::Note,
        49..=56 => Act::Assign { to: rng.random_range(0..4) },
        57..=60 => Act::Unassign,
        61..=69 => Act::Status { to: rng.random_range(0..4) },
        70..=76 => Act::Label { which: rng.random_range(0..8) },
        77..=79 => Act::Unlabel { which: rng.random_range(0..8) },
        80..=87 => Act::Read { place: rng.random_range(0..40) },
        88..=93 => Act::Move { to: rng.random_range(0..6) },
        94..=96 => Act::Resend,
        97..=98 => Act::Cancel,
        _ if rng.random() => Act::Retry,
        _ => Act::Discard,
    }
}

/// At least one of each class, and some more.
fn faults(rng: &mut ChaCha8Rng, steps: &mut Vec<Step>, spells: &[(u64, u64)]) {
    let count = 29 + rng.random_range(10..30);
    for n in 0..count {
        let kind = if n < 29 { n } else { rng.random_range(0..29) };
        let who = rng.random_range(0..DESKS);
        let (from, lasts) = spells.choose(rng).copied().unwrap_or_default();
        let at = from + rng.random_range(0..lasts);
        let down = [300, 2_000, 20_000, 90_000].choose(rng).copied().unwrap_or(300);
        let net = |fault| Op::Net { who, fault };
        let meta = |fault| Op::Meta { fault };
        let hook = |fault| Op::Hook { fault };
        let op = match kind {
            0 => net(NetFault::LoseRequest),
            1 => net(NetFault::LoseAnswer),
            2 => net(NetFault::Repeat { ms: rng.random_range(50..40_000) }),
            3 => net(NetFault::Delay { ms: rng.random_range(500..60_000) }),
            4 => net(NetFault::LosePoke),
            5 => net(NetFault::LatePoke { ms: rng.random_range(500..60_000) }),
            6 => net(NetFault::LoseRefresh),
            7 => Op::Cut { who, lasts: rng.random_range(5_000..240_000) },
            8 => meta(Fault::RateLimited),
            9 => meta(Fault::Broken),
            10 => meta(Fault::BrokenAfterAccept),
            11 => meta(Fault::Html503),
            12 => meta(Fault::TimeoutBeforeAccept { hold_ms: 0 }),
            13 => meta(Fault::ResetAfterAccept),
            14 => meta(Fault::FailLater { code: 131_026 }),
            15 => meta(Fault::Slow { ms: 0 }),
            16 => hook(HookFault::Lose),
            17 => hook(HookFault::LoseAnswer),
            18 => hook(HookFault::Repeat { ms: rng.random_range(10..90_000) }),
            19 => hook(HookFault::Delay { ms: rng.random_range(200..60_000) }),
            20 => hook(HookFault::Gather { ms: rng.random_range(500..5_000) }),
            21 => Op::CrashServer { when: Moment::Now, down },
            22 => Op::CrashServer { when: Moment::Sending, down },
            23 => Op::CrashServer { when: if rng.random() { Moment::Pushed } else { Moment::Hooked }, down },
            24 => Op::CrashDesk { who, down },
            25 => Op::SlowDisk { who, pace: rng.random_range(5..150), lasts: rng.random_range(10_000..120_000) },
            26 => Op::Skew { who, ms: rng.random_range(-48..=48) * 3_600_000 / 2 },
            27 => {
                let back = at + rng.random_range(5_000..300_000);
                let number = rng.random_range(0..2);
                steps.push(Step { at: back, op: Op::Grant { who: who % 3, number, on: true } });
                Op::Grant { who: who % 3, number, on: false }
            }
            _ if rng.random_ratio(1, 3) => Op::Erase { nth: rng.random_range(0..64) },
            _ => {
                let back = at + rng.random_range(5_000..300_000);
                steps.push(Step { at: back, op: Op::Role { who: who % 2, manager: false } });
                Op::Role { who: who % 2, manager: true }
            }
        };
        // A failing link in a crash: the desk is cut off, something is done, and it dies.
        if kind == 24 && rng.random() {
            steps.push(Step { at: at.saturating_sub(20_000), op: Op::Cut { who, lasts: 40_000 } });
            for n in 0..3 {
                let (nth, act) = (rng.random_range(0..64), act(rng));
                steps.push(Step { at: (at + n * 2_000).saturating_sub(9_000), op: Op::Desk { who, nth, act } });
            }
        }
        steps.push(Step { at, op });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_survives_being_written_down() {
        let plan = Plan::of(3);
        assert_eq!(Plan::parse(&plan.text()).unwrap(), plan);
        assert!(plan.steps.is_sorted_by_key(|step| step.at));
        assert_eq!(Plan::of(3), plan);
        assert_ne!(Plan::of(4).steps, plan.steps);
    }
}
