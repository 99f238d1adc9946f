//! `cargo xtask dist`: the Debian package, with the signature that the updater checks.
//!
//! The key comes from `TAURI_SIGNING_PRIVATE_KEY` (with `TAURI_SIGNING_PUBLIC_KEY` beside it). Without one, a key is made
//! that lives as long as the build: good for a try-out, useless for a release, and said so.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::failure::{Context, Failure, Fallible};
use crate::process::{self, Scratch};
use crate::{cargo, setup, ui};

/// The tool that bundles, in the version of the libraries that the shell uses.
const TAURI: &str = "--package=@tauri-apps/cli@2.12.5";

#[derive(clap::Args)]
pub struct Args {
    /// Installs what is missing without asking
    #[arg(long)]
    yes: bool,
    /// Gives the package another version, for trying an update
    #[arg(long)]
    version: Option<String>,
}

/// The two halves of the updater's key, in Tauri's text form.
struct Keys {
    private: String,
    password: String,
    public: String,
}

/// Builds the package and prints where it is and how large.
pub fn run(args: &Args) -> Fallible {
    setup::ensure(args.yes)?;
    let scratch = Scratch::new()?;
    let keys = keys(&scratch)?;
    let overlay = overlay(&keys.public, args.version.as_deref());
    let mut build = tauri(&["build", "--ci", "--bundles", "deb", "--config", &overlay.to_string()]);
    build.env("TAURI_SIGNING_PRIVATE_KEY", keys.private).env("TAURI_SIGNING_PRIVATE_KEY_PASSWORD", keys.password);
    process::run(&mut build)?;
    report()
}

/// `tauri …` in the top folder, where its configuration is. The tool is fetched when it is first needed: builds and tests do
/// without it.
fn tauri(words: &[&str]) -> Command {
    let mut command = ui::npm(&["exec", "--yes", TAURI, "--", "tauri"]);
    command.current_dir(cargo::root()).args(words).env("CI", "true");
    command
}

/// What the release build adds to `tauri.conf.json`.
fn overlay(public_key: &str, version: Option<&str>) -> serde_json::Value {
    let mut overlay = json!({
        "bundle": { "createUpdaterArtifacts": true },
        "plugins": { "updater": { "pubkey": public_key, "requireSignedVersion": true } },
    });
    if let (Some(version), Some(fields)) = (version, overlay.as_object_mut()) {
        fields.insert("version".to_owned(), json!(version));
    }
    overlay
}

fn keys(scratch: &Scratch) -> Fallible<Keys> {
    let given = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if let Some(private) = given("TAURI_SIGNING_PRIVATE_KEY") {
        let public = given("TAURI_SIGNING_PUBLIC_KEY")
            .ok_or_else(|| Failure::new("TAURI_SIGNING_PRIVATE_KEY is set, TAURI_SIGNING_PUBLIC_KEY is not"))?;
        let password = given("TAURI_SIGNING_PRIVATE_KEY_PASSWORD").unwrap_or_default();
        return Ok(Keys { private, password, public });
    }
    println!("No signing key is set: this build is signed with a key that is thrown away. Do not ship it.");
    let path = scratch.path().join("updater.key");
    let mut generate = tauri(&["signer", "generate", "--ci", "-p", ""]);
    generate.arg("-w").arg(&path);
    process::output(&mut generate)?;
    Ok(Keys {
        private: fs::read_to_string(&path).context("the new key")?,
        password: String::new(),
        public: fs::read_to_string(path.with_extension("key.pub")).context("the new public key")?,
    })
}

fn report() -> Fallible {
    let folder = cargo::target().join("release/bundle/deb");
    for entry in fs::read_dir(&folder).context(folder.display())? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            let bytes = entry.metadata()?.len();
            println!("{:>10.2} MB  {}", bytes as f64 / 1e6, entry.path().display());
        }
    }
    Ok(())
}
