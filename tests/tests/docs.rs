//! The documents tell the truth where a machine can see it: links lead somewhere, named tests and files exist, commands are
//! known.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn documents() -> Vec<PathBuf> {
    let mut found = vec![root().join("README.md"), root().join("CHANGELOG.md")];
    for folder in ["docs", "docs/adr"] {
        let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        found.extend(entries.filter(|path| path.extension().is_some_and(|kind| kind == "md")));
    }
    assert!(found.len() > 8, "the documents moved");
    found
}

/// Texts between `open` and the next `close`.
fn between<'a>(text: &'a str, open: &'a str, close: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(open).skip(1).filter_map(move |rest| rest.split_once(close).map(|(inside, _)| inside))
}

/// Texts in code marks.
fn marked(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn links_lead_somewhere() {
    let mut dead = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for target in between(&text, "](", ")").filter(|target| !target.starts_with("http")) {
            let file = target.split('#').next().unwrap();
            if !document.parent().unwrap().join(file).exists() {
                dead.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}

/// What looks like a path of this repository in code marks is one.
#[test]
fn named_files_exist() {
    let tops = ["crates/", "docs/", "privacy/", "src-tauri/", "tests/", "ui/", "xtask/"];
    let mut missing = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for name in marked(&text) {
            // Built or generated files come and go.
            let ours = tops.iter().any(|top| name.starts_with(top)) && !name.contains([' ', '*', '…']);
            if ours && name != "ui/dist" && !root().join(name).exists() {
                missing.push(format!("{}: {name}", document.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// The table of attacks is complete, and a test that it names stands in the sources.
#[test]
fn attacks_name_tests_that_exist() {
    let text = fs::read_to_string(root().join("docs/SECURITY.md")).unwrap();
    let rows: Vec<_> = text.lines().filter(|line| line.starts_with("| A")).collect();
    let ids: Vec<_> = rows.iter().filter_map(|row| row.split(" | ").next()).collect();
    assert_eq!(ids, (1..=40).map(|number| format!("| A{number}")).collect::<Vec<_>>());
    let functions = functions();
    let mut unknown = Vec::new();
    for row in rows {
        let status = row.rsplit(" | ").next().unwrap();
        let tests: Vec<_> = marked(status).filter(|name| !name.contains(['/', '.', ' '])).collect();
        assert!(!status.starts_with("tested") || !tests.is_empty(), "says tested, and by nothing: {row}");
        unknown.extend(tests.into_iter().filter(|name| !functions.contains(*name)));
    }
    assert!(unknown.is_empty(), "no test is called {unknown:?}");
}

#[test]
fn the_commands_of_the_readme_are_known() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let tasks = fs::read_to_string(root().join("xtask/src/main.rs")).unwrap();
    let named: BTreeSet<_> = between(&readme, "cargo xtask ", "\n")
        .map(|rest| rest.split(|c: char| !c.is_alphabetic()).next().unwrap().to_owned())
        .collect();
    assert!(named.contains("demo") && named.contains("test"));
    for name in named {
        assert!(tasks.contains(&format!("{name}::run(")), "README.md names `cargo xtask {name}`");
    }
}

/// Names of all functions in the sources.
fn functions() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders: Vec<_> = ["crates", "src-tauri", "tests", "xtask"].iter().map(|top| root().join(top)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.extend(between(&text, "fn ", "(").map(|name| name.split('<').next().unwrap().to_owned()));
            }
        }
    }
    found
}
