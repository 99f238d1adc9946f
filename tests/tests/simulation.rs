//! Plans of defects that the simulation found: each is played to its end, and nothing is violated. The seeds themselves are the
//! stage `simulation` of `cargo xtask test` (docs/TESTING.md).

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;

use parley_tests::simulation::plan::Plan;
use parley_tests::simulation::run;

#[test]
fn plans_of_mended_defects_violate_nothing() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans");
    let mut played = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "plan") {
            let report = run(Plan::parse(&fs::read_to_string(&path).unwrap()).unwrap(), false);
            assert_eq!(report.wrong(), None, "{}", path.display());
            played += 1;
        }
    }
    assert!(played > 0, "the plans moved");
}

#[test]
fn a_plan_gives_the_same_log_twice() {
    let mut plan = Plan::of(11);
    plan.steps.truncate(160);
    let (first, second) = (run(plan.clone(), false), run(plan, false));
    assert_eq!(first.wrong(), None);
    assert_eq!((first.hash, first.lines), (second.hash, second.lines));
}
