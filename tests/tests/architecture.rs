//! The shape that docs/ARCHITECTURE.md promises: which package may use which, and what may stand in one place only. A new
//! arrow, or a second place, is a changed line here, and is reviewed as such.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Every arrow between packages of this repository: who, and whom it uses.
const ARROWS: &[(&str, &[&str])] = &[
    ("parley", &["parley-client", "parley-domain"]),
    ("parley-client", &["parley-domain", "parley-meta"]),
    ("parley-domain", &[]),
    // SQLite's file layer with faults, for tests: it uses nothing of ours.
    ("parley-faultfs", &[]),
    ("parley-meta", &["parley-domain"]),
    ("parley-server", &["parley-domain", "parley-meta"]),
    ("parley-sim", &[]),
    ("parley-tests", &["parley-client", "parley-domain", "parley-meta", "parley-server", "parley-sim", "xtask"]),
    ("xtask", &[]),
];

/// Further arrows that only tests may use.
const TEST_ARROWS: &[(&str, &[&str])] =
    &[("parley-client", &["parley-faultfs"]), ("parley-meta", &["parley-sim"]), ("parley-server", &["parley-sim"])];

/// All that the domain may use: nothing that does I/O.
const DOMAIN_USES: &[&str] = &["chrono", "schemars", "serde", "serde_json", "thiserror", "toml", "ts-rs", "uuid"];

/// Libraries that a package must not use, because the work they do belongs elsewhere.
const NEVER: &[(&str, &[&str])] = &[
    ("parley", &["parley-meta", "rusqlite", "sea-orm", "reqwest", "keyring"]),
    ("parley-client", &["tauri", "tauri-build", "sea-orm", "axum"]),
    ("parley-meta", &["rusqlite", "sea-orm", "axum"]),
    ("parley-server", &["tauri", "rusqlite", "keyring"]),
];

/// What may stand in some files only. `files` are paths or folders (with a slash at the end) from the repository's top.
struct OnePlace {
    what: &'static str,
    patterns: &'static [&'static str],
    within: &'static [&'static str],
    files: &'static [&'static str],
}

