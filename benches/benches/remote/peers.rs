//! Other libraries that store results on the server.

use std::process::{Command, Stdio};

#[cfg(feature = "peers")]
use std::time::Duration;

#[cfg(feature = "peers")]
use cached::{ConcurrentCached as _, RedisCache};
use twat_cache_benches::{Report, asked_for};

use crate::child::Times;
use crate::server::Server;

#[cfg(feature = "peers")]
pub(crate) const CACHED: &str = "`cached::RedisCache`";

/// Has this value.
#[cfg(feature = "peers")]
pub(crate) fn cached(server: &Server, value: &str) -> RedisCache<u64, String> {
    let url = format!("redis://127.0.0.1:{}/", server.port);
    let builder = RedisCache::builder("bench").ttl(Duration::from_hours(24)).connection_string(&url);
    let cached = builder.build().expect("the server runs");
    let _ = cached.cache_set(1, value.to_owned()).expect("the server runs");
    cached
}

#[cfg(feature = "peers")]
pub(crate) fn get(cached: &RedisCache<u64, String>) -> Option<String> {
    cached.cache_get(&1).expect("the server runs")
}

/// Python's `aiocache`, measured by a script. Without Python or the package, it is said on the standard error.
pub(crate) fn aiocache(report: &Report, server: &Server, length: usize) {
    if !asked_for("--bench") {
        return;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/aiocache_hits.py");
    let numbers = [server.port.to_string(), length.to_string()];
    let run = Command::new("python3").arg(script).args(numbers).stderr(Stdio::inherit()).output();
    let said = run.map(|run| String::from_utf8_lossy(&run.stdout).into_owned()).unwrap_or_default();
    let rows = said.lines().filter_map(|line| {
        let (what, numbers) = line.split_once(' ')?;
        let numbers = numbers.split(' ').map(|number| number.parse().ok()).collect::<Option<Vec<f64>>>()?;
        let [mean, median, long, worst] = Times::from_numbers(&numbers).columns();
        Some([format!("`aiocache`, {what} of {length} B"), mean, median, long, worst])
    });
    let rows: Vec<_> = rows.collect();
    match <[_; 2]>::try_from(rows) {
        Ok(rows) => report.table(["µs", "mean", "median", "99 %", "worst"], rows),
        Err(_) => eprintln!("`aiocache` could not be measured: {said}"),
    }
}
