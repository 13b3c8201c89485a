use std::fmt;
use std::hint::{black_box, spin_loop};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::Effort;

/// Runs the given number of laps and returns their duration.
pub type Turn<'a> = Box<dyn FnMut(u32) -> Duration + 'a>;

/// Contestants that do the same work in different ways.
pub struct Race<'a> {
    operations: usize,
    contestants: Vec<Contestant<'a>>,
}

struct Contestant<'a> {
    name: String,
    set_up: Box<dyn FnMut() -> Turn<'a> + 'a>,
    /// Nanoseconds per operation, one for each round.
    times: Vec<f64>,
}

impl<'a> Race<'a> {
    /// A race in which one lap does this number of operations.
    pub fn new(operations: usize) -> Self {
        Self { operations, contestants: Vec::new() }
    }

    /// Adds a contestant. `set_up` prepares everything that is not measured; see [`over`] and [`in_threads`].
    pub fn add(&mut self, name: impl Into<String>, set_up: impl FnMut() -> Turn<'a> + 'a) {
        self.contestants.push(Contestant { name: name.into(), set_up: Box::new(set_up), times: Vec::new() });
    }

    /// Runs the race.
    pub fn run(self, effort: Effort) -> Outcome {
        let Self { operations, mut contestants } = self;
        let operations = u32::try_from(operations).map_or(f64::from(u32::MAX), f64::from);
        for _ in 0..effort.setups {
            let mut turns: Vec<_> = contestants.iter_mut().map(|contestant| (contestant.set_up)()).collect();
            // Finds how many laps of each contestant fit into a turn. This also warms up the caches.
            let laps: Vec<_> = turns.iter_mut().map(|turn| laps_in(effort.turn, turn)).collect();
            for round in 0..effort.rounds {
                for position in 0..turns.len() {
                    // Another contestant starts each round, because the one that ran before may slow down the next.
                    let index = (round + position) % turns.len();
                    // The first lap is not measured: it refills the processor's caches after the other contestants.
                    turns[index](1);
                    let time = turns[index](laps[index]);
                    let each = time.as_secs_f64() * 1e9 / (f64::from(laps[index]) * operations);
                    contestants[index].times.push(each);
                }
            }
        }
        Outcome(contestants.into_iter().map(|contestant| (contestant.name, contestant.times)).collect())
    }
}

fn laps_in(turn: Duration, run: &mut Turn) -> u32 {
    let mut laps = 1;
    while run(laps) < turn / 2 {
        laps *= 2;
    }
    laps
}

/// A turn in which each lap visits every key.
pub fn over<'a, K>(keys: &'a [K], mut visit: impl FnMut(&K) + 'a) -> Turn<'a> {
    Box::new(move |laps| {
        let start = Instant::now();
        for _ in 0..laps {
            for key in keys {
                visit(black_box(key));
            }
        }
        start.elapsed()
    })
}

/// A turn in which each lap visits the next `window` keys. After the last key, the first one follows.
///
/// It is for sets of keys that a turn has no time to visit in full. A lap then does not profit from the lap before it.
pub fn over_windows<'a, K>(keys: &'a [K], window: usize, mut visit: impl FnMut(&K) + 'a) -> Turn<'a> {
    // Each contestant begins at another key: two of them may share a block cache, and must not fill it for each other.
    static CONTESTANTS: AtomicUsize = AtomicUsize::new(0);
    let start = CONTESTANTS.fetch_add(1, Ordering::Relaxed) * 7919 % 1000 * keys.len() / 1000;
    let mut next = keys.iter().cycle().skip(start);
    Box::new(move |laps| {
        let start = Instant::now();
        for _ in 0..laps {
            for key in next.by_ref().take(window) {
                visit(black_box(key));
            }
        }
        start.elapsed()
    })
}

