//! A small harness for benchmarks whose results are ratios.
//!
//! On a shared machine, nanoseconds say little: one measurement may have the processor to itself, the next one may not.
//! So a [`Race`] runs all contestants in turns of about a millisecond, round after round, and compares only the turns
//! of one round. Its [`Outcome`] gives medians over all rounds: of the time, and of the ratio to another contestant. A
//! disturbed round is an outlier and does not change the median.
//!
//! A cache's addresses in memory and its hash seeds are random, too. So a run sets up everything several times and
//! takes the median over all set-ups.
//!
//! A median hides rare long operations, so [`Latencies`] reports the worst as well. [`usage`] asks the system for disk
//! and memory use.
//!
//! A [`Report`] prints the tables in Markdown and says whether each bound holds. [`Effort`] says how thoroughly to
//! measure, as the command line asks. [`sample`] makes keys.
//!
//! ```
//! use std::hint::black_box;
//! use twat_cache_benches::{Effort, Limit, Race, Report, over, sample};
//!
//! let keys = sample::numbers(100);
//! let mut race = Race::new(keys.len());
//! race.add("add", || over(&keys, |key| _ = black_box(key + 1)));
//! race.add("divide", || over(&keys, |key| _ = black_box(1000 / (key | 1))));
//! let outcome = race.run(Effort::TOUCH);
//!
//! let mut report = Report::new(Effort::TOUCH);
//! report.section("Arithmetic");
//! report.race(&outcome);
//! report.bound("divide, against add", outcome.ratio("divide", "add").median, Limit::AtMost(1000.0));
//! report.finish();
//! ```

#![forbid(unsafe_code)]

mod effort;
mod latency;
mod race;
mod report;
pub mod sample;
pub mod usage;

pub use effort::{Effort, asked_for};
pub use latency::{Latencies, Until};
pub use race::{Outcome, Race, Spread, Turn, in_threads, over, over_windows};
pub use report::{Limit, Report};
