//! Makes a failing plan smaller: leaves lines out as long as what is left still fails in the same way.

use super::plan::Plan;
use super::{Report, run};

/// The smallest plan that was found in `runs` runs; `invariant` is what must still be violated.
pub fn shrink(plan: &Plan, invariant: &str, runs: usize) -> Plan {
    let fails = |plan: &Plan| {
        let report: Report = run(plan.clone(), false);
        report.violations.first().is_some_and(|first| first.invariant == invariant)
            || (invariant.is_empty() && report.failure.is_some())
    };
    let mut best = plan.clone();
    let mut left = runs;
    let mut size = best.steps.len().div_ceil(2);
    while size > 0 && left > 0 {
        let mut from = 0;
        let mut smaller = false;
        while from < best.steps.len() && left > 0 {
            let mut tried = best.clone();
            let to = (from + size).min(tried.steps.len());
            tried.steps.drain(from..to);
            left -= 1;
            if fails(&tried) {
                best = tried;
                smaller = true;
            } else {
                from += size;
            }
        }
        if !smaller || size > best.steps.len() {
            size /= 2;
        }
    }
    best
}
