//! Reading and feeding the account: numbers, templates, media uploads, the token.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::*;
use parley_sim::Template;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

#[tokio::test]
async fn a_number_shows_the_fields_asked_for_and_no_others() {
    let (sim, _receiver, _) = connected().await;
    let (_, node) = get_json(&sim, &format!("/v26.0/{NUMBER}?fields=status,throughput,display_phone_number")).await;
    assert_eq!(
        node,
        json!({"id": NUMBER, "status": "CONNECTED", "throughput": {"level": "STANDARD"}, "display_phone_number": "+1 555-010-0001"})
    );
    let (_, usual) = get_json(&sim, &format!("/v26.0/{NUMBER}")).await;
    assert_eq!(
        (usual["verified_name"].as_str(), usual["quality_rating"].as_str()),
        (Some("Lantern & Loom"), Some("GREEN"))
    );
    let (status, wrong) = get_json(&sim, &format!("/v26.0/{NUMBER}?fields=colour")).await;
    assert_eq!((status, wrong["error"]["code"].as_i64()), (400, Some(100)));
    assert!(wrong["error"]["message"].as_str().unwrap().contains("nonexisting field (colour)"));
    let (_, all) = get_json(&sim, &format!("/v26.0/{WABA}/phone_numbers")).await;
    assert_eq!(all["data"][0]["id"], NUMBER);
    let (status, nobody) = get_json(&sim, "/v26.0/999").await;
    assert_eq!((status, nobody["error"]["error_subcode"].as_i64()), (400, Some(33)));
}

#[tokio::test]
async fn templates_are_listed_filtered_and_paged() {
    let (sim, receiver, _) = connected().await;
    let base = format!("/v26.0/{WABA}/message_templates");
    let (_, all) = get_json(&sim, &base).await;
    let total = all["data"].as_array().unwrap().len();
    assert!(all["paging"].get("next").is_none());
    let mut names = Vec::new();
    let mut after = String::new();
    loop {
        let (_, page) = get_json(&sim, &format!("{base}?limit=3&fields=name,language{after}")).await;
        names.extend(page["data"].as_array().unwrap().iter().map(|one| format!("{}/{}", one["name"], one["language"])));
        if page["paging"].get("next").is_none() {
            break;
        }
        after = format!("&after={}", page["paging"]["cursors"]["after"].as_str().unwrap());
    }
    assert_eq!(names.len(), total);
    names.dedup();
    assert_eq!(names.len(), total);
    let (_, shipped) = get_json(&sim, &format!("{base}?name=order_shipped&language=pt_BR")).await;
    assert_eq!(shipped["data"].as_array().unwrap().len(), 1);
    assert_eq!(shipped["data"][0]["components"][0]["type"], "BODY");
    let (status, bad) = get_json(&sim, &format!("{base}?after=zzz")).await;
    assert_eq!((status, bad["error"]["code"].as_i64()), (400, Some(131059)));

    let components = json!([{"type": "BODY", "text": "See you at {{1}}."}]);
    let template = Template {
        id: "7100000000000099".into(),
        name: "see_you".into(),
        language: "en_GB".into(),
        category: "UTILITY".into(),
        status: "APPROVED".into(),
        components,
    };
    sim.set_template(template);
    sim.drain().await;
    let change = receiver.posts()[0].json()["entry"][0]["changes"][0].clone();
    assert_eq!(
        (change["field"].as_str(), change["value"]["event"].as_str()),
        (Some("message_template_status_update"), Some("APPROVED"))
    );
    let (_, listed) = get_json(&sim, &format!("{base}?name=see_you")).await;
    assert_eq!(listed["data"][0]["id"], "7100000000000099");
}

