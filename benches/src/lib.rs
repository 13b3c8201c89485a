//! A small harness for benchmarks whose results are ratios.
//!
//! On a machine that other people use, nanoseconds say little: what is measured first may have had the processor to
//! itself, what is measured next may not. So a [`Race`] lets all contestants run in turns of about a millisecond, round
//! after round, and compares only what ran in the same round. Its [`Outcome`] gives the median over all rounds, of the
//! time and of the ratio to another contestant; a disturbed round is an outlier and changes nothing.
//!
//! Chance also decides where a cache lies in memory and how its hashes fall. So everything is set up several times
//! within a run, and the median is taken over all set-ups.
//!
//! What is rare and long is no matter for a median: [`Latencies`] tells the worst as well. [`usage`] asks the system how
//! much disk and memory something takes.
//!
//! A [`Report`] prints the tables in Markdown and says of each bound whether it holds. [`Effort`] is how much of all
//! this the command line asks for, and [`sample`] makes keys.
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
