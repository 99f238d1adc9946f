//! Calls to the outside: the only file of the server that builds an HTTP client.
//!
//! Promise: the Graph addresses that an administrator set are called without following a redirect or using a proxy of the
//! environment, and plain http goes to this machine only. An address that a member or customer gave is fetched by [`fetch`]
//! alone: https on its own port, resolved once, every resolved address public, connected to what was resolved, each of at most
//! [`REDIRECTS`] redirects judged like the first, bounded in size and time (SECURITY.md A15). Mail goes to the one host of the
//! configuration ([`mail`]).

pub mod mail;

use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use parley_domain::outward::is_public;
use parley_meta::graph::{CALL_TIMEOUT, GraphClient, VERSION, Wire};
use reqwest::Url;

use crate::error::{Error, Result};

/// The server's way out.
#[derive(Debug)]
pub struct Egress {
    graph: Arc<dyn Wire>,
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
        Ok(Self::over(Arc::new(http)))
    }

    /// A way out whose Graph calls go over another wire.
    pub fn over(graph: Arc<dyn Wire>) -> Self {
        Self { graph, clients: Mutex::default() }
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
        let client = GraphClient::over(self.graph.clone(), base_url, VERSION);
        clients.insert(base_url.to_owned(), client.clone());
        Ok(client)
    }
}

/// Redirects followed at most.
pub const REDIRECTS: usize = 3;
/// Largest body taken, in bytes.
pub const FETCH_MAX: usize = 10 * 1024 * 1024;
/// How long a fetch may take, redirects included.
pub const FETCH_TIMEOUT: Duration = Duration::from_secs(20);

/// Why a given address was not fetched.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// Not an https address with a host, without name and password, on the port of https.
    #[error("not an https address")]
    Address,
    /// It leads to an address that is not public.
    #[error("not a public address")]
    Inner,
    /// The name is not known, or nobody answers.
    #[error("cannot be reached")]
    Unreachable,
    /// Too many redirects.
    #[error("too many redirects")]
    Redirects,
    /// Larger or slower than allowed.
    #[error("too large or too slow")]
    Limit,
    /// The other side answered with a failure.
    #[error("refused by the other side")]
    Failed,
}

/// One answer of the other side.
#[derive(Clone, Debug, Default)]
pub struct Fetched {
    pub status: u16,
    pub location: Option<String>,
    pub body: Vec<u8>,
}

/// The network, as [`fetch`] needs it: names to addresses, and one request to an address that was judged.
pub trait Network: Sync {
    /// Every address of the name.
    fn resolve(&self, host: &str) -> impl Future<Output = Result<Vec<IpAddr>, Refused>> + Send;
    /// Asks `url` of exactly this address; follows nothing, takes at most `max` bytes.
    fn get(&self, url: &Url, to: SocketAddr, max: usize) -> impl Future<Output = Result<Fetched, Refused>> + Send;
}

/// Fetches an address that a member or customer gave.
///
/// # Errors
/// Why it was not fetched; nothing inner was asked then.
pub async fn fetch(network: &impl Network, address: &str) -> Result<Fetched, Refused> {
    let within = tokio::time::timeout(FETCH_TIMEOUT, follow(network, address));
    within.await.unwrap_or(Err(Refused::Limit))
}

async fn follow(network: &impl Network, address: &str) -> Result<Fetched, Refused> {
    let mut url = Url::parse(address).map_err(|_| Refused::Address)?;
    for _ in 0..=REDIRECTS {
        let to = judge(network, &url).await?;
        let fetched = network.get(&url, to, FETCH_MAX).await?;
        match (fetched.status, &fetched.location) {
            (200..=299, _) if fetched.body.len() <= FETCH_MAX => return Ok(fetched),
            (200..=299, _) => return Err(Refused::Limit),
            (301 | 302 | 303 | 307 | 308, Some(location)) => {
                url = url.join(location).map_err(|_| Refused::Address)?;
            }
            _ => return Err(Refused::Failed),
        }
    }
    Err(Refused::Redirects)
}

