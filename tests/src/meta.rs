//! Steers the simulator over its control face, as another program would.

use serde_json::{Value, json};
use xtask::failure::Failure;

use crate::Fallible;

/// The control face of a running simulator.
#[derive(Clone, Debug)]
pub struct Meta {
    base: String,
    http: reqwest::Client,
}

/// A client for loopback, with the cryptography that TLS would use installed once.
pub fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

impl Meta {
    /// The simulator at that address.
    pub fn at(base: &str) -> Self {
        Self { base: base.to_owned(), http: http() }
    }

    /// Calls one control route.
    pub async fn control(&self, route: &str, body: Value) -> Fallible<Value> {
        let answer = self.http.post(format!("{}/_sim/{route}", self.base)).json(&body).send().await?;
        let good = answer.status().is_success();
        let body: Value = answer.json().await?;
        if good { Ok(body) } else { Err(Failure::new(format!("the simulator refused {route}: {body}"))) }
    }

    /// Reads one control route.
    pub async fn read(&self, route: &str) -> Fallible<Value> {
        Ok(self.http.get(format!("{}/_sim/{route}", self.base)).send().await?.json().await?)
    }

    /// Where webhooks go.
    pub async fn webhooks_to(&self, url: &str) -> Fallible {
        self.control("webhook", json!({"url": url})).await.map(drop)
    }

    /// A customer with a phone. Reads what she gets at once, unless told otherwise.
    pub async fn customer(&self, name: &str, phone: &str) -> Fallible {
        self.control("customer", json!({"name": name, "phone": phone})).await.map(drop)
    }

    /// The customer writes; returns the wamid.
    pub async fn says(&self, customer: &str, text: &str) -> Fallible<String> {
        let answer = self.control("say", json!({"customer": customer, "text": text})).await?;
        Ok(answer["wamid"].as_str().unwrap_or_default().to_owned())
    }

    /// The customer sends a cart.
    pub async fn orders(&self, customer: &str, items: Value) -> Fallible {
        let body =
            json!({"customer": customer, "catalog_id": "194836987003835", "items": items, "text": "For the hallway"});
        self.control("order", body).await.map(drop)
    }

    /// Every webhook was answered 200.
    pub async fn drain(&self) -> Fallible {
        self.control("drain", json!({"timeout_ms": 60_000})).await.map(drop)
    }

    /// Accepted sends whose text is `text`.
    pub async fn accepted(&self, text: &str) -> Fallible<usize> {
        let ledger = self.read("ledger").await?;
        let entries = ledger.as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(entries.iter().filter(|entry| entry["text"].as_str() == Some(text)).count())
    }
}
