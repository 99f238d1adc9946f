//! The ledger and its judge: what was accepted, on disk before the answer; what is wrong with it, named.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::*;
use parley_sim::check::{self, WINDOW_MS};
use parley_sim::ledger::read_file;
use parley_sim::{Fault, LedgerEntry, MetaSim, SimConfig, Violation};

const PHONE: &str = "+5511912345678";

fn entry(wamid: &str, opaque: Option<&str>, kind: &str, last_inbound_ms: Option<i64>) -> LedgerEntry {
    LedgerEntry {
        at_ms: NOON,
        wamid: wamid.into(),
        phone_number_id: NUMBER.into(),
        to: Some(PHONE.into()),
        recipient: None,
        user_id: Some("BR.1".into()),
        kind: kind.into(),
        text: None,
        biz_opaque_callback_data: opaque.map(str::to_owned),
        refers_to: None,
        last_inbound_ms,
        fails_with: None,
    }
}

#[test]
fn a_planted_double_is_found_and_a_clean_ledger_is_clean() {
    let just_now = Some(NOON - 1);
    let clean = vec![entry("a", Some("1"), "text", just_now), entry("b", Some("2"), "image", just_now)];
    assert_eq!(check::check(&clean), vec![]);
    let mut planted = clean;
    planted.push(entry("c", Some("1"), "text", just_now));
    planted.push(entry("d", Some("1"), "text", just_now));
    let wamids = vec!["a".to_owned(), "c".to_owned(), "d".to_owned()];
    assert_eq!(check::check(&planted), vec![Violation::AcceptedTwice { biz_opaque_callback_data: "1".into(), wamids }]);
}

#[test]
fn the_window_is_judged_to_the_millisecond() {
    let at = |last| check::check(&[entry("a", Some("1"), "text", last)]);
    assert_eq!(at(Some(NOON - WINDOW_MS + 1)), vec![]);
    assert_eq!(
        at(Some(NOON - WINDOW_MS)),
        vec![Violation::WindowClosed { wamid: "a".into(), silent_for_ms: Some(WINDOW_MS) }]
    );
    assert_eq!(at(None), vec![Violation::WindowClosed { wamid: "a".into(), silent_for_ms: None }]);
    assert_eq!(check::check(&[entry("a", Some("1"), "template", None)]), vec![], "templates need no window");
}

#[test]
fn a_send_without_an_opaque_id_is_named_and_a_reaction_is_not() {
    let just_now = Some(NOON - 1);
    let found = check::check(&[entry("a", None, "text", just_now), entry("b", None, "reaction", just_now)]);
    assert_eq!(found, vec![Violation::NoOpaqueId { wamid: "a".into() }]);
}

#[tokio::test]
async fn the_file_has_each_accepted_send_even_if_its_answer_was_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.jsonl");
    let start = || async {
        let (config, _) = quick(7);
        MetaSim::start(SimConfig { ledger_path: Some(path.clone()), ..config }).await.unwrap()
    };
    let sim = start().await;
    sim.customer("Ana Lima", Some(PHONE), None).says("oi");
    send(&sim, &text_to(PHONE, "um", "o1")).await;
    sim.next_send(Fault::ResetAfterAccept);
    let url = format!("{}/v26.0/{NUMBER}/messages", sim.base_url());
    client().post(&url).bearer_auth(TOKEN).json(&text_to(PHONE, "dois", "o2")).send().await.unwrap_err();
    sim.next_send(Fault::Broken);
    send(&sim, &text_to(PHONE, "três", "o3")).await;
    let written = read_file(&path).unwrap();
    assert_eq!(written, sim.ledger());
    let texts: Vec<_> = written.iter().map(|entry| entry.text.as_deref().unwrap()).collect();
    assert_eq!(texts, ["um", "dois"]);
    assert_eq!(written[0].to.as_deref(), Some(PHONE));
    assert_eq!(written[0].last_inbound_ms, Some(NOON));

    drop(sim);
    let again = start().await;
    again.customer("Ana Lima", Some(PHONE), None).says("oi");
    send(&again, &text_to(PHONE, "um", "o1")).await;
    assert_eq!(again.ledger().len(), 1);
    let all = read_file(&path).unwrap();
    assert_eq!(all.len(), 3, "what earlier runs accepted stays");
    assert_eq!(check::accepted_twice(&all).len(), 1, "and doubles across runs are found");
}

#[tokio::test]
async fn a_torn_last_line_is_left_out_and_a_torn_middle_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.jsonl");
    let line = serde_json::to_string(&entry("a", Some("1"), "text", None)).unwrap();
    std::fs::write(&path, format!("{line}\n{}", &line[..20])).unwrap();
    assert_eq!(read_file(&path).unwrap().len(), 1);
    std::fs::write(&path, format!("{}\n{line}\n", &line[..20])).unwrap();
    assert!(read_file(&path).is_err());
}
