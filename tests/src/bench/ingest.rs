//! Webhook → durable → 200, and webhook → applied. An open-loop generator on the same machine posts signed bodies of one text
//! message each at a fixed rate, whatever the answers do; latency counts from the moment a body was due.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use serde_json::json;
use xtask::failure::Failure;

use super::{Figure, figure};
use crate::Fallible;
use crate::stack::{Database, Stack};

const SECONDS: u32 = 15;
const RATES: [u32; 4] = [1_000, 3_300, 6_000, 10_000];

/// Runs every rate on a fresh server.
pub async fn measure(database: Database, logs: &Path) -> Fallible<Vec<Figure>> {
    let name = format!("{database:?}").to_lowercase();
    let mut figures = Vec::new();
    for rate in RATES {
        let stack = Stack::start_quiet(database, &logs.join(format!("{name}-{rate}")), &[]).await?;
        let before = seq(&stack)?;
        let started = Instant::now();
        let body = json!({"events_per_second": rate, "seconds": SECONDS, "customers": 500, "concurrency": 512});
        let report = stack.meta.control("load", body).await?;
        let number = |key: &str| report[key].as_f64().unwrap_or(f64::NAN);
        let (posted, answered) = (number("posted"), number("answered"));
        figures.push(figure(format!("{name}: {rate}/s offered, answered 200"), number("per_second"), "events/s"));
        figures.push(figure(format!("{name}: {rate}/s ack p50"), number("p50_ms"), "ms"));
        figures.push(figure(format!("{name}: {rate}/s ack p99"), number("p99_ms"), "ms"));
        figures.push(figure(format!("{name}: {rate}/s ack worst"), number("max_ms"), "ms"));
        let behind = Instant::now();
        while messages(&stack)? < answered as u64 {
            if behind.elapsed() > Duration::from_secs(300) {
                return Err(Failure::new(format!("only {} of {answered} messages were applied", messages(&stack)?)));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        figures.push(figure(
            format!("{name}: {rate}/s applied after the last answer within"),
            behind.elapsed().as_secs_f64() * 1_000.0,
            "ms",
        ));
        figures.push(figure(
            format!("{name}: {rate}/s applied, whole run"),
            answered / started.elapsed().as_secs_f64(),
            "messages/s",
        ));
        figures.push(figure(
            format!("{name}: {rate}/s changes applied, whole run"),
            (seq(&stack)? - before) / started.elapsed().as_secs_f64(),
            "changes/s",
        ));
        figures.push(figure(format!("{name}: {rate}/s not answered 200"), posted - answered, "events"));
    }
    Ok(figures)
}

/// The workspace's counter: every changed row took one.
fn seq(stack: &Stack) -> Fallible<f64> {
    Ok(number(stack, "SELECT MAX(seq) FROM workspace")? as f64)
}

/// Messages that the server has stored.
fn messages(stack: &Stack) -> Fallible<u64> {
    number(stack, "SELECT COUNT(*) FROM message WHERE direction = 'incoming'")
}

/// One number, as another reader of the server's database gets it.
fn number(stack: &Stack, sql: &str) -> Fallible<u64> {
    if let Some(mariadb) = stack.mariadb() {
        let answer = mariadb.query(&sql.replace("FROM ", "FROM parley."))?;
        return Ok(answer.split_whitespace().filter_map(|word| word.parse().ok()).next_back().unwrap_or(0));
    }
    let path = stack.folder().join("server/parley.db");
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    Ok(connection.query_row(sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs())
}
