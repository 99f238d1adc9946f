//! How long a desk may go on without hearing from its server, on a clock that cannot be talked out of it.
//!
//! Promise: time never goes back (PRIVACY.md DSK-7.4). Now is the latest of three: the highest moment that was ever seen, this
//! computer's clock as corrected at the last contact, and the server's time at the last contact plus what the computer has run
//! since. A clock that stands far behind locks. One that stands far ahead locks too, and wipes nothing until another of the three
//! agrees or the server says the time.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::policy::DeviceRules;
use crate::time::{Boot, DAY, HOUR, MINUTE};

/// A clock further behind than this is not believed.
const BEHIND: i64 = 5 * MINUTE;
/// How far the clock may run ahead of the time for which the computer has demonstrably run.
const AHEAD_RUNNING: i64 = DAY;
/// How far the clock may have moved while the computer was off.
const AHEAD_OFF: i64 = 366 * DAY;

/// What a desk remembers of its last authenticated contact.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Heard {
    /// The server's time then.
    pub server: Timestamp,
    /// This computer's clock then.
    pub wall: Timestamp,
    /// How long this computer had run then.
    pub boot: Option<Boot>,
    /// The highest trusted moment since.
    pub high_water: Timestamp,
}

/// What the computer's clocks say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading {
    pub wall: Timestamp,
    pub boot: Option<Boot>,
}

/// What is wrong with the computer's clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doubt {
    Behind,
    Ahead,
}

/// The trusted moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trusted {
    pub now: Timestamp,
    pub doubt: Option<Doubt>,
}

/// What a desk may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Work; it locks and wipes itself then, if nothing is heard.
    Usable { locks_at: Timestamp, wipes_at: Timestamp },
    /// Nothing until there was an authenticated contact.
    Locked { why: Locked, wipes_at: Timestamp },
    /// Delete everything.
    Wipe,
}

/// Why a desk is locked until there was a contact.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Locked {
    /// The server was not heard for too long.
    Silence,
    /// The clock was set back.
    ClockBehind,
    /// The clock was set far ahead.
    ClockAhead,
}

impl Heard {
    /// A contact that has just taken place.
    pub fn now(server: Timestamp, reading: Reading) -> Self {
        Self { server, wall: reading.wall, boot: reading.boot, high_water: server }
    }

    /// The trusted moment.
    pub fn trusted(&self, reading: Reading) -> Trusted {
        let wall = self.server + reading.wall.since(self.wall);
        let ran = match (self.boot, reading.boot) {
            (Some(then), Some(now)) if then.id == now.id && now.millis >= then.millis => {
                Some(self.server + (now.millis - then.millis))
            }
            _ => None,
        };
        let known = ran.map_or(self.high_water, |ran| ran.max(self.high_water));
        let leap = if ran.is_some() { AHEAD_RUNNING } else { AHEAD_OFF };
        if wall + BEHIND < known {
            Trusted { now: known, doubt: Some(Doubt::Behind) }
        } else if wall.since(known) > leap {
            Trusted { now: known, doubt: Some(Doubt::Ahead) }
        } else {
            Trusted { now: wall.max(known), doubt: None }
        }
    }

    /// The same, with the trusted moment as the new high water.
    #[must_use]
    pub fn seen(self, reading: Reading) -> Self {
        Self { high_water: self.trusted(reading).now.max(self.high_water), ..self }
    }

    /// What a desk may do now.
    pub fn standing(&self, reading: Reading, rules: &DeviceRules) -> Standing {
        let Trusted { now, doubt } = self.trusted(reading);
        let locks_at = self.server + i64::from(rules.lock_after_days) * DAY;
        let wipes_at = self.server + i64::from(rules.wipe_after_days) * DAY;
        if now >= wipes_at {
            return Standing::Wipe;
        }
        let why = match doubt {
            Some(Doubt::Behind) => Some(Locked::ClockBehind),
            Some(Doubt::Ahead) => Some(Locked::ClockAhead),
            None if now >= locks_at => Some(Locked::Silence),
            None => None,
        };
        match why {
            Some(why) => Standing::Locked { why, wipes_at },
            None => Standing::Usable { locks_at, wipes_at },
        }
    }
}