/// Where to connect for this address: it is resolved here, once, and nowhere else.
async fn judge(network: &impl Network, url: &Url) -> Result<SocketAddr, Refused> {
    if url.scheme() != "https" || !url.username().is_empty() || url.password().is_some() || url.port().is_some() {
        return Err(Refused::Address);
    }
    let host = url.host_str().ok_or(Refused::Address)?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let addresses = match bare.parse::<IpAddr>() {
        Ok(address) => vec![address],
        Err(_) => {
            let name = bare.strip_suffix('.').unwrap_or(bare);
            // A name without a dot, and names that are local by agreement, are never asked for.
            let local = ["localhost", "local", "internal", "home.arpa", "onion"];
            if !name.contains('.') || local.iter().any(|end| name.ends_with(&format!(".{end}"))) {
                return Err(Refused::Inner);
            }
            network.resolve(name).await?
        }
    };
    // One inner address among public ones is a trap, too.
    if !addresses.iter().copied().all(is_public) {
        return Err(Refused::Inner);
    }
    addresses.first().map(|address| SocketAddr::new(*address, 443)).ok_or(Refused::Unreachable)
}

/// The real network.
#[derive(Clone, Copy, Debug, Default)]
pub struct Internet;

impl Network for Internet {
    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, Refused> {
        let found = tokio::net::lookup_host((host, 443)).await.map_err(|_| Refused::Unreachable)?;
        Ok(found.map(|address| address.ip()).collect())
    }

