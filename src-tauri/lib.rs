//! The desktop shell: window, command list, notifications, updates, and in development builds the loopback bridge.
//!
//! Promise: the engine starts beside the window, never after it; the window itself has no network, no file and no shell
//! right. Absent on purpose: SQL, HTTP to the server, rules, knowledge of Meta.

#[cfg(all(test, feature = "bindings"))]
mod bindings;
#[cfg(feature = "bridge")]
mod bridge;
mod ipc;
mod notify;
mod options;
mod window;

use std::process::ExitCode;

use options::Options;
use parley_client::{Engine, EngineConfig};

/// Runs Parley until its window is closed.
pub fn run() -> ExitCode {
    let options = match Options::from_process() {
        Ok(options) => options,
        Err(usage) => {
            eprintln!("{usage}");
            return ExitCode::from(2);
        }
    };
    start_log();
    let outcome = if options.headless { headless(options) } else { window::run(options) };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            tracing::error!(%reason, "Parley stopped");
            ExitCode::FAILURE
        }
    }
}

/// Logs go to standard error; `PARLEY_LOG` filters them. No line holds personal data, at any level.
fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("PARLEY_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,parley=info"));
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

async fn engine(data_dir: std::path::PathBuf) -> Engine {
    Engine::start(EngineConfig::new(data_dir)).await
}

#[cfg(feature = "bridge")]
fn headless(options: Options) -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    runtime.block_on(async move {
        let engine = engine(options.data_dir.ok_or("--headless needs --data-dir")?).await;
        let served = tokio::select! {
            served = bridge::serve(engine.clone(), options.bridge, options.ui_dir) => served,
            () = asked_to_end() => Ok(()),
        };
        engine.close().await;
        served.map_err(|error| error.to_string())
    })
}

#[cfg(feature = "bridge")]
async fn asked_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut signals) => {
            signals.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(feature = "bridge"))]
fn headless(_: Options) -> Result<(), String> {
    Err("this build has no bridge".into())
}