async fn upload(sim: &parley_sim::MetaSim, form: Form) -> (u16, Value) {
    let url = format!("{}/v26.0/{NUMBER}/media", sim.base_url());
    let answer = client().post(url).bearer_auth(TOKEN).multipart(form).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn file(bytes: &'static [u8], mime: &str) -> Part {
    Part::bytes(bytes).file_name("a.bin").mime_str(mime).unwrap()
}

#[tokio::test]
async fn an_upload_can_be_sent_read_back_and_deleted() {
    let (sim, _receiver, _) = connected().await;
    let ana = sim.customer("Ana Lima", Some("+5511912345678"), None);
    ana.says("oi");
    let bytes = b"%PDF-1.4\r\n--not a boundary\r\n\r\n\x00\xff";
    let form = Form::new()
        .text("messaging_product", "whatsapp")
        .text("type", "application/pdf")
        .part("file", file(bytes, "application/pdf"));
    let (status, uploaded) = upload(&sim, form).await;
    assert_eq!(status, 200, "{uploaded}");
    let id = uploaded["id"].as_str().unwrap().to_owned();
    let document = json!({"messaging_product": "whatsapp", "to": "+5511912345678", "type": "document",
        "document": {"id": id, "filename": "order.pdf", "caption": "your receipt"}});
    assert_eq!(send(&sim, &document).await.0, 200);
    assert_eq!(ana.received()[0].text.as_deref(), Some("your receipt"));
    let (_, found) = get_json(&sim, &format!("/v26.0/{id}")).await;
    assert_eq!(found["mime_type"], "application/pdf");
    let got = client().get(found["url"].as_str().unwrap()).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(got.headers()["content-type"], "application/pdf");
    assert_eq!(&got.bytes().await.unwrap()[..], bytes);
    let url = format!("{}/v26.0/{id}", sim.base_url());
    let gone: Value = client().delete(&url).bearer_auth(TOKEN).send().await.unwrap().json().await.unwrap();
    assert_eq!(gone, json!({"success": true}));
    assert_eq!(send(&sim, &document).await.1["error"]["code"], 100);
}

#[tokio::test]
async fn bad_uploads_are_refused() {
    let (sim, _receiver, _) = connected().await;
    let table = [
        (
            "no product",
            Form::new().text("type", "image/png").part("file", file(b"x", "image/png")),
            "messaging_product is required",
        ),
        ("no file", Form::new().text("messaging_product", "whatsapp").text("type", "image/png"), "file is required"),
        (
            "a program",
            Form::new()
                .text("messaging_product", "whatsapp")
                .text("type", "application/x-elf")
                .part("file", file(b"x", "application/x-elf")),
            "supported types",
        ),
        (
            "an extra part",
            Form::new().text("messaging_product", "whatsapp").text("to", "x").part("file", file(b"x", "image/png")),
            "\\\"to\\\"",
        ),
    ];
    for (name, form, word) in table {
        let (status, answer) = upload(&sim, form).await;
        assert_eq!((status, answer["error"]["code"].as_i64()), (400, Some(100)), "{name}: {answer}");
        assert!(answer.to_string().contains(word), "{name}: {answer}");
    }
    static BIG: [u8; (5 << 20) + 1] = [0; (5 << 20) + 1];
    let form = Form::new()
        .text("messaging_product", "whatsapp")
        .text("type", "image/png")
        .part("file", file(&BIG, "image/png"));
    assert!(upload(&sim, form).await.1.to_string().contains("at most"));
}

#[tokio::test]
async fn the_token_tells_about_itself() {
    let (sim, _receiver, _) = connected().await;
    let (_, good) = get_json(&sim, &format!("/v26.0/debug_token?input_token={TOKEN}")).await;
    assert_eq!((good["data"]["is_valid"].as_bool(), good["data"]["expires_at"].as_i64()), (Some(true), Some(0)));
    assert_eq!(good["data"]["granular_scopes"][0]["target_ids"], json!([WABA]));
    let (status, bad) = get_json(&sim, "/v26.0/debug_token?input_token=other").await;
    assert_eq!((status, bad["data"]["is_valid"].as_bool()), (200, Some(false)));
    let app_token = format!("{}|{}", sim.config().app_id, SECRET);
    let url = format!("{}/v26.0/debug_token?input_token={TOKEN}", sim.base_url());
    assert_eq!(client().get(&url).bearer_auth(app_token).send().await.unwrap().status(), 200);
    assert_eq!(client().get(&url).send().await.unwrap().status(), 401);
}
