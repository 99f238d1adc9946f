//! Holds `ui/src/lib/ipc/generated.ts` to the command list: the test fails on drift, and writes the file when
//! `PARLEY_UPDATE_BINDINGS` is set (`cargo xtask bindings`).

use std::collections::BTreeMap;
use std::path::Path;

use parley_client::views::Event;
use parley_domain::protocol::Problem;
use ts_rs::{Config, TS, TypeVisitor};

use crate::ipc;

/// Declarations by name, of every type that is reached.
struct Declarations {
    config: Config,
    found: BTreeMap<String, String>,
}

impl TypeVisitor for Declarations {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        // Only types of ours have a file of their own; wrappers such as lists lead on to what they hold.
        if T::output_path().is_some() {
            let name = T::ident(&self.config);
            if self.found.contains_key(&name) {
                return;
            }
            let docs = T::docs().unwrap_or_default();
            self.found.insert(name, format!("{docs}export {}\n", T::decl(&self.config)));
        }
        T::visit_dependencies(self);
        T::visit_generics(self);
    }
}

fn typescript() -> String {
    let config = Config::new().with_large_int("number");
    let mut declarations = Declarations { config, found: BTreeMap::new() };
    declarations.visit::<Event>();
    declarations.visit::<Problem>();
    ipc::visit_types(&mut declarations);
    let commands = ipc::commands_typescript(&declarations.config);
    let types: Vec<String> = declarations.found.into_values().collect();
    format!(
        "// Written by `cargo xtask bindings` from the command list in src-tauri/ipc.rs. Not edited by hand.\n\n{}\n{commands}",
        types.join("\n")
    )
}

#[test]
fn the_typescript_of_the_command_list_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/src/lib/ipc/generated.ts");
    let current = typescript();
    if std::env::var_os("PARLEY_UPDATE_BINDINGS").is_some() {
        std::fs::write(&path, &current).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert!(kept == current, "ui/src/lib/ipc/generated.ts is not current: run `cargo xtask bindings`");
}
