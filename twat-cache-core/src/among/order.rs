//! Which results may be stored: those whose computation began after their entry was last removed.

use std::fs::File;
use std::io;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::lock::RangeLock;
use super::system::{self, shared_clock};
use crate::{KeyHash, Ticket};

/// Two numbers for each stripe of digests, in a part of a file that all processes have open.
///
/// A computation gets the current time as its number. When an entry is removed, the barrier of its stripe is raised to the
/// current time. A result is stored only if its number is above the barrier. The barrier holds for all results of the
/// stripe, so some of them are computed once more.
///
/// Machines that share the file have no clock in common. So there, a number is the barrier and one.
#[derive(Debug)]
pub struct Order {
    file: Arc<File>,
    /// Whether other machines use the file. Their clocks have nothing to do with this one's.
    is_remote: bool,
    /// For the threads of this process, which the locks on the file do not exclude.
    threads: [Mutex<()>; THREADS],
}

/// How many stripes there are, and how many bytes each has.
pub(super) const STRIPES: usize = 2048;
const STRIPE: u64 = 16;
const THREADS: usize = 64;

/// Where they are in the file.
const START: u64 = 64;
const END: u64 = START + STRIPES as u64 * STRIPE;
/// The number of the first word of 64 bits after them.
pub(super) const END_WORD: usize = 8 + STRIPES * 2;
const _: () = assert!(END_WORD as u64 * 8 == END);

/// How many nanoseconds a barrier may be in the future.
const AHEAD: u64 = 1_000_000_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stripe {
    barrier: u64,
    /// If a refresh has raised the barrier, and its result was stored, its key: half of the digest. Else 0.
    refreshed: u64,
}

/// Whether a result may be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Current,
    /// What is there, if anything, is newer.
    Outdated,
    /// What is there may be newer or older.
    InDoubt,
}

/// The right to store or remove results of one stripe.
#[derive(Debug)]
pub struct Turn<'a> {
    order: &'a Order,
    at: u64,
    key: u64,
    stripe: Stripe,
    // Dropped in this order.
    lock: io::Result<Option<RangeLock>>,
    _thread: Option<MutexGuard<'a, ()>>,
    /// Whether the caller has another lock, which excludes all turns.
    is_within: bool,
}

impl Order {
    pub fn new(file: Arc<File>, is_remote: bool) -> Self {
        Self { file, is_remote, threads: [const { Mutex::new(()) }; THREADS] }
    }

    /// The stripes of a new file. A result whose computation began with another file is not stored.
    pub fn of_new_file() -> Vec<u8> {
        Stripe { barrier: shared_clock(), refreshed: 0 }.to_words().as_flattened().repeat(STRIPES)
    }

    /// The number of a computation that begins now.
    pub fn begin(&self, digest: KeyHash) -> io::Result<u64> {
        Ok(self.next(self.read(offset_of(digest))?))
    }

    /// Whether the result of a computation with this number is outdated.
    pub fn is_outdated(&self, digest: KeyHash, number: u64) -> io::Result<bool> {
        Ok(number <= self.read(offset_of(digest))?.barrier)
    }

