//! Measurements on real programs and real databases. Each returns figures; `bin/bench.rs` prints and keeps them.

pub mod fleet;
pub mod ingest;
pub mod peers;
pub mod server;
pub mod store;
pub mod window;

use serde::Serialize;

/// One measured figure.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    pub what: String,
    pub value: f64,
    pub unit: &'static str,
}

/// A figure.
pub fn figure(what: impl Into<String>, value: f64, unit: &'static str) -> Figure {
    Figure { what: what.into(), value, unit }
}

/// The value below which `share` of the sorted values lie.
pub fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = ((values.len().saturating_sub(1)) as f64 * share).round() as usize;
    values.get(place).copied().unwrap_or(f64::NAN)
}

/// Median and 95th percentile of a series in milliseconds.
pub fn series(what: &str, values: &mut [f64]) -> Vec<Figure> {
    vec![
        figure(format!("{what}, p50"), percentile(values, 0.5), "ms"),
        figure(format!("{what}, p95"), percentile(values, 0.95), "ms"),
    ]
}
