//! What leaves for a sub-processor: whether it may, and a record that it did.
//!
//! Promise: nothing leaves for a sub-processor that is switched off, for a purpose that `privacy/subprocessors.toml` does not
//! name, or above its calls a day. What left is recorded as sub-processor, purpose, names of fields, calls and bytes, never
//! content. Records gather in memory and are written together, so that nobody waits for them; a crash may lose those of the
//! last [`WRITE_EVERY`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use parley_domain::time::DAY;
use parley_domain::{Timestamp, WorkspaceId};
use serde::Deserialize;

use crate::app::Core;
use crate::db::leaving::{self, RecordRow};
use crate::error::{Error, Result};

/// The policy as it is built in.
const POLICY: &str = include_str!("../../../privacy/subprocessors.toml");
/// How often records are written.
pub(crate) const WRITE_EVERY: Duration = Duration::from_secs(10);

/// Who data may leave to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubProcessor {
    Meta,
    Smtp,
    Openai,
    Sheets,
    Sentry,
}

impl SubProcessor {
    /// As the policy and the records write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Smtp => "smtp",
            Self::Openai => "openai",
            Self::Sheets => "sheets",
            Self::Sentry => "sentry",
        }
    }

    /// From that text.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Meta, Self::Smtp, Self::Openai, Self::Sheets, Self::Sentry].into_iter().find(|one| one.as_str() == text)
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    on: bool,
    purposes: BTreeSet<String>,
    per_day: u64,
}

/// One kind of thing that leaves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Leaving {
    pub to: SubProcessor,
    pub workspace: Option<WorkspaceId>,
    pub purpose: &'static str,
    /// Names of the fields, with commas.
    pub fields: &'static str,
}

/// Why something may not leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kept {
    /// The sub-processor is switched off.
    Off,
    /// The policy does not name the purpose.
    Purpose,
    /// The day's calls are used up; more at this moment.
    Used { until: Timestamp },
}

#[derive(Debug, Default)]
struct Book {
    /// Day (UTC) of the counts in `today`.
    day: i64,
    today: BTreeMap<SubProcessor, u64>,
    waiting: BTreeMap<Leaving, (u64, u64)>,
}

/// The switches and the book of what left.
#[derive(Debug)]
pub struct Gatekeeper {
    rules: BTreeMap<SubProcessor, Rule>,
    book: Mutex<Book>,
}

impl Gatekeeper {
    /// The policy with the configuration's switches; `today` is what the records say about the present day.
    ///
    /// # Errors
    /// The configuration names a sub-processor that there is not.
    pub fn new(on: &[String], off: &[String], now: Timestamp, today: Vec<(String, u64)>) -> Result<Self> {
        let mut rules: BTreeMap<SubProcessor, Rule> =
            toml::from_str(POLICY).map_err(|_| Error::Config("the sub-processor policy cannot be read".to_owned()))?;
        for (names, to) in [(on, true), (off, false)] {
            for name in names {
                let known = SubProcessor::parse(name).and_then(|one| rules.get_mut(&one));
                known.ok_or_else(|| Error::Config(format!("no such sub-processor: {name}")))?.on = to;
            }
        }
        let today = today.into_iter().filter_map(|(name, calls)| Some((SubProcessor::parse(&name)?, calls))).collect();
        let book = Mutex::new(Book { day: now.0.div_euclid(DAY), today, waiting: BTreeMap::new() });
        Ok(Self { rules, book })
    }

    /// Asks whether one more call may go out and counts it; call it right before the call.
    ///
    /// # Errors
    /// Why it may not.
    pub fn pass(&self, leaving: Leaving, bytes: usize, now: Timestamp) -> Result<(), Kept> {
        let Some(rule) = self.rules.get(&leaving.to).filter(|rule| rule.on) else {
            return Err(Kept::Off);
        };
        if !rule.purposes.contains(leaving.purpose) {
            return Err(Kept::Purpose);
        }
        let Ok(mut book) = self.book.lock() else { return Err(Kept::Off) };
        let day = now.0.div_euclid(DAY);
        if book.day != day {
            book.day = day;
            book.today.clear();
        }
        let calls = book.today.entry(leaving.to).or_default();
        if rule.per_day > 0 && *calls >= rule.per_day {
            return Err(Kept::Used { until: Timestamp((day + 1) * DAY) });
        }
        *calls += 1;
        let (calls, sum) = book.waiting.entry(leaving).or_default();
        *calls += 1;
        *sum += bytes as u64;
        Ok(())
    }

    fn take(&self) -> BTreeMap<Leaving, (u64, u64)> {
        self.book.lock().map(|mut book| std::mem::take(&mut book.waiting)).unwrap_or_default()
    }

    fn give_back(&self, rows: BTreeMap<Leaving, (u64, u64)>) {
        if let Ok(mut book) = self.book.lock() {
            for (leaving, (calls, bytes)) in rows {
                let entry = book.waiting.entry(leaving).or_default();
                entry.0 += calls;
                entry.1 += bytes;
            }
        }
    }
}

/// Writes the records that wait.
///
/// # Errors
/// The database failed; they wait for the next time.
pub(crate) async fn write(core: &Core) -> Result<()> {
    let waiting = core.leaving.take();
    let row = |(leaving, (calls, bytes)): (&Leaving, &(u64, u64))| RecordRow {
        id: core.new_id(),
        workspace: leaving.workspace,
        sub_processor: leaving.to.as_str().to_owned(),
        purpose: leaving.purpose.to_owned(),
        fields: leaving.fields.to_owned(),
        calls: *calls,
        bytes: *bytes,
        at: core.now(),
    };
    let rows: Vec<RecordRow> = waiting.iter().map(row).collect();
    let done = leaving::insert_rows(core.db.writer(), rows).await;
    if done.is_err() {
        core.leaving.give_back(waiting);
    }
    done
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn leaving(to: SubProcessor, purpose: &'static str) -> Leaving {
        Leaving { to, workspace: None, purpose, fields: "to,content" }
    }

    #[test]
    fn switches_purposes_and_caps_hold() {
        let now = Timestamp(5 * DAY + 7);
        let used = vec![("smtp".to_owned(), 4_998)];
        let gate = Gatekeeper::new(&["openai".to_owned()], &["meta".to_owned()], now, used).unwrap();
        let pass = |to, purpose, at| gate.pass(leaving(to, purpose), 10, at);
        assert_eq!(pass(SubProcessor::Meta, "send", now), Err(Kept::Off), "switched off");
        assert_eq!(pass(SubProcessor::Sheets, "export", now), Err(Kept::Off), "off until somebody switches it on");
        assert_eq!(pass(SubProcessor::Openai, "assist", now), Ok(()));
        assert_eq!(pass(SubProcessor::Openai, "training", now), Err(Kept::Purpose));
        assert_eq!(pass(SubProcessor::Smtp, "notice", now), Ok(()));
        assert_eq!(pass(SubProcessor::Smtp, "notice", now), Ok(()));
        let until = Timestamp(6 * DAY);
        assert_eq!(pass(SubProcessor::Smtp, "notice", now), Err(Kept::Used { until }), "what was recorded counts");
        assert_eq!(pass(SubProcessor::Smtp, "notice", until), Ok(()));
        let book = gate.take();
        assert_eq!(book.get(&leaving(SubProcessor::Smtp, "notice")), Some(&(3, 30)), "what was kept is not recorded");
        assert!(Gatekeeper::new(&["nobody".to_owned()], &[], now, vec![]).is_err());
    }
}
