use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A histogram of the durations of many operations, in little memory.
#[derive(Debug)]
pub struct Latencies {
    /// The number of operations in each [`bucket`].
    counts: Vec<AtomicU64>,
    worst: AtomicU64,
    tenths: [Tenth; 10],
}

/// A tenth of the operations, or of the time.
#[derive(Debug)]
struct Tenth {
    count: AtomicU64,
    begin: AtomicU64,
    end: AtomicU64,
}

/// When a measurement ends.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// After this number of operations.
    Count(u64),
    /// After this time.
    Time(Duration),
}

impl Until {
    fn tenth(self, number: u64, elapsed: Duration) -> Option<usize> {
        let tenth = match self {
            Until::Count(count) => number * 10 / count.max(1),
            Until::Time(time) => u64::try_from(elapsed.as_micros() * 10 / time.as_micros().max(1)).unwrap_or(10),
        };
        usize::try_from(tenth).ok().filter(|tenth| *tenth < 10)
    }
}

impl Latencies {
    /// Runs `operate` in `threads` threads until the end. Each call gets the next number.
    pub fn measure(threads: usize, until: Until, operate: impl Fn(u64) + Sync) -> Self {
        let tenth = || Tenth { count: 0.into(), begin: u64::MAX.into(), end: 0.into() };
        let measured = Self {
            counts: (0..=bucket(u64::MAX)).map(|_| AtomicU64::new(0)).collect(),
            worst: AtomicU64::new(0),
            tenths: std::array::from_fn(|_| tenth()),
        };
        let (next, start) = (AtomicU64::new(0), Instant::now());
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let begin = start.elapsed();
                        let Some(tenth) = until.tenth(number, begin) else { break };
                        operate(number);
                        measured.count(&measured.tenths[tenth], begin, start.elapsed());
                    }
                });
            }
        });
        measured
    }

    fn count(&self, tenth: &Tenth, begin: Duration, end: Duration) {
        let [begin, end] = [begin, end].map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        self.counts[bucket(end - begin)].fetch_add(1, Ordering::Relaxed);
        self.worst.fetch_max(end - begin, Ordering::Relaxed);
        tenth.count.fetch_add(1, Ordering::Relaxed);
        tenth.begin.fetch_min(begin, Ordering::Relaxed);
        tenth.end.fetch_max(end, Ordering::Relaxed);
    }

    /// The number of operations.
    pub fn total(&self) -> u64 {
        self.tenths.iter().map(|tenth| tenth.count.load(Ordering::Relaxed)).sum()
    }

    /// The longest duration.
    pub fn worst(&self) -> Duration {
        Duration::from_nanos(self.worst.load(Ordering::Relaxed))
    }

    /// The duration that only one in `many` operations exceeds, accurate to a few per cent. With 2 it is the median.
    pub fn all_but_one_of(&self, many: u64) -> Duration {
        let mut above = self.total() / many;
        for (bucket, count) in self.counts.iter().enumerate().rev() {
            let count = count.load(Ordering::Relaxed);
            if count > above {
                return Duration::from_nanos(floor(bucket));
            }
            above -= count;
        }
        Duration::ZERO
    }

    /// How many operations took longer than this, accurate to a few per cent of the time.
    pub fn above(&self, time: Duration) -> u64 {
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(time) + 1..].iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// Operations per second in one of the tenths.
    pub fn rate(&self, tenth: usize) -> f64 {
        let Tenth { count, begin, end } = &self.tenths[tenth];
        let took = end.load(Ordering::Relaxed).saturating_sub(begin.load(Ordering::Relaxed));
        float(count.load(Ordering::Relaxed)) / Duration::from_nanos(took).as_secs_f64()
    }

    /// The median, 99 %, 99.9 % and worst duration in microseconds, for a table.
    pub fn columns(&self) -> [String; 4] {
        let times = [self.all_but_one_of(2), self.all_but_one_of(100), self.all_but_one_of(1000), self.worst()];
        times.map(|time| time.as_micros().to_string())
    }
}

/// Thirty-two buckets for each power of two, and one for each of the smallest numbers.
fn bucket(nanos: u64) -> usize {
    let shift = (nanos | 63).ilog2() - 5;
    // At most 58 * 32 + 63.
    usize::try_from(u64::from(shift) * 32 + (nanos >> shift)).unwrap_or(usize::MAX)
}

/// The smallest number in a bucket.
fn floor(bucket: usize) -> u64 {
    let shift = (bucket / 32).saturating_sub(1);
    ((bucket - shift * 32) as u64) << shift
}

fn float(count: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "below 2^52")]
    let float = count as f64;
    float
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_in_a_bucket_that_begins_just_below_it() {
        for number in (0..64).flat_map(|power| [(1 << power) - 1, 1 << power, (1 << power) + (1 << power >> 1)]) {
            let floor = floor(bucket(number));
            assert!(floor <= number && number - floor <= number / 32, "{number}: {floor}");
        }
    }

    #[test]
    fn every_operation_is_counted_once() {
        let sum = AtomicU64::new(0);
        let latencies = Latencies::measure(3, Until::Count(101), |number| _ = sum.fetch_add(number, Ordering::SeqCst));
        assert_eq!((latencies.total(), sum.into_inner()), (101, 5050));
        assert!(latencies.all_but_one_of(2) <= latencies.worst());
    }
}
