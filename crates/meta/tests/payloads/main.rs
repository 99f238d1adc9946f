//! Every webhook body that we have yields what it must: ours (`tests/payloads/`) exactly what the table says, bodies from a
//! folder named by `PARLEY_EXTRA_PAYLOADS` at least one readable item each.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod expected;
mod summary;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use expected::EXPECTED;
use parley_meta::error::{ErrorClass, classify};
use parley_meta::webhook::{Fact, parse};
use serde_json::Value;

fn ours() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/payloads")
}

fn json_files(folder: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".json")).collect()
}

#[test]
fn every_body_yields_exactly_the_facts_of_the_table() {
    let mut wrong = Vec::new();
    for (file, items) in EXPECTED {
        let raw =
            fs::read(ours().join(file)).unwrap_or_else(|_| panic!("{file} is in the table and not in the folder"));
        let got: Vec<_> = parse(&raw).expect(file).iter().map(summary::of).collect();
        if got != *items {
            wrong.push(format!("{file}\n  expected {items:#?}\n  got {got:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_body_has_its_line_in_the_table_and_in_the_index() {
    let in_table: BTreeSet<_> = EXPECTED.iter().map(|(file, _)| (*file).to_owned()).collect();
    assert_eq!(in_table.len(), EXPECTED.len(), "a file stands twice in the table");
    assert_eq!(json_files(&ours()), in_table);
    let index = fs::read_to_string(ours().join("README.md")).unwrap();
    for file in &in_table {
        assert!(index.contains(&format!("| `{file}` |")), "{file} is missing in the index");
    }
}

#[test]
fn items_are_numbered_through_the_body_and_keep_their_own_bytes() {
    let raw = fs::read(ours().join("batch_3x3x3.json")).unwrap();
    let items = parse(&raw).unwrap();
    assert_eq!(items.len(), 27);
    let text = std::str::from_utf8(&raw).unwrap();
    for (place, item) in items.iter().enumerate() {
        assert_eq!(item.index as usize, place);
        assert_eq!(item.waba.as_ref().unwrap().as_str(), "881200455101001");
        assert_eq!(item.phone_number_id.as_ref().unwrap().as_str(), "770031224455001");
        assert_eq!(item.display_phone.as_ref().unwrap().expose(), "351210000042");
        assert!(
            text.contains(item.raw_part.get()) && item.raw_part.get().contains(&format!("cell {} of 27", place + 1))
        );
    }
    let keys: BTreeSet<_> = items.iter().filter_map(|item| item.dedupe_key()).collect();
    assert_eq!(keys.len(), 27);
}

#[test]
fn repeats_share_a_natural_key_and_look_alikes_do_not() {
    let keys = |file: &str| -> Vec<_> {
        let items = parse(&fs::read(ours().join(file)).unwrap()).unwrap();
        items.iter().map(|item| item.dedupe_key()).collect()
    };
    let repeated = keys("batch_repeated_message.json");
    assert!(repeated[0].is_some() && repeated[0] == repeated[1]);
    let by_case = keys("batch_wamids_by_case.json");
    assert_ne!(by_case[0], by_case[1]);
    let group = keys("status_delivered_group.json");
    assert_ne!(group[0], group[1], "two participants are two statuses");
    assert_ne!(keys("status_payment_failed.json"), keys("status_payment_captured.json"));
    let management = keys("batch_management_fields.json");
    assert!(management[0].as_ref().unwrap().contains("550011"), "template events have a key");
    assert_ne!(management[0], management[1]);
}

#[test]
fn nothing_personal_is_shown_by_debug_of_a_whole_body() {
    for (file, _) in EXPECTED.iter().filter(|(file, _)| !file.starts_with("in_location")) {
        let shown = format!("{:?}", parse(&fs::read(ours().join(file)).unwrap()).unwrap());
        for secret in ["4915155500", "351910000", "Ilse", "Tomás", "Noor", "mugs", "DE.7Kq2", "from the phone app"] {
            assert!(!shown.contains(secret), "{file} shows {secret}");
        }
    }
}

#[test]
fn bodies_of_a_folder_named_by_the_environment_parse_into_items() {
    let Some(folder) = std::env::var_os("PARLEY_EXTRA_PAYLOADS").map(PathBuf::from) else {
        return;
    };
    let (mut bodies, mut errors, mut unread) = (0, 0, Vec::new());
    for file in json_files(&folder) {
        let raw = fs::read(folder.join(&file)).unwrap();
        if file.starts_with("wa_err_") && file.ends_with(".res.json") {
            let status = file.split("_http").nth(1).unwrap()[..3].parse().unwrap();
            let error = classify(status, &raw);
            assert!(error.code.is_some() && !error.message.is_empty(), "{file}");
            let doubtful = matches!(error.code, Some(1 | 2 | 131_000 | 131_016));
            assert_eq!(error.class == ErrorClass::Unknown, doubtful, "{file}: {error:?}");
            errors += 1;
        }
        let webhook = ["wa_in_", "wa_status_", "wa_batch_", "wa_wh_", "wa_seq_", "fb_in_", "ig_in_"];
        if !webhook.iter().any(|kind| file.starts_with(kind)) || file.matches('.').count() > 1 {
            continue;
        }
        let sequence: Vec<Value> = match serde_json::from_slice(&raw).unwrap() {
            Value::Array(list) => list,
            one => vec![one],
        };
        for body in sequence {
            let items = parse(body.to_string().as_bytes()).unwrap_or_else(|error| panic!("{file}: {error}"));
            assert!(!items.is_empty(), "{file} yields nothing");
            for item in &items {
                if let Fact::Unreadable { reason } = item.fact {
                    unread.push(format!("{file}: {reason}"));
                }
            }
            bodies += 1;
        }
    }
    println!("{bodies} bodies, {errors} errors; unreadable: {unread:#?}");
    assert!(bodies > 0, "no webhook body in that folder");
}