/// A turn in which each lap visits every key in each of `threads` threads at once. Each thread starts at another key.
///
/// The result is the mean of the threads' times.
pub fn in_threads<'a, K: Sync>(threads: usize, keys: &'a [K], visit: impl Fn(&K) + Sync + 'a) -> Turn<'a> {
    Box::new(move |laps| {
        let arrived = AtomicUsize::new(0);
        let run = |thread: usize| {
            let (after, before) = (&keys[keys.len() * thread / threads..], &keys[..keys.len() * thread / threads]);
            // Waking a thread takes longer than a short turn, so the threads spin until all are ready.
            arrived.fetch_add(1, Ordering::SeqCst);
            while arrived.load(Ordering::SeqCst) < threads {
                spin_loop();
            }
            let start = Instant::now();
            for _ in 0..laps {
                for part in [after, before] {
                    for key in part {
                        visit(black_box(key));
                    }
                }
            }
            start.elapsed()
        };
        let total: Duration = thread::scope(|scope| {
            let run = &run;
            let others: Vec<_> = (1..threads).map(|thread| scope.spawn(move || run(thread))).collect();
            let own = run(0);
            own + others
                .into_iter()
                .map(|other| other.join().unwrap_or_else(|panic| resume_unwind(panic)))
                .sum::<Duration>()
        });
        total.div_f64(u32::try_from(threads).map_or(1.0, f64::from))
    })
}

/// The times of a race.
#[derive(Clone, Debug)]
pub struct Outcome(Vec<(String, Vec<f64>)>);

impl Outcome {
    /// The names of the contestants, in the order in which they were added.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Nanoseconds per operation.
    pub fn time(&self, name: &str) -> Spread {
        Spread::of(self.times(name).to_vec())
    }

    /// The time of `name` divided by the time of `base`, for each round.
    pub fn ratio(&self, name: &str, base: &str) -> Spread {
        Spread::of(self.times(name).iter().zip(self.times(base)).map(|(time, base)| time / base).collect())
    }

    /// The ratio of `name` to `its_base`, divided by the ratio of `other` to `others_base`, for each round.
    pub fn ratio_of_ratios(&self, [name, its_base]: [&str; 2], [other, others_base]: [&str; 2]) -> Spread {
        let own = self.times(name).iter().zip(self.times(its_base));
        let others = self.times(other).iter().zip(self.times(others_base));
        Spread::of(own.zip(others).map(|((a, b), (c, d))| (a / b) / (c / d)).collect())
    }

    /// # Panics
    ///
    /// If no contestant has this name, which is a mistake in the bench.
    fn times(&self, name: &str) -> &[f64] {
        let found = self.0.iter().find(|(of, _)| of == name);
        &found.unwrap_or_else(|| panic!("no contestant is named {name:?}")).1
    }
}

/// A median, and the quartiles around it.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// A quarter of the values is below.
    pub low: f64,
    /// Half of the values is below.
    pub median: f64,
    /// A quarter of the values is above.
    pub high: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |quarter: usize| values.get(values.len() * quarter / 4).copied().unwrap_or(f64::NAN);
        Self { low: at(1), median: at(2), high: at(3) }
    }
}

impl fmt::Debug for Race<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.contestants.iter().map(|contestant| &contestant.name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_a_median_and_its_quartiles() {
        let spread = Spread::of((0..101).rev().map(f64::from).collect());
        assert_eq!(format!("{spread:?}"), "Spread { low: 25.0, median: 50.0, high: 75.0 }");
    }

    #[test]
    fn ratios_compare_what_ran_in_the_same_round() {
        let times = [("base", [1.0, 10.0, 100.0]), ("twice", [2.0, 20.0, 200.0]), ("thrice", [3.0, 30.0, 300.0])];
        let outcome = Outcome(times.map(|(name, times)| (name.to_owned(), times.to_vec())).to_vec());
        let Spread { low, high, .. } = outcome.ratio("twice", "base");
        assert_eq!([low, high].map(|ratio| ratio.to_string()), ["2", "2"]);
        let relative = outcome.ratio_of_ratios(["thrice", "base"], ["twice", "base"]);
        assert_eq!(relative.median.to_string(), "1.5");
    }

    #[test]
    fn every_thread_visits_every_key() {
        let visits = AtomicUsize::new(0);
        let mut turn = in_threads(2, &[1, 2, 3], |key| _ = visits.fetch_add(*key, Ordering::SeqCst));
        turn(5);
        drop(turn);
        assert_eq!(visits.into_inner(), 6 * 5 * 2);
    }
}
