//! `cargo xtask setup`: what a machine with nothing but Rust and Node lacks. It asks before it installs, unless `--yes`.
//!
//! Debian 12 is the system that is known; on others the list of packages is printed for their owner to translate.

use std::fs;
use std::io::{self, Write};
use std::process::Command;

use crate::failure::{Context, Failure, Fallible};
use crate::{cargo, process, ui};

/// Debian packages, by what they are for.
const PACKAGES: &[(&str, &[&str])] = &[
    ("to compile", &["build-essential", "pkg-config", "perl", "libssl-dev", "patchelf", "file"]),
    (
        "for the desktop window",
        &["libwebkit2gtk-4.1-dev", "libgtk-3-dev", "librsvg2-dev", "libxdo-dev", "libayatana-appindicator3-dev"],
    ),
    (
        "to drive the window without a display",
        &["webkit2gtk-driver", "xvfb", "x11-utils", "openbox", "imagemagick", "xdotool", "dunst"],
    ),
    ("for the keyring and the session bus", &["gnome-keyring", "libsecret-tools", "dbus", "dbus-x11"]),
    ("for the second database and the browser", &["mariadb-server", "chromium"]),
    ("for readable screenshots", &["fonts-dejavu-core", "fonts-noto-core", "fonts-noto-cjk", "fonts-noto-color-emoji"]),
];

/// The test runner, in the version whose options `.config/nextest.toml` uses.
const NEXTEST: &str = "0.9.143";
/// The oldest Node that the UI's tools run on.
const NODE_MAJOR: u32 = 20;

#[derive(clap::Args)]
pub struct Args {
    /// Installs without asking
    #[arg(long)]
    yes: bool,
}

/// Installs what is missing.
pub fn run(args: &Args) -> Fallible {
    ensure(args.yes)
}

/// Sees to it that everything is there, asking first unless `yes`. Costs a second when nothing is missing.
pub fn ensure(yes: bool) -> Fallible {
    check_node()?;
    let missing = missing_packages()?;
    if !missing.is_empty() {
        if !is_debian() {
            return Err(Failure::new(format!(
                "this is not Debian; please install what corresponds to these packages, then run again with \
                 PARLEY_SKIP_PACKAGES=1:\n{}",
                missing.join(" ")
            )));
        }
        confirm(yes, &format!("These Debian packages are missing:\n  {}\nInstall them", missing.join(" ")))?;
        install_packages(&missing)?;
    }
    if !process::succeeds(&mut cargo::cargo(&["nextest", "--version"])) {
        confirm(yes, "cargo-nextest, the test runner, is missing. Build and install it")?;
        process::run(&mut cargo::cargo(&["install", "--locked", "cargo-nextest", "--version", NEXTEST]))?;
    }
    ui::install()
}

fn check_node() -> Fallible {
    let hint = format!("Node {NODE_MAJOR} or newer with npm is needed");
    let version = process::output(Command::new("node").arg("--version")).context(&hint)?;
    let major = version.trim().trim_start_matches('v').split('.').next().and_then(|digits| digits.parse::<u32>().ok());
    if major.is_none_or(|major| major < NODE_MAJOR) {
        return Err(Failure::new(format!("{hint}; this is {}", version.trim())));
    }
    Ok(())
}

fn is_debian() -> bool {
    fs::read_to_string("/etc/os-release").is_ok_and(|text| {
        text.lines()
            .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")))
            .any(|value| value.contains("debian"))
    })
}

fn missing_packages() -> Fallible<Vec<&'static str>> {
    if std::env::var_os("PARLEY_SKIP_PACKAGES").is_some() {
        return Ok(Vec::new());
    }
    let wanted: Vec<&str> = PACKAGES.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    let installed = Command::new("dpkg-query")
        .args(["-W", "-f", "${Package} ${db:Status-Status}\n"])
        .args(&wanted)
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    Ok(wanted.into_iter().filter(|name| !installed.lines().any(|line| line == format!("{name} installed"))).collect())
}

fn install_packages(names: &[&str]) -> Fallible {
    let root = process::output(Command::new("id").arg("-u"))?.trim() == "0";
    let apt = |words: &[&str]| {
        let mut command = if root { cargo::command("env") } else { cargo::command("sudo") };
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]).args(words);
        command
    };
    process::run(&mut apt(&["update"]))?;
    process::run(apt(&["install", "--yes", "--no-install-recommends"]).args(names))
}

fn confirm(yes: bool, question: &str) -> Fallible {
    if yes {
        println!("{question}: yes");
        return Ok(());
    }
    print!("{question}? [y/N] ");
    io::stdout().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        Ok(())
    } else {
        Err(Failure::new("nothing was installed; `--yes` installs without asking"))
    }
}