    /// Waits until nobody else stores or removes results of this digest's stripe.
    pub fn turn(&self, digest: KeyHash) -> io::Result<Turn<'_>> {
        let (at, key) = (offset_of(digest), key_of(digest));
        let thread = Some(self.threads[stripe_of(digest) % THREADS].lock());
        let lock = RangeLock::take(&self.file, at, STRIPE);
        Ok(Turn { order: self, at, key, stripe: self.read(at)?, lock, _thread: thread, is_within: false })
    }

    /// A turn of a caller that has a lock which all callers with this file take before a turn.
    pub fn turn_within(&self, digest: KeyHash) -> io::Result<Turn<'_>> {
        let (at, key) = (offset_of(digest), key_of(digest));
        Ok(Turn { order: self, at, key, stripe: self.read(at)?, lock: Ok(None), _thread: None, is_within: true })
    }

    /// Raises all barriers. Returns false if a process may store a result all the same, see [`Turn::is_passed_by`].
    pub fn raise_all(&self) -> io::Result<bool> {
        let _threads = self.threads.each_ref().map(Mutex::lock);
        let lock = RangeLock::take(&self.file, START, END - START);
        let mut stripes = vec![[[0; 8]; 2]; STRIPES];
        system::read_at(&self.file, stripes.as_flattened_mut().as_flattened_mut(), START)?;
        let raised: Vec<_> = stripes.into_iter().map(|words| self.raised(self.stripe(words)).to_words()).collect();
        system::write_at(&self.file, raised.as_flattened().as_flattened(), START)?;
        Ok(!matches!(lock, Ok(None)))
    }

    fn read(&self, at: u64) -> io::Result<Stripe> {
        let mut words = [[0; 8]; 2];
        system::read_at(&self.file, words.as_flattened_mut(), at)?;
        Ok(self.stripe(words))
    }

    fn stripe(&self, words: [[u8; 8]; 2]) -> Stripe {
        let [barrier, refreshed] = words.map(u64::from_le_bytes);
        // A barrier in the future was raised before this machine was started, or is damaged. No computation is that old. If
        // the clock's ticks are coarse, a barrier may be some of them ahead.
        let latest = if self.is_remote { u64::MAX / 2 } else { shared_clock() + AHEAD };
        if barrier > latest { Stripe::default() } else { Stripe { barrier, refreshed } }
    }

    /// The number of what happens now.
    fn next(&self, stripe: Stripe) -> u64 {
        let now = if self.is_remote { 0 } else { shared_clock() };
        now.max(stripe.barrier + 1)
    }

    fn raised(&self, stripe: Stripe) -> Stripe {
        Stripe { barrier: self.next(stripe), refreshed: 0 }
    }
}

impl Turn<'_> {
    /// Whether another process has stopped during its turn, and this turn is taken all the same. The other process may go on
    /// at any time.
    pub fn is_passed_by(&self) -> bool {
        !self.is_within && matches!(self.lock, Ok(None))
    }

    /// Whether this result may be stored. One without a ticket begins now.
    pub fn judge(&self, ticket: Option<Ticket>) -> Verdict {
        let is_certain = !self.is_passed_by();
        let is_above_barrier = ticket.is_none_or(|ticket| ticket.number > self.stripe.barrier);
        // Two refreshes with the same number began with the same barrier, and either may be the later one.
        let is_of_later = |ticket: Ticket| self.stripe.refreshed == self.key && ticket.number < self.stripe.barrier;
        match ticket {
            _ if is_certain && is_above_barrier => Verdict::Current,
            // A result that is not a refresh was computed where nothing was.
            Some(ticket) if !ticket.is_refresh => Verdict::Outdated,
            // Of two refreshes, the later one is there.
            Some(ticket) if is_certain && is_of_later(ticket) => Verdict::Outdated,
            // Another key of the stripe may have been removed or refreshed.
            _ => Verdict::InDoubt,
        }
    }

    /// From now on, only results whose computation begins later are stored.
    pub fn raise(&mut self) -> io::Result<()> {
        self.write(self.order.raised(self.stripe))
    }

    /// From now on, only results whose computation began after this refresh are stored.
    pub fn begin_refresh(&mut self, ticket: Ticket) -> io::Result<()> {
        // A barrier that another process has raised stays, and this turn is outdated.
        if self.is_outdated()? { Ok(()) } else { self.write(Stripe { barrier: ticket.number, refreshed: 0 }) }
    }

    /// Notes that the result of this refresh was stored. Its process may have been killed before that.
    pub fn end_refresh(&mut self) -> io::Result<()> {
        self.write(Stripe { refreshed: self.key, ..self.stripe })
    }

    /// Whether another process has passed by this turn, and has raised the barrier.
    pub fn is_outdated(&self) -> io::Result<bool> {
        Ok(self.order.read(self.at)? != self.stripe)
    }

    fn write(&mut self, stripe: Stripe) -> io::Result<()> {
        self.stripe = stripe;
        system::write_at(&self.order.file, stripe.to_words().as_flattened(), self.at)
    }
}

