//! Mints every id from seeded randomness: BSUIDs, wamids, media ids, trace ids.
//!
//! Promise: the same seed and start time give the same ids in the same order. A BSUID hangs on the seed
//! and the customer's place alone, so a restarted platform knows the same people; a wamid hangs on the start time
//! too, because Meta never uses one twice.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

const STREAM_CUSTOMER: u64 = 1 << 32;
const STREAM_IDS: u64 = 1;
const STREAM_WEBHOOKS: u64 = 2;
const STREAM_SENDS: u64 = 3;

fn stream(seed: u64, number: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    rng
}

/// Decides batching, repeats, order and delays of webhooks.
pub fn webhook_randomness(seed: u64) -> ChaCha8Rng {
    stream(seed, STREAM_WEBHOOKS)
}

/// Decides the seeded faults of sends.
pub fn send_randomness(seed: u64) -> ChaCha8Rng {
    stream(seed, STREAM_SENDS)
}

/// The business-scoped user id of the `index`-th customer (`meta-platform.md` §3.3): `CC.` and digits.
pub fn bsuid(seed: u64, country: &str, index: usize) -> String {
    let mut rng = stream(seed, STREAM_CUSTOMER + index as u64);
    let first = rng.random_range(b'1'..=b'9') as char;
    let rest: String = (0..19).map(|_| rng.random_range(b'0'..=b'9') as char).collect();
    format!("{country}.{first}{rest}")
}

/// Mints ids in order.
#[derive(Debug)]
pub struct Mint(ChaCha8Rng);

impl Mint {
    /// `start_ms` sets the runs of one seed apart.
    pub fn new(seed: u64, start_ms: i64) -> Self {
        Self(stream(seed ^ (start_ms as u64).rotate_left(17), STREAM_IDS))
    }

    /// An opaque, case-sensitive message id: `wamid.` and base64 of 42 bytes.
    pub fn wamid(&mut self) -> String {
        let mut bytes = [0u8; 42];
        self.0.fill_bytes(&mut bytes);
        // Meta's begin alike and end in a zero byte; nobody may read meaning into the middle.
        bytes[..5].copy_from_slice(&[0x1c, 0x18, 0x0b, 0x31, 0x35]);
        bytes[41] = 0;
        format!("wamid.{}", STANDARD.encode(bytes))
    }

    /// A sixteen-digit id for media and templates.
    pub fn number_id(&mut self) -> String {
        let first = self.0.random_range(b'1'..=b'9') as char;
        let rest: String = (0..15).map(|_| self.0.random_range(b'0'..=b'9') as char).collect();
        format!("{first}{rest}")
    }

    /// The id by which Meta's support would find a failed call.
    pub fn fbtrace(&mut self) -> String {
        let mut bytes = [0u8; 16];
        self.0.fill_bytes(&mut bytes);
        format!("A{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The opaque part of a signed media url.
    pub fn url_hash(&mut self) -> String {
        let mut bytes = [0u8; 12];
        self.0.fill_bytes(&mut bytes);
        format!("AT{}", URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// Calling codes of the countries our customers live in, longest first among equal prefixes.
const CALLING_CODES: &[(&str, &str)] = &[
    ("971", "AE"),
    ("966", "SA"),
    ("351", "PT"),
    ("353", "IE"),
    ("234", "NG"),
    ("254", "KE"),
    ("20", "EG"),
    ("27", "ZA"),
    ("31", "NL"),
    ("33", "FR"),
    ("34", "ES"),
    ("39", "IT"),
    ("44", "GB"),
    ("49", "DE"),
    ("52", "MX"),
    ("54", "AR"),
    ("55", "BR"),
    ("57", "CO"),
    ("60", "MY"),
    ("61", "AU"),
    ("62", "ID"),
    ("63", "PH"),
    ("65", "SG"),
    ("81", "JP"),
    ("82", "KR"),
    ("90", "TR"),
    ("91", "IN"),
    ("92", "PK"),
    ("1", "US"),
    ("7", "KZ"),
];

/// Splits the digits of a full phone number into calling code and country; `("1", "US")` if unknown.
pub fn calling_code(digits: &str) -> (&'static str, &'static str) {
    CALLING_CODES.iter().find(|(code, _)| digits.starts_with(code)).copied().unwrap_or(("1", "US"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_knows_the_same_people_but_never_repeats_a_wamid_after_a_restart() {
        assert_eq!(bsuid(7, "BR", 0), bsuid(7, "BR", 0));
        assert_ne!(bsuid(7, "BR", 0), bsuid(7, "BR", 1));
        assert_ne!(bsuid(7, "BR", 0), bsuid(8, "BR", 0));
        let (mut first, mut again, mut later) = (Mint::new(7, 1_000), Mint::new(7, 1_000), Mint::new(7, 2_000));
        let wamid = first.wamid();
        assert_eq!(wamid, again.wamid());
        assert_ne!(wamid, later.wamid());
        assert!(wamid.len() < 200);
    }

    #[test]
    fn countries_are_found_by_calling_code() {
        assert_eq!(calling_code("919820012345"), ("91", "IN"));
        assert_eq!(calling_code("971501234567"), ("971", "AE"));
        assert_eq!(calling_code("15550100001"), ("1", "US"));
    }
}