/// The serial of the lease that the server grants on a contact; `present` is the device's, with the time of its grant.
///
/// A new one is made only for a desk that has the present one in use and can take another, so that what a desk is wrapped under
/// is always the present lease or the one before it. A desk that knows a later one than the server (which was restored) is given
/// one that is later still.
pub fn grant(
    present: Option<(u64, Timestamp)>,
    held: Option<u64>,
    renew: bool,
    now: Timestamp,
    rules: &DeviceRules,
) -> u64 {
    let Some((serial, granted_at)) = present else { return held.unwrap_or(0).saturating_add(1) };
    match held {
        Some(held) if held > serial => held.saturating_add(1),
        Some(held) if held == serial && renew && now.since(granted_at) >= i64::from(rules.lease_hours) * HOUR => {
            serial.saturating_add(1)
        }
        _ => serial,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::permission::Role;
    use crate::policy::DevicePolicy;
    const START: i64 = 20_000 * DAY;

    /// The clocks `wall` and `ran` after the contact; `boot` tells starts of the computer apart.
    fn at(wall: i64, ran: i64, boot: u64) -> Reading {
        Reading { wall: Timestamp(START + wall), boot: Some(Boot { id: boot, millis: 7_000 + ran }) }
    }

    fn heard() -> Heard {
        // The computer's clock is two hours slow, as the server saw.
        Heard::now(Timestamp(START + 2 * HOUR), at(0, 0, 1))
    }

    fn standing(heard: Heard, reading: Reading) -> Standing {
        heard.standing(reading, &DevicePolicy::default().of(Role::Agent))
    }

    fn locked(standing: Standing) -> Option<Locked> {
        match standing {
            Standing::Locked { why, .. } => Some(why),
            _ => None,
        }
    }

    #[test]
    fn day_six_works_day_eight_is_locked_day_twenty_two_is_gone() {
        for boot in [1, 2] {
            let after =
                |days: i64| standing(heard(), at(days * DAY, if boot == 1 { days * DAY } else { 60_000 }, boot));
            assert!(matches!(after(0), Standing::Usable { .. }));
            assert!(matches!(after(6), Standing::Usable { .. }), "boot {boot}");
            assert_eq!(locked(after(8)), Some(Locked::Silence));
            assert_eq!(locked(after(20)), Some(Locked::Silence));
            assert_eq!(after(21), Standing::Wipe);
            assert_eq!(after(22), Standing::Wipe);
        }
    }

    #[test]
    fn a_clock_that_was_set_back_locks_and_does_not_stop_time() {
        assert_eq!(locked(standing(heard(), at(-60 * DAY, HOUR, 1))), Some(Locked::ClockBehind));
        assert_eq!(locked(standing(heard(), at(-60 * DAY, 60_000, 2))), Some(Locked::ClockBehind));
        // What was seen before counts after a restart too.
        let later = heard().seen(at(6 * DAY, 6 * DAY, 1));
        assert_eq!(locked(standing(later, at(DAY, 60_000, 2))), Some(Locked::ClockBehind));
        // The computer runs on while the clock says otherwise.
        assert_eq!(standing(heard(), at(-60 * DAY, 22 * DAY, 1)), Standing::Wipe);
        // Five minutes are no reason.
        assert!(matches!(standing(heard(), at(HOUR - 4 * MINUTE, HOUR, 1)), Standing::Usable { .. }));
    }

    #[test]
    fn a_clock_that_was_set_far_ahead_locks_and_wipes_nothing_until_confirmed() {
        let years = 3_650 * DAY;
        assert_eq!(locked(standing(heard(), at(years, HOUR, 1))), Some(Locked::ClockAhead));
        assert_eq!(locked(standing(heard(), at(years, 60_000, 2))), Some(Locked::ClockAhead));
        // While the computer runs, a month in an hour is not believed either.
        assert_eq!(locked(standing(heard(), at(30 * DAY, HOUR, 1))), Some(Locked::ClockAhead));
        // It leaves no mark: set right again, the desk works.
        let looked = heard().seen(at(years, HOUR, 1));
        assert!(matches!(standing(looked, at(2 * HOUR, 2 * HOUR, 1)), Standing::Usable { .. }));
        // Running for as long confirms it.
        assert_eq!(standing(heard(), at(years, 22 * DAY, 1)), Standing::Wipe);
        // So does the server, whose time begins a new count.
        let told = Heard::now(Timestamp(START + years), at(years, HOUR, 1));
        assert!(matches!(standing(told, at(years + HOUR, 2 * HOUR, 1)), Standing::Usable { .. }));
    }

    #[test]
    fn a_lease_is_replaced_only_for_a_desk_that_has_the_present_one() {
        let rules = DevicePolicy::default().of(Role::Agent);
        let (then, soon, late) = (Timestamp(START), Timestamp(START + HOUR), Timestamp(START + DAY));
        assert_eq!(grant(None, None, true, then, &rules), 1);
        assert_eq!(grant(Some((1, then)), Some(1), true, soon, &rules), 1);
        assert_eq!(grant(Some((1, then)), Some(1), true, late, &rules), 2);
        assert_eq!(grant(Some((1, then)), Some(1), false, late, &rules), 1, "locked, it cannot take one");
        assert_eq!(grant(Some((2, then)), Some(1), true, late, &rules), 2, "it has not come to the second yet");
        assert_eq!(grant(Some((2, then)), None, true, late, &rules), 2);
        assert_eq!(grant(Some((2, then)), Some(5), true, soon, &rules), 6, "the server was restored");
        assert_eq!(grant(None, Some(5), true, soon, &rules), 6);
    }

    #[test]
    fn a_clock_that_stands_still_does_not_stop_time() {
        assert_eq!(locked(standing(heard(), at(0, 8 * DAY, 1))), Some(Locked::ClockBehind));
        assert_eq!(standing(heard(), at(0, 22 * DAY, 1)), Standing::Wipe);
        let frozen = heard().seen(at(0, 8 * DAY, 1));
        assert_eq!(locked(standing(frozen, at(0, 60_000, 2))), Some(Locked::ClockBehind));
    }
}