impl Stripe {
    fn to_words(self) -> [[u8; 8]; 2] {
        [self.barrier, self.refreshed].map(u64::to_le_bytes)
    }
}

fn key_of(digest: KeyHash) -> u64 {
    digest.to_bytes().first_chunk().map_or(0, |half| u64::from_le_bytes(*half))
}

pub(super) fn stripe_of(digest: KeyHash) -> usize {
    let [.., first, second] = digest.to_bytes();
    usize::from(u16::from_le_bytes([first, second])) % STRIPES
}

fn offset_of(digest: KeyHash) -> u64 {
    START + stripe_of(digest) as u64 * STRIPE
}

#[cfg(all(test, target_os = "linux", target_pointer_width = "64"))]
mod tests {
    use std::time::Instant;

    use super::*;

    const ONE: KeyHash = KeyHash::from_bytes([1; 16]);
    const OTHER: KeyHash = KeyHash::from_bytes([2; 16]);

    /// As by two processes: what one handle locks, the other cannot.
    fn of_two(is_remote: bool) -> [Order; 2] {
        let file = tempfile::NamedTempFile::new().unwrap();
        system::write_at(file.as_file(), &Order::of_new_file(), START).unwrap();
        [(); 2].map(|()| Order::new(Arc::new(file.reopen().unwrap()), is_remote))
    }

    fn two() -> [Order; 2] {
        of_two(false)
    }

    fn refresh(order: &Order, digest: KeyHash, ticket: Ticket) {
        let mut turn = order.turn(digest).unwrap();
        turn.begin_refresh(ticket).unwrap();
        turn.end_refresh().unwrap();
    }

    fn begin(order: &Order, digest: KeyHash) -> Ticket {
        Ticket { number: order.begin(digest).unwrap(), is_refresh: false }
    }

    fn judge(order: &Order, digest: KeyHash, ticket: Ticket) -> Verdict {
        order.turn(digest).unwrap().judge(Some(ticket))
    }

    fn admits(order: &Order, digest: KeyHash, ticket: Ticket) -> bool {
        judge(order, digest, ticket) == Verdict::Current
    }

    /// Two processes with a new stripe; with one that says nothing; with one of the time before this machine was started.
    fn pairs() -> impl Iterator<Item = ([Order; 2], String)> {
        let later = shared_clock() * 2 + (1 << 40);
        [None, Some(0), Some(later), Some(u64::MAX)].into_iter().map(|barrier| {
            let pair = two();
            if let Some(barrier) = barrier {
                pair[0].turn(ONE).unwrap().write(Stripe { barrier, refreshed: 0 }).unwrap();
            }
            (pair, format!("{barrier:?}"))
        })
    }

    #[test]
    fn a_result_that_began_before_a_removal_is_not_admitted_and_one_that_began_after_it_is() {
        for ([here, there], stripe) in pairs() {
            let before = begin(&here, ONE);
            assert!(admits(&there, ONE, before), "{stripe}");
            there.turn(ONE).unwrap().raise().unwrap();
            assert!(!admits(&here, ONE, before), "{stripe}");
            let between = begin(&here, ONE);
            assert!(admits(&here, ONE, between), "{stripe}");
            assert!(there.raise_all().unwrap());
            assert!(!admits(&here, ONE, between), "{stripe}");
            let after = begin(&here, ONE);
            assert!(admits(&here, ONE, after), "{stripe}");
        }
    }

    #[test]
    fn of_two_refreshes_the_one_that_began_last_stays_and_other_results_are_admitted() {
        for ([here, there], stripe) in pairs() {
            let neighbour = begin(&there, ONE);
            let [first, second] = [begin(&here, ONE), begin(&there, ONE)];
            assert!(admits(&here, ONE, neighbour) && admits(&here, ONE, first), "{stripe}");
            refresh(&here, ONE, first);
            assert!(!admits(&here, ONE, first) && admits(&there, ONE, second), "{stripe}");
            refresh(&there, ONE, second);
            assert!(!admits(&here, ONE, first), "{stripe}");
            assert!(admits(&there, OTHER, begin(&here, OTHER)), "{stripe}");
        }
    }

