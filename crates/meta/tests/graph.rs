//! The Graph client against a server that answers with exact bytes, or breaks off where a real network would.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use parley_domain::protocol::session::Secret;
use parley_domain::{Bsuid, MessageText, Phone, PhoneNumberId, Wamid};
use parley_meta::error::{ErrorClass, SendError};
use parley_meta::graph::{Accepted, GraphClient, OutboundContent, OutboundMessage, RESPONSE_MAX, Recipient, VERSION};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const TOKEN: &str = "EAAkilnToken";

fn http(timeout: Duration) -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    builder.read_timeout(timeout).build().unwrap()
}

fn client(address: &str) -> GraphClient {
    GraphClient::new(http(Duration::from_millis(300)), &format!("http://{address}/"), VERSION)
}

fn message() -> OutboundMessage {
    OutboundMessage {
        to: Recipient::Phone(Phone::new("4915155500137")),
        content: OutboundContent::Text { body: MessageText::new("Ready for pickup"), preview_url: false },
        context: None,
        opaque: "0199".to_owned(),
    }
}

async fn send_to(address: &str) -> Result<Accepted, SendError> {
    client(address).send(&PhoneNumberId::from("770031224455001"), &Secret::new(TOKEN), &message()).await
}

/// Reads one request whole; head and body.
async fn request(stream: &mut TcpStream) -> (String, String) {
    let mut raw = Vec::new();
    loop {
        let mut part = [0u8; 4096];
        let read = stream.read(&mut part).await.unwrap();
        raw.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&raw).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return (head.to_owned(), body.to_owned());
            }
        }
        assert!(read > 0, "the request broke off");
    }
}

/// Takes one request and writes `answer`, then closes; the request comes back from the task.
async fn answering(answer: String) -> (String, JoinHandle<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let got = request(&mut stream).await;
        // A client that has read enough may be gone before everything is written.
        let _ = stream.write_all(answer.as_bytes()).await;
        got
    });
    (address, task)
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}", body.len())
}

async fn class_of(answer: String) -> SendError {
    let (address, _task) = answering(answer).await;
    send_to(&address).await.unwrap_err()
}

#[tokio::test]
async fn an_accepted_message_yields_its_id_and_the_recipient_as_meta_knows_them() {
    let body = r#"{"messaging_product":"whatsapp","contacts":[{"input":"+49","wa_id":"4915155500138","user_id":"DE.Abc"}],"messages":[{"id":"wamid.NEW"}]}"#;
    let (address, task) = answering(answer("200 OK", "", body)).await;
    let accepted = send_to(&address).await.unwrap();
    assert_eq!(accepted.wamid.as_str(), "wamid.NEW");
    assert!(!accepted.held);
    assert_eq!(accepted.recipient.phone, Some(Phone::new("4915155500138")));
    assert_eq!(accepted.recipient.bsuid, Some(Bsuid::new("DE.Abc")));

    let (head, sent) = task.await.unwrap();
    assert!(head.starts_with(&format!("POST /{VERSION}/770031224455001/messages HTTP/1.1")), "{head}");
    assert!(head.to_lowercase().contains(&format!("authorization: bearer {}", TOKEN.to_lowercase())), "{head}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&sent).unwrap(), message().to_json());
}

#[tokio::test]
async fn a_message_held_for_its_quality_is_accepted() {
    let body = r#"{"messages":[{"id":"wamid.HELD","message_status":"held_for_quality_assessment"}]}"#;
    let (address, _task) = answering(answer("200 OK", "", body)).await;
    assert!(send_to(&address).await.unwrap().held);
    let body = r#"{"messages":[{"id":"wamid.GONE","message_status":"accepted"}]}"#;
    let (address, _task) = answering(answer("200 OK", "", body)).await;
    assert!(!send_to(&address).await.unwrap().held);
}

#[tokio::test]
async fn what_happens_before_the_first_byte_is_not_accepted() {
    let refused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    assert_eq!(send_to(&refused).await.unwrap_err().class, ErrorClass::Transient, "nobody listens");
    assert_eq!(send_to("no-such-host.invalid").await.unwrap_err().class, ErrorClass::Transient, "no such name");

    // A server that speaks no TLS: the handshake fails.
    let (address, _task) = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let task = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        });
        (address, task)
    };
    let tls = GraphClient::new(http(Duration::from_secs(2)), &format!("https://{address}"), VERSION);
    let error = tls.send(&PhoneNumberId::from("1"), &Secret::new(TOKEN), &message()).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient, "{error}");
}

