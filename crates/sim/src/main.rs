//! `parley-sim`: the pretend Meta platform as a process of its own, steered over `/_sim/…` (see `control.rs`).
//!
//! Promise: prints one line, `listening http://127.0.0.1:PORT`, when it is ready, and runs until it is stopped.

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use parley_sim::{FaultPlan, MetaSim, Number, SimConfig, SimError, StatusPace, script};

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Script {
    /// The customers of the demo talk by themselves.
    Demo,
    /// Nobody talks until told to.
    None,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Webhooks {
    /// One event a body, in order, once.
    Calm,
    /// Batched, repeated, reordered, late.
    Rough,
}

/// A pretend Meta WhatsApp platform on loopback.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Loopback port; 0 takes any.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Decides ids, customers and seeded faults.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    #[arg(long, default_value = "634974000000001")]
    app_id: String,
    /// Key of the webhook signature.
    #[arg(long, default_value = "sim-app-secret")]
    app_secret: String,
    /// The Bearer token that the Graph face accepts.
    #[arg(long, default_value = "sim-access-token")]
    access_token: String,
    #[arg(long, default_value = "102290000000001")]
    waba_id: String,
    #[arg(long, default_value = "106540000000001")]
    phone_number_id: String,
    #[arg(long, default_value = "+1 555-010-0001")]
    display_phone: String,
    #[arg(long, default_value = "Lantern & Loom")]
    verified_name: String,
    /// Where webhooks go; can be set later by `POST /_sim/webhook`.
    #[arg(long)]
    webhook: Option<String>,
    #[arg(long, default_value = "sim-verify-token")]
    verify_token: String,
    /// Accepted sends are appended to this file.
    #[arg(long)]
    ledger: Option<PathBuf>,
    #[arg(long, value_enum, default_value = "none")]
    script: Script,
    /// Divides the waits of the script.
    #[arg(long, default_value_t = 1)]
    speed: u32,
    #[arg(long, value_enum, default_value = "calm")]
    webhooks: Webhooks,
    /// Share of each kind of send fault (429, 500, 503, timeout, reset, slow), in thousandths.
    #[arg(long, default_value_t = 0)]
    send_faults: u32,
    /// Milliseconds from accepted to sent, to delivered, to read.
    #[arg(long, value_delimiter = ',', num_args = 3, default_values_t = [120, 350, 900])]
    pace: Vec<u64>,
}

#[tokio::main]
async fn main() -> Result<(), SimError> {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let args = Args::parse();
    let pace = match args.pace[..] {
        [sent_ms, delivered_ms, read_ms] => StatusPace { sent_ms, delivered_ms, read_ms },
        _ => StatusPace::default(),
    };
    let config = SimConfig {
        port: args.port,
        app_id: args.app_id,
        app_secret: args.app_secret,
        access_token: args.access_token,
        waba_id: args.waba_id,
        numbers: vec![Number {
            phone_number_id: args.phone_number_id,
            display_phone_number: args.display_phone,
            verified_name: args.verified_name,
        }],
        webhook_url: args.webhook,
        verify_token: args.verify_token,
        faults: match args.webhooks {
            Webhooks::Calm => FaultPlan::default(),
            Webhooks::Rough => FaultPlan::rough_webhooks(),
        }
        .with_send_faults(args.send_faults),
        pace,
        ledger_path: args.ledger,
        ..SimConfig::new(args.seed)
    };
    let sim = MetaSim::start(config).await?;
    println!("listening {}", sim.base_url());
    std::io::stdout().flush()?;
    match args.script {
        Script::Demo => {
            tokio::select! {
                () = script::play(&sim, script::demo_stories(), args.speed) => {}
                stopped = tokio::signal::ctrl_c() => return Ok(stopped?),
            }
        }
        Script::None => {}
    }
    Ok(tokio::signal::ctrl_c().await?)
}