    #[test]
    fn a_refresh_that_may_be_newer_than_what_is_there_is_in_doubt() {
        let neighbour = KeyHash::from_bytes([[0; 14].as_slice(), &[1, 1]].concat().try_into().unwrap());
        assert_eq!(stripe_of(neighbour), stripe_of(ONE));
        let [here, there] = two();
        let begun = |digest| Ticket { is_refresh: true, ..begin(&there, digest) };
        let (before, later) = (begun(ONE), begun(ONE));
        there.turn(ONE).unwrap().begin_refresh(later).unwrap();
        assert_eq!(
            judge(&here, ONE, before),
            Verdict::InDoubt,
            "its process may have been killed before it was stored"
        );
        refresh(&there, ONE, later);
        assert_eq!(judge(&here, ONE, before), Verdict::Outdated, "there is a later one of the same key");
        refresh(&there, neighbour, begun(neighbour));
        assert_eq!(judge(&here, ONE, before), Verdict::InDoubt);
        let before = begun(ONE);
        there.turn(neighbour).unwrap().raise().unwrap();
        assert_eq!(judge(&here, ONE, before), Verdict::InDoubt);
        assert_eq!(judge(&here, ONE, begun(ONE)), Verdict::Current);
    }

    #[test]
    fn numbers_that_several_machines_share_do_not_depend_on_their_clocks() {
        let [here, there] = of_two(true);
        let begun = |order: &Order| Ticket { is_refresh: true, ..begin(order, ONE) };
        there.turn(ONE).unwrap().write(Stripe { barrier: 5, refreshed: 0 }).unwrap();
        let before = begun(&here);
        assert_eq!(before.number, 6, "the clock of a machine that was started later would be below that of another");
        there.turn(ONE).unwrap().raise().unwrap();
        assert_eq!(judge(&here, ONE, before), Verdict::InDoubt);
        let [first, second] = [begun(&here), begun(&there)];
        assert_eq!(judge(&here, ONE, first), Verdict::Current);
        refresh(&here, ONE, first);
        assert_eq!(judge(&there, ONE, second), Verdict::InDoubt, "either may be the later one");
        assert_eq!(judge(&there, ONE, begun(&there)), Verdict::Current);
        assert_eq!(judge(&there, ONE, before), Verdict::Outdated);
    }

    #[test]
    fn a_refresh_that_was_passed_by_does_not_lower_the_barrier() {
        let [stopped, here] = two();
        let [before, outdated] = [(); 2].map(|()| begin(&here, ONE));
        let mut turn = stopped.turn(ONE).unwrap();
        assert_eq!(turn.judge(Some(outdated)), Verdict::Current);
        here.turn(ONE).unwrap().raise().unwrap();
        turn.begin_refresh(outdated).unwrap();
        assert!(turn.is_outdated().unwrap());
        drop(turn);
        assert!(!admits(&here, ONE, before) && !admits(&here, ONE, outdated));
    }

    #[test]
    fn a_result_that_began_with_another_file_is_not_admitted() {
        let before = begin(&two()[0], ONE);
        assert!(!admits(&two()[0], ONE, before));
    }

    #[test]
    fn a_process_that_is_stopped_during_its_turn_is_passed_by_and_learns_of_it() {
        let [stopped, here] = two();
        let before = begin(&here, ONE);
        let turn = stopped.turn(ONE).unwrap();
        let begun = Instant::now();
        assert!(!admits(&here, ONE, before), "the stopped process may be removing it");
        assert_eq!(here.turn(ONE).unwrap().judge(None), Verdict::InDoubt);
        assert!(!turn.is_outdated().unwrap());
        assert!(!here.raise_all().unwrap());
        assert!(turn.is_outdated().unwrap());
        assert!(begun.elapsed().as_secs() < 10);
        assert!(!here.turn(OTHER).unwrap().is_passed_by());
    }
}
