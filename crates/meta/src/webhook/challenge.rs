//! Meta's check of a webhook address: `GET ?hub.mode=subscribe&hub.challenge=…&hub.verify_token=…` (meta-platform.md §1.1).

use parley_domain::protocol::session::Secret;
use reqwest::Url;
use subtle::ConstantTimeEq;

/// What to answer to the raw query string (without `?`): the bare challenge with 200 as plain text when mode and token are
/// right, `None` for 403. The token is compared in constant time; an empty expected token matches nothing.
pub fn challenge(query: &str, expected: &Secret) -> Option<String> {
    let mut url = Url::parse("http://callback.invalid/").ok()?;
    url.set_query(Some(query));
    let value = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let token = value("hub.verify_token")?;
    let known = !expected.expose().is_empty() && bool::from(token.as_bytes().ct_eq(expected.expose().as_bytes()));
    if known && value("hub.mode").as_deref() == Some("subscribe") { value("hub.challenge") } else { None }
}