const ONE_PLACE: &[OnePlace] = &[
    OnePlace {
        // A connection may be handed through by others; what is asked of it stands here.
        what: "SQL",
        patterns: &[
            "SELECT ",
            "INSERT INTO ",
            "INSERT OR ",
            "DELETE FROM ",
            "CREATE TABLE ",
            "PRAGMA ",
            ".prepare(",
            ".prepare_cached(",
            ".query_row(",
            ".execute_batch(",
            "execute_unprepared",
            "Statement::from",
            "::Entity::",
        ],
        within: &["crates/", "src-tauri/"],
        files: &["crates/client/src/store/", "crates/server/src/db/"],
    },
    OnePlace {
        what: "outward connections",
        patterns: &[
            "reqwest::Client::",
            "reqwest::ClientBuilder",
            "reqwest::get",
            "connect_async",
            "TcpStream::connect",
            "AsyncSmtpTransport",
        ],
        within: &["crates/", "src-tauri/"],
        files: &[
            "crates/client/src/egress.rs",
            "crates/server/src/egress.rs",
            "crates/server/src/egress/",
            "crates/sim/",
        ],
    },
    OnePlace {
        what: "the system clock",
        patterns: &["SystemTime::now", "Utc::now", "Local::now"],
        within: &["crates/", "src-tauri/"],
        files: &["crates/client/src/os.rs", "crates/server/src/system.rs", "crates/sim/src/clock.rs"],
    },
    OnePlace {
        what: "randomness",
        patterns: &["getrandom::", "thread_rng", "rand::rng", "OsRng", "new_v4", "now_v7"],
        within: &["crates/", "src-tauri/"],
        files: &["crates/client/src/os.rs", "crates/server/src/system.rs"],
    },
    OnePlace {
        what: "the window's way to the engine",
        patterns: &["invoke(", "@tauri-apps/api"],
        within: &["ui/src/"],
        files: &["ui/src/lib/ipc/ipc.ts"],
    },
    OnePlace {
        what: "markup from text",
        patterns: &["{@html", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("],
        within: &["ui/src/"],
        files: &[],
    },
    OnePlace {
        what: "network calls of the window",
        patterns: &["fetch(", "XMLHttpRequest", "WebSocket(", "EventSource(", "sendBeacon"],
        within: &["ui/src/"],
        // The bridge for browsers, which release builds lack.
        files: &["ui/src/lib/ipc/"],
    },
    OnePlace {
        what: "storage of the webview",
        patterns: &["localStorage", "sessionStorage", "indexedDB", "document.cookie", "serviceWorker"],
        within: &["ui/src/"],
        // Theme, sizes and language: enum values and numbers (privacy/storage.toml).
        files: &["ui/src/lib/state/settings.svelte.ts", "ui/src/lib/i18n/i18n.svelte.ts"],
    },
];

#[test]
fn packages_use_each_other_as_drawn() {
    let mut found: BTreeMap<String, [BTreeSet<String>; 2]> = BTreeMap::new();
    for package in packages() {
        let ours = found.entry(package.name.clone()).or_default();
        for (name, kind) in package.uses.iter().filter(|(name, _)| name.starts_with("parley") || name == "xtask") {
            ours[usize::from(kind == "dev")].insert(name.clone());
        }
    }
    let drawn: BTreeMap<String, [BTreeSet<String>; 2]> =
        ARROWS.iter().map(|(name, uses)| ((*name).to_owned(), [set(uses), set(table(TEST_ARROWS, name))])).collect();
    assert_eq!(found, drawn, "left: Cargo.toml files; right: the table of this test");
}

#[test]
fn packages_keep_away_from_what_others_do() {
    for package in packages() {
        let uses: BTreeSet<_> = package.uses.iter().filter(|(_, kind)| kind != "dev").map(|(name, _)| name).collect();
        if package.name == "parley-domain" {
            let more: Vec<_> = uses.iter().filter(|name| !DOMAIN_USES.contains(&name.as_str())).collect();
            assert!(more.is_empty(), "the domain does no I/O, but uses {more:?}");
        }
        for never in table(NEVER, &package.name) {
            assert!(!uses.contains(&(*never).to_owned()), "{} must not use {never}", package.name);
        }
    }
}

#[test]
fn some_things_stand_in_one_place() {
    let mut strays = Vec::new();
    for rule in ONE_PLACE {
        let mut looked_at = 0;
        for path in rule.within.iter().flat_map(|folder| sources(folder)) {
            looked_at += 1;
            let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            if rule
                .files
                .iter()
                .any(|allowed| name == *allowed || (allowed.ends_with('/') && name.starts_with(allowed)))
            {
                continue;
            }
            for (number, line) in code(&fs::read_to_string(&path).unwrap()) {
                if rule.patterns.iter().any(|pattern| line.contains(pattern)) {
                    strays.push(format!("{name}:{number}: {} — {}", rule.what, line.trim()));
                }
            }
        }
        assert!(looked_at > 5, "nothing was looked at for {}", rule.what);
    }
    assert!(strays.is_empty(), "these belong elsewhere:\n{}", strays.join("\n"));
}

/// A file that left would make its rule's exception a hole for the next one of that name.
#[test]
fn the_one_places_exist() {
    for allowed in ONE_PLACE.iter().flat_map(|rule| rule.files) {
        assert!(root().join(allowed).exists(), "{allowed} is gone: mend the table");
    }
}

#[test]
fn every_module_says_what_it_promises() {
    let silent: Vec<_> = ["crates/", "src-tauri/", "tests/", "xtask/"]
        .iter()
        .flat_map(|folder| sources(folder))
        .filter(|path| path.extension().is_some_and(|kind| kind == "rs"))
        .filter(|path| !fs::read_to_string(path).unwrap().trim_start().starts_with("//!"))
        .map(|path| path.strip_prefix(root()).unwrap().to_owned())
        .filter(|path| !path.ends_with("build.rs"))
        .collect();
    assert!(silent.is_empty(), "no `//!` at the top of {silent:?}");
}

struct Package {
    name: String,
    /// Name and kind (`normal`, `dev`, `build`).
    uses: Vec<(String, String)>,
}

fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| Package {
            name: text(&package["name"]),
            uses: package["dependencies"]
                .as_array()
                .unwrap()
                .iter()
                .map(|used| (text(&used["name"]), used["kind"].as_str().unwrap_or("normal").to_owned()))
                .collect(),
        })
        .collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn table(table: &'static [(&str, &[&str])], name: &str) -> &'static [&'static str] {
    table.iter().find(|(key, _)| *key == name).map_or(&[], |(_, values)| *values)
}

/// Source files under a folder, without tests that stand beside the code.
fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type().unwrap().is_dir() {
                if !["tests", "benches", "examples", "node_modules", "gen", "dist"].contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if ["rs", "ts", "svelte"].iter().any(|kind| path.extension().is_some_and(|found| found == *kind))
                && !name.contains(".test.")
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Numbered lines that are neither comments nor in a test module at a file's end.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(number, line)| (number + 1, line))
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .filter(|(_, line)| !["//", "/*", "*", "<!--"].iter().any(|start| line.trim_start().starts_with(start)))
}
