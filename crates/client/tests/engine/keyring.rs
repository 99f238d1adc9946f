//! The operating system's keyring, told apart in its three states. The test command starts each state and names it:
//! `PARLEY_KEYRING=unlocked|locked|missing|late` (a session bus with an open gnome-keyring, with a locked one, no bus, one
//! that `PARLEY_KEYRING_START` starts).

use parley_client::keys::{KeyVault, OsKeyring};
use parley_domain::Code;

#[test]
#[ignore = "needs a session bus of its own"]
fn the_state_of_the_keyring_is_told() {
    let state = std::env::var("PARLEY_KEYRING").expect("PARLEY_KEYRING names the state");
    let vault = OsKeyring::new();
    let name = "test/store";
    match state.as_str() {
        "unlocked" => {
            assert!(vault.get(name).unwrap().is_none());
            vault.set(name, &[1, 2, 3]).unwrap();
            assert_eq!(*vault.get(name).unwrap().unwrap(), [1, 2, 3]);
            vault.delete(name).unwrap();
            vault.delete(name).unwrap();
            assert!(vault.get(name).unwrap().is_none());
        }
        "locked" => {
            assert_eq!(vault.get(name).unwrap_err().code(), Code::KeyringLocked);
            assert_eq!(vault.set(name, &[1]).unwrap_err().code(), Code::KeyringLocked);
        }
        "missing" => {
            assert_eq!(vault.get(name).unwrap_err().code(), Code::KeyringMissing);
            assert_eq!(vault.set(name, &[1]).unwrap_err().code(), Code::KeyringMissing);
        }
        "late" => {
            assert_eq!(vault.get(name).unwrap_err().code(), Code::KeyringMissing);
            let start = std::env::var("PARLEY_KEYRING_START").unwrap();
            assert!(std::process::Command::new("sh").args(["-c", &start]).status().unwrap().success());
            vault.set(name, &[4]).unwrap();
            assert_eq!(*vault.get(name).unwrap().unwrap(), [4]);
        }
        other => panic!("unknown state {other}"),
    }
}