#[tokio::test]
async fn after_the_first_byte_a_missing_answer_is_unknown() {
    // Closed without an answer.
    assert_eq!(class_of(String::new()).await.class, ErrorClass::Unknown);
    // Broken off inside the head, inside the body, and in an answer that should be JSON.
    assert_eq!(class_of("HTTP/1.1 200 O".to_owned()).await.class, ErrorClass::Unknown);
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"messages\":[{\"id\":\"wamid".to_owned();
    assert_eq!(class_of(cut).await.class, ErrorClass::Unknown);
    assert_eq!(class_of(answer("200 OK", "", "<html>")).await.class, ErrorClass::Unknown);
    assert_eq!(class_of(answer("200 OK", "", "{\"messages\":[]}")).await.class, ErrorClass::Unknown);
    assert_eq!(class_of(answer("503 Unavailable", "", "<html>")).await.class, ErrorClass::Unknown);
    assert_eq!(class_of(answer("302 Found", "location: http://127.0.0.1:1/\r\n", "")).await.class, ErrorClass::Unknown);

    // Never answered.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let silent = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        request(&mut stream).await;
        std::future::pending::<()>().await;
    });
    let error = send_to(&address).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Unknown, "{error}");
    silent.abort();
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let body = format!("{{\"messages\":[{{\"id\":\"wamid.X\"}}],\"pad\":\"{}\"}}", "x".repeat(RESPONSE_MAX));
    let error = class_of(answer("200 OK", "", &body)).await;
    assert_eq!(error.class, ErrorClass::Unknown, "{error}");
    let refused = class_of(answer("400 Bad Request", "", &body)).await;
    assert_eq!(refused.class, ErrorClass::Rejected, "the status still counts");
}

#[tokio::test]
async fn refusals_keep_metas_code_and_the_wait_it_asks_for() {
    let body = r#"{"error":{"message":"(#131047) Re-engagement message","code":131047,"fbtrace_id":"Tr1"}}"#;
    let error = class_of(answer("400 Bad Request", "", body)).await;
    assert_eq!((error.class, error.code), (ErrorClass::WindowClosed, Some(131_047)));
    assert_eq!(error.fbtrace_id.as_deref(), Some("Tr1"));

    let limited = r#"{"error":{"message":"(#130429) Rate limit hit","code":130429}}"#;
    let error = class_of(answer("429 Too Many Requests", "retry-after: 17\r\n", limited)).await;
    assert_eq!((error.class, error.retry_after), (ErrorClass::RateLimited { after_ms: 17_000 }, Some(17_000)));
    let usage =
        "x-business-use-case-usage: {\"41\":[{\"type\":\"messages\",\"estimated_time_to_regain_access\":3}]}\r\n";
    let error = class_of(answer("400 Bad Request", usage, limited)).await;
    assert_eq!(error.class, ErrorClass::RateLimited { after_ms: 180_000 });
    let forever = class_of(answer("400 Bad Request", "retry-after: 99999999999999999\r\n", limited)).await;
    assert_eq!(forever.class, ErrorClass::RateLimited { after_ms: 86_400_000 });
}

#[tokio::test]
async fn an_error_shows_neither_token_nor_recipient_nor_text() {
    let body = r#"{"error":{"message":"Recipient +4915155500137 is not there","code":131026}}"#;
    let error = class_of(answer("400 Bad Request", "", body)).await;
    let nobody = send_to("no-such-host.invalid").await.unwrap_err();
    let shown = format!("{error} {error:?} {nobody} {nobody:?} {:?}", message());
    for secret in [TOKEN, "15155500137", "pickup", "no-such-host"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[tokio::test]
async fn a_number_id_cannot_lead_the_token_elsewhere() {
    let client = client("127.0.0.1:1");
    for evil in ["", "../me", "1/../../x", "1?x=", "1#", "a b", "%2e%2e"] {
        let error = client.send(&PhoneNumberId::from(evil), &Secret::new(TOKEN), &message()).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Rejected, "{evil}");
    }
}

#[tokio::test]
async fn read_marks_show_typing_only_when_asked() {
    for (typing, expected) in [
        (false, serde_json::json!({ "messaging_product": "whatsapp", "status": "read", "message_id": "wamid.IN" })),
        (
            true,
            serde_json::json!({ "messaging_product": "whatsapp", "status": "read", "message_id": "wamid.IN",
                "typing_indicator": { "type": "text" } }),
        ),
    ] {
        let (address, task) = answering(answer("200 OK", "", "{\"success\":true}")).await;
        let (number, token) = (PhoneNumberId::from("770031224455001"), Secret::new(TOKEN));
        client(&address).mark_read(&number, &token, &Wamid::from("wamid.IN"), typing).await.unwrap();
        let (_, sent) = task.await.unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&sent).unwrap(), expected);
    }
}
