//! The UI in Chromium over the bridge: the real engine, server and simulator behind a page in a plain browser. What is
//! looked at stands in `ui/e2e/bridge.spec.mjs`; this starts the programs, and takes the server away when the page asks for it.

use std::fs;
use std::time::{Duration, Instant};

use parley_tests::Fallible;
use parley_tests::desk::Desk;
use parley_tests::stack::{Database, RHEA, Stack};
use serde_json::json;
use xtask::cargo;
use xtask::desktop::Desktop;
use xtask::failure::Failure;
use xtask::process::Running;

/// How long the whole suite may take.
const LIMIT: Duration = Duration::from_secs(600);

#[tokio::test(flavor = "multi_thread")]
async fn the_page_works_in_a_browser() -> Fallible {
    let logs = cargo::target().join("test/bridge");
    let desktop = Desktop::start(800, 600, &logs)?;
    let mut stack = Stack::start(Database::Sqlite, &logs, &[]).await?;
    for (name, phone, text) in [
        ("Ananya Mehta", "+919820012345", "Do you still have the brass reading lamps?"),
        ("Siti Fauziah", "+628121234567", "Kapan paket saya sampai?"),
        ("Omar Khalil", "+971501234567", "هل يمكنني تغيير عنوان التسليم؟"),
    ] {
        stack.meta.customer(name, phone).await?;
        stack.meta.says(name, text).await?;
    }
    let items = json!([{"product_retailer_id": "LAMP-BRASS", "quantity": 2, "item_price": 4200, "currency": "INR"}]);
    stack.meta.orders("Ananya Mehta", items).await?;

    let mut desk = Desk::new(&stack.folder().join("desk"), &logs.join("desk"));
    desk.start(&desktop)?;
    desk.sign_in(&stack.address(), RHEA).await?;
    desk.until("the order is on the board", "board", json!({"pipeline": null}), |board| {
        board.to_string().contains("Ananya Mehta")
    })
    .await?;

    // The page's tests take the server away and bring it back by a file each; it is gone when the change was made.
    let (off, on) = (stack.folder().join("off"), stack.folder().join("on"));
    let and_wait = |file: &std::path::Path| {
        let file = file.display();
        format!("touch '{file}'; while [ -e '{file}' ]; do sleep 0.05; done")
    };
    let log = logs.join("page.log");
    let _ = fs::remove_file(&log);
    let mut npm = cargo::command("npm");
    npm.current_dir(cargo::root().join("ui")).args(["run", "e2e"]);
    npm.env("PARLEY_BRIDGE_URL", desk.page());
    npm.env("PARLEY_OFFLINE_ON", and_wait(&off)).env("PARLEY_OFFLINE_OFF", and_wait(&on));
    let mut page = Running::start("the page's tests", &mut npm, &log)?;
    let started = Instant::now();
    let ended = loop {
        if off.exists() {
            stack.kill_server()?;
            fs::remove_file(&off)?;
        }
        if on.exists() {
            stack.start_server()?;
            fs::remove_file(&on)?;
        }
        if let Some(status) = page.ended()? {
            break status;
        }
        if started.elapsed() > LIMIT {
            return Err(Failure::new(format!("the page's tests did not end:\n{}", fs::read_to_string(&log)?)));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let said = fs::read_to_string(&log)?;
    println!("{said}");
    assert!(ended.success(), "the page's tests failed");
    // A suite that skips itself must not pass for one that ran.
    assert!(said.contains("# skipped 0") || said.contains("ℹ skipped 0"), "some of the page's tests did not run");
    Ok(())
}
