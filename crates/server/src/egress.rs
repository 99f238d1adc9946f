//! Calls to the outside: the only file of the server that builds an HTTP client.
//!
//! Promise: nothing but the Graph addresses that an administrator set is ever called; no redirect is followed, no proxy of the
//! environment is used, and plain http goes to this machine only.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use parley_meta::graph::{CALL_TIMEOUT, GraphClient, VERSION};
use reqwest::Url;

use crate::error::{Error, Result};

/// The server's way out.
#[derive(Debug)]
pub struct Egress {
    http: reqwest::Client,
    clients: Mutex<HashMap<String, GraphClient>>,
}

impl Egress {
    /// A way out.
    ///
    /// # Errors
    /// The TLS library cannot start.
    pub fn new() -> Result<Self> {
        // A second call in one process finds the provider installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(Duration::from_secs(5))
            .timeout(CALL_TIMEOUT)
            .build()
            .map_err(|_| Error::Config("the HTTP client cannot be made".to_owned()))?;
        Ok(Self { http, clients: Mutex::default() })
    }

    /// A Graph client for an address that an administrator set.
    ///
    /// # Errors
    /// The address is not one that may be called.
    pub fn graph(&self, base_url: &str) -> Result<GraphClient> {
        let mut clients = self.clients.lock().map_err(|_| Error::Stopping)?;
        if let Some(client) = clients.get(base_url) {
            return Ok(client.clone());
        }
        check(base_url)?;
        let client = GraphClient::new(self.http.clone(), base_url, VERSION);
        clients.insert(base_url.to_owned(), client.clone());
        Ok(client)
    }
}

/// Whether an address may be called at all: https, or http on this machine; no name, password, query.
///
/// # Errors
/// [`Error::Config`] with what is wrong.
pub fn check(base_url: &str) -> Result<()> {
    let refuse = |why: &str| Err(Error::Config(format!("Graph address: {why}")));
    let Ok(url) = Url::parse(base_url) else {
        return refuse("not an address");
    };
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return refuse("scheme, host and port only");
    }
    let loopback = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    match url.scheme() {
        "https" => Ok(()),
        "http" if loopback => Ok(()),
        _ => refuse("https, or http on this machine"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::check;

    #[test]
    fn only_https_or_this_machine() {
        for good in ["https://graph.facebook.com", "http://127.0.0.1:9000", "http://localhost:1"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in [
            "http://graph.facebook.com",
            "http://169.254.169.254",
            "file:///etc/passwd",
            "https://user:pw@graph.facebook.com",
            "http://127.0.0.1.evil.example",
            "graph.facebook.com",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
