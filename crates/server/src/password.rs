//! Passwords: argon2id (19 MiB, 2 passes), a few at a time, and none that a guesser would try first.

use std::sync::{Arc, OnceLock};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{CustomizedPasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use parley_domain::Code;
use parley_domain::limits::PASSWORD_MIN;
use parley_domain::protocol::session::Secret;
use tokio::sync::Semaphore;
use zxcvbn::{Score, zxcvbn};

use crate::error::{Error, Result};

/// Longest password taken, in bytes.
const PASSWORD_MAX: usize = 1_024;

/// Hashes and checks passwords, no more at a time than there are cores.
#[derive(Debug)]
pub struct Passwords {
    slots: Arc<Semaphore>,
}

impl Passwords {
    /// For `cores` hashes at a time.
    pub fn new(cores: usize) -> Self {
        Self { slots: Arc::new(Semaphore::new(cores.max(1))) }
    }

    /// The PHC string of a new password. `known` is what a guesser knows of the member: name and address.
    ///
    /// # Errors
    /// [`Code::WeakPassword`] when it is too short or could be guessed, [`Code::BadRequest`] when it is too long.
    pub async fn hash(&self, password: &Secret, known: &[&str], salt: [u8; 16]) -> Result<String> {
        if password.expose().len() > PASSWORD_MAX {
            return Err(Error::Refused(Code::BadRequest, "the password is too long"));
        }
        let password = password.clone();
        let known = words(known);
        self.work(move || {
            if is_weak(password.expose(), &known) {
                return Err(Error::Refused(Code::WeakPassword, "the password is too short, or easily guessed"));
            }
            hash(&password, &salt)
        })
        .await?
    }

    /// Whether the password matches the PHC string; without one the same work is done for nothing.
    pub async fn verify(&self, password: &Secret, phc: Option<String>) -> Result<bool> {
        if password.expose().len() > PASSWORD_MAX {
            return Ok(false);
        }
        let password = password.clone();
        self.work(move || {
            let known = phc.is_some();
            let phc = phc.unwrap_or_else(nobody);
            PasswordHash::new(&phc)
                .is_ok_and(|phc| hasher().verify_password(password.expose().as_bytes(), &phc).is_ok())
                && known
        })
        .await
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let slot = self.slots.clone().acquire_owned().await.map_err(|_| Error::Stopping)?;
        tokio::task::spawn_blocking(move || {
            let _slot = slot;
            work()
        })
        .await
        .map_err(|_| Error::Stopping)
    }
}

/// The words that names and addresses consist of.
fn words(known: &[&str]) -> Vec<String> {
    let words = known.iter().flat_map(|text| text.split(|letter: char| !letter.is_alphanumeric()));
    words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// Whether a password is shorter than [`PASSWORD_MIN`], or among those that a guesser tries first: the lists of the commonest
/// passwords out of breaches, names, words, keyboard walks, dates, and variations of them; or little more than the member's own
/// name and address.
fn is_weak(password: &str, known: &[String]) -> bool {
    let mut own = password.to_lowercase();
    for word in known.iter().filter(|word| word.chars().count() >= 3) {
        own = own.replace(word, "");
    }
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    password.chars().count() < PASSWORD_MIN
        || own.chars().filter(|letter| letter.is_alphanumeric()).count() < PASSWORD_MIN / 2
        || zxcvbn(password, &known).score() < Score::Three
}

fn hasher() -> Argon2<'static> {
    // The parameters are OWASP's and within argon2's range.
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(19 * 1024, 2, 1, None).unwrap_or_default())
}

fn hash(password: &Secret, salt: &[u8]) -> Result<String> {
    let params = Params::new(19 * 1024, 2, 1, None).unwrap_or_default();
    hasher()
        .hash_password_customized(password.expose().as_bytes(), salt, None, None, params)
        .map(|phc| phc.to_string())
        .map_err(|_| Error::Damaged("password"))
}

/// A hash that no sign-in can match, for addresses that nobody has.
fn nobody() -> String {
    static NOBODY: OnceLock<String> = OnceLock::new();
    NOBODY.get_or_init(|| hash(&Secret::new("nobody"), &[7; 16]).unwrap_or_default()).clone()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn common_short_and_personal_passwords_are_weak() {
        let known = words(&["Rhea Kapoor", "rhea@casalumen.example"]);
        for weak in [
            "",
            "short",
            "password123",
            "qwertyuiop",
            "1234567890",
            "iloveyou1234",
            "P@ssw0rd2024",
            "rheakapoor1",
            "rhea@casalumen.example",
            "aaaaaaaaaaaaaaa",
        ] {
            assert!(is_weak(weak, &known), "{weak}");
        }
        for good in ["correct horse battery", "lanterns-at-dusk-41", "9vK!mq2#xLw0"] {
            assert!(!is_weak(good, &known), "{good}");
        }
    }
}