    async fn get(&self, url: &Url, to: SocketAddr, max: usize) -> Result<Fetched, Refused> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let host = url.host_str().ok_or(Refused::Address)?;
        // The client is made for this one request and knows this one address for the name.
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .https_only(true)
            .resolve(host, to)
            .connect_timeout(Duration::from_secs(5))
            .timeout(FETCH_TIMEOUT)
            .build()
            .map_err(|_| Refused::Unreachable)?;
        let mut answer = client.get(url.clone()).send().await.map_err(|_| Refused::Unreachable)?;
        let location = answer.headers().get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let status = answer.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|_| Refused::Unreachable)? {
            if body.len() + chunk.len() > max {
                return Err(Refused::Limit);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Fetched { status, location, body })
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

    use super::*;

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

    /// A network of names, answers, and what was asked of it.
    #[derive(Default)]
    struct Pretend {
        /// What the name resolves to the first time, the second time, …; the last stays.
        names: HashMap<&'static str, Vec<Vec<&'static str>>>,
        answers: HashMap<&'static str, Fetched>,
        asked: Mutex<Vec<String>>,
        resolved: Mutex<HashMap<String, usize>>,
    }

    impl Network for Pretend {
        async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, Refused> {
            let mut resolved = self.resolved.lock().unwrap();
            let times = resolved.entry(host.to_owned()).or_default();
            let rounds = self.names.get(host).ok_or(Refused::Unreachable)?;
            let round = rounds.get(*times).or(rounds.last()).unwrap();
            *times += 1;
            Ok(round.iter().map(|address| address.parse().unwrap()).collect())
        }

        async fn get(&self, url: &Url, to: SocketAddr, max: usize) -> Result<Fetched, Refused> {
            assert!(is_public(to.ip()), "asked {to}");
            self.asked.lock().unwrap().push(format!("{url} {}", to.ip()));
            let answer =
                self.answers.get(url.as_str()).cloned().unwrap_or(Fetched { status: 200, ..Fetched::default() });
            if answer.body.len() > max { Err(Refused::Limit) } else { Ok(answer) }
        }
    }

    fn to(location: &str) -> Fetched {
        Fetched { status: 302, location: Some(location.to_owned()), body: vec![] }
    }

    fn pretend() -> Pretend {
        let names: &[(&str, &[&[&str]])] = &[
            ("shop.example.com", &[&["93.184.215.14"]]),
            ("six.example.com", &[&["2606:4700::1111"]]),
            ("inner.example.com", &[&["10.0.0.7"]]),
            ("loop.example.com", &[&["127.0.0.1"]]),
            ("metadata.example.com", &[&["169.254.169.254"]]),
            ("mixed.example.com", &[&["93.184.215.14", "192.168.1.1"]]),
            ("mapped.example.com", &[&["::ffff:10.0.0.1"]]),
            ("rebinds.example.com", &[&["93.184.215.14"], &["127.0.0.1"]]),
            ("empty.example.com", &[&[]]),
        ];
        let names = names.iter().map(|(name, rounds)| (*name, rounds.iter().map(|round| round.to_vec()).collect()));
        Pretend { names: names.collect(), ..Pretend::default() }
    }

    #[tokio::test]
    async fn no_given_address_leads_inside() {
        use Refused::{Address, Inner, Unreachable};
        let cases: &[(&str, Result<(), Refused>)] = &[
            ("https://shop.example.com/a.png", Ok(())),
            ("https://shop.example.com:443/", Ok(())),
            ("https://six.example.com/", Ok(())),
            ("https://SHOP.example.com./", Ok(())),
            ("https://93.184.215.14/", Ok(())),
            ("https://[2606:4700::1111]/", Ok(())),
            ("http://shop.example.com/", Err(Address)),
            ("ftp://shop.example.com/", Err(Address)),
            ("file:///etc/passwd", Err(Address)),
            ("gopher://shop.example.com/", Err(Address)),
            ("data:text/plain,x", Err(Address)),
            ("javascript:alert(1)", Err(Address)),
            ("ws://shop.example.com/", Err(Address)),
            ("//shop.example.com/", Err(Address)),
            ("shop.example.com", Err(Address)),
            ("", Err(Address)),
            ("https://", Err(Address)),
            ("https://user@shop.example.com/", Err(Address)),
            ("https://user:pw@shop.example.com/", Err(Address)),
            ("https://shop.example.com@127.0.0.1/", Err(Address)),
            ("https://127.0.0.1@shop.example.com/", Err(Address)),
            ("https://shop.example.com:8443/", Err(Address)),
            ("https://shop.example.com:22/", Err(Address)),
            ("https://localhost/", Err(Inner)),
            ("https://localhost./", Err(Inner)),
            ("https://LOCALHOST/", Err(Inner)),
            ("https://a.localhost/", Err(Inner)),
            ("https://printer.local/", Err(Inner)),
            ("https://metadata.google.internal/", Err(Inner)),
            ("https://router.home.arpa/", Err(Inner)),
            ("https://intranet/", Err(Inner)),
            ("https://127.0.0.1/", Err(Inner)),
            ("https://127.1/", Err(Inner)),
            ("https://127.255.255.254/", Err(Inner)),
            ("https://2130706433/", Err(Inner)),
            ("https://0x7f000001/", Err(Inner)),
            ("https://0x7f.0.0.1/", Err(Inner)),
            ("https://0177.0.0.1/", Err(Inner)),
            ("https://017700000001/", Err(Inner)),
            ("https://%31%32%37.0.0.1/", Err(Inner)),
            ("https://\u{ff11}\u{ff12}\u{ff17}.0.0.1/", Err(Inner)),
            ("https://127\u{3002}0\u{3002}0\u{3002}1/", Err(Inner)),
            ("https://0/", Err(Inner)),
            ("https://0.0.0.0/", Err(Inner)),
            ("https://10.0.0.1/", Err(Inner)),
            ("https://10.255.255.255/", Err(Inner)),
            ("https://172.16.0.1/", Err(Inner)),
            ("https://172.31.255.255/", Err(Inner)),
            ("https://192.168.0.1/", Err(Inner)),
            ("https://169.254.169.254/latest/meta-data/", Err(Inner)),
            ("https://2852039166/", Err(Inner)),
            ("https://100.64.0.1/", Err(Inner)),
            ("https://100.100.100.200/", Err(Inner)),
            ("https://192.0.0.192/", Err(Inner)),
            ("https://198.18.0.1/", Err(Inner)),
            ("https://224.0.0.1/", Err(Inner)),
            ("https://240.0.0.1/", Err(Inner)),
            ("https://255.255.255.255/", Err(Inner)),
            ("https://[::1]/", Err(Inner)),
            ("https://[::]/", Err(Inner)),
            ("https://[::ffff:127.0.0.1]/", Err(Inner)),
            ("https://[::ffff:7f00:1]/", Err(Inner)),
            ("https://[0:0:0:0:0:ffff:a00:1]/", Err(Inner)),
            ("https://[::127.0.0.1]/", Err(Inner)),
            ("https://[64:ff9b::7f00:1]/", Err(Inner)),
            ("https://[64:ff9b:1::a00:1]/", Err(Inner)),
            ("https://[2002:7f00:1::]/", Err(Inner)),
            ("https://[2001:0:1::1]/", Err(Inner)),
            ("https://[2001:db8::1]/", Err(Inner)),
            ("https://[fe80::1]/", Err(Inner)),
            ("https://[fc00::1]/", Err(Inner)),
            ("https://[fd00:ec2::254]/", Err(Inner)),
            ("https://[ff02::1]/", Err(Inner)),
            ("https://[fec0::1]/", Err(Inner)),
            ("https://inner.example.com/", Err(Inner)),
            ("https://loop.example.com/", Err(Inner)),
            ("https://metadata.example.com/", Err(Inner)),
            ("https://mixed.example.com/", Err(Inner)),
            ("https://mapped.example.com/", Err(Inner)),
            ("https://unknown.example.com/", Err(Unreachable)),
            ("https://empty.example.com/", Err(Unreachable)),
        ];
        assert!(cases.len() >= 60);
        for (address, expected) in cases {
            let network = pretend();
            let got = fetch(&network, address).await.map(|_| ());
            assert_eq!(&got, expected, "{address}");
            assert_eq!(network.asked.lock().unwrap().len(), usize::from(expected.is_ok()), "{address}");
        }
    }

    #[tokio::test]
    async fn a_name_is_resolved_once_and_asked_where_it_was_resolved() {
        let network = pretend();
        fetch(&network, "https://rebinds.example.com/").await.unwrap();
        assert_eq!(network.resolved.lock().unwrap().get("rebinds.example.com"), Some(&1));
        assert_eq!(*network.asked.lock().unwrap(), ["https://rebinds.example.com/ 93.184.215.14"]);
        // The second time it resolves to this machine, and is refused.
        assert_eq!(fetch(&network, "https://rebinds.example.com/").await.unwrap_err(), Refused::Inner);
        // The same between a redirect and its target.
        let mut network = pretend();
        network.answers.insert("https://rebinds.example.com/", to("/again"));
        assert_eq!(fetch(&network, "https://rebinds.example.com/").await.unwrap_err(), Refused::Inner);
    }

    #[tokio::test]
    async fn every_redirect_is_judged_and_they_end() {
        for inner in [
            "https://127.0.0.1/",
            "https://169.254.169.254/",
            "http://shop.example.com/",
            "https://inner.example.com/",
            "//loop.example.com/",
            "https://user:pw@shop.example.com/",
            "file:///etc/passwd",
        ] {
            let mut network = pretend();
            network.answers.insert("https://shop.example.com/", to(inner));
            let got = fetch(&network, "https://shop.example.com/").await.unwrap_err();
            assert!(matches!(got, Refused::Inner | Refused::Address), "{inner}: {got}");
            assert_eq!(network.asked.lock().unwrap().len(), 1);
        }
        let mut network = pretend();
        network.answers.insert("https://shop.example.com/1", to("2"));
        network.answers.insert("https://shop.example.com/2", to("3"));
        network.answers.insert("https://shop.example.com/3", to("4"));
        assert_eq!(fetch(&network, "https://shop.example.com/1").await.unwrap().status, 200);
        network.answers.insert("https://shop.example.com/4", to("5"));
        assert_eq!(fetch(&network, "https://shop.example.com/1").await.unwrap_err(), Refused::Redirects);
        network.answers.insert(
            "https://shop.example.com/0",
            Fetched { status: 200, location: None, body: vec![0; FETCH_MAX + 1] },
        );
        assert_eq!(fetch(&network, "https://shop.example.com/0").await.unwrap_err(), Refused::Limit);
    }
}
