//! Which results may still be stored: not those whose computation began before their entry was removed.

use std::fmt;
use std::fs::File;
use std::io;

use parking_lot::{Mutex, MutexGuard};
use twat_cache_core::{KeyHash, Ticket};

use crate::region::Region;
use crate::system;

/// Some numbers for each stripe of digests, in a part of a file that all processes have open.
///
/// A computation gets a number when it begins: the present moment, or, where clocks are no help, the next one. To remove
/// an entry raises its stripe's barrier to the present moment, and what has a number below that is not stored any more. A
/// neighbour in the stripe is not stored either then, which costs a recomputation.
pub(crate) struct Order {
    /// Of the threads of this process, for which the locks are one owner.
    here: [Mutex<()>; HERE],
    /// Other machines use it, whose clocks have nothing to do with ours.
    is_remote: bool,
}

/// How many stripes there are, and how many bytes each has.
const STRIPES: u64 = 512;
const STRIPE: u64 = 32;
const HERE: usize = 64;

/// Where in the file they are, and up to where.
const START: u64 = 64;
pub(crate) const END: u64 = START + STRIPES * STRIPE;

/// The number of a computation that is not stored.
const IN_DOUBT: u64 = 1;

/// A stripe: the numbers are nanoseconds at first, and are counted up from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stripe {
    /// The highest number that was given out and had to be noted.
    last: u64,
    /// Of the last removal: what has this number, or a lower one, is not stored any more.
    barrier: u64,
    /// Of the last refresh that was stored, and half of the digest of its key.
    refreshed: u64,
    key: u64,
}

/// Whether a result may be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Current,
    /// What is there, if anything, is newer.
    Outdated,
    /// It may be newer than what is there, or older.
    InDoubt,
}

/// The numbers of one stripe are ours for as long as this is here.
pub(crate) struct Turn<'a> {
    file: &'a File,
    at: u64,
    key: u64,
    // Dropped in this order.
    region: Region<'a>,
    _here: MutexGuard<'a, ()>,
}

impl Order {
    pub(crate) fn new(is_remote: bool) -> Self {
        Self { here: [const { Mutex::new(()) }; HERE], is_remote }
    }

    /// The stripes of a new file: what has begun before is not stored there, for its barriers were in another.
    pub(crate) fn of_new_file() -> Vec<u8> {
        Stripe::now().to_bytes().repeat(usize::try_from(STRIPES).unwrap_or(0))
    }

    /// The number of a computation that begins now.
    pub(crate) fn begin(&self, file: &File, digest: KeyHash) -> io::Result<u64> {
        let stripe = Stripe::read(file, at(digest))?;
        let now = system::shared_moment();
        if !self.is_remote && stripe.is_some_and(|stripe| stripe.last < now) {
            return Ok(now);
        }
        // It was written before this machine has started, say.
        let turn = self.turn(file, digest);
        if turn.is_taken() {
            return Ok(IN_DOUBT);
        }
        let stripe = turn.stripe()?;
        let last = stripe.last + 1;
        turn.write(Stripe { last, ..stripe })?;
        Ok(last)
    }

    /// Waits until nobody else works on the stripe of this digest.
    pub(crate) fn turn<'a>(&'a self, file: &'a File, digest: KeyHash) -> Turn<'a> {
        let at = at(digest);
        let here = usize::try_from(at / STRIPE).unwrap_or(0) % HERE;
        Turn { _here: self.here[here].lock(), region: Region::lock(file, at, STRIPE), file, at, key: key_of(digest) }
    }

    /// Raises all barriers; says whether nobody can have missed that.
    pub(crate) fn raise_all(&self, file: &File) -> io::Result<bool> {
        let _here: Vec<_> = self.here.iter().map(Mutex::lock).collect();
        let region = Region::lock(file, START, END - START);
        let mut bytes = Vec::new();
        for stripe in 0..STRIPES {
            let stripe = Stripe::read(file, START + stripe * STRIPE)?.unwrap_or_else(Stripe::now);
            bytes.extend(stripe.raised().to_bytes());
        }
        system::write_at(file, &bytes, START)?;
        Ok(!region.is_taken())
    }
}

impl Turn<'_> {
    /// Whether another process had its turn, and has stopped in the middle of it. It may go on at any time.
    pub(crate) fn is_taken(&self) -> bool {
        self.region.is_taken()
    }

    /// Whether the result of this computation may be stored.
    pub(crate) fn judge(&self, ticket: Ticket) -> io::Result<Verdict> {
        let stripe = self.stripe()?;
        let is_after = |number: u64| !self.is_taken() && number < ticket.number;
        Ok(if is_after(stripe.barrier) && is_after(stripe.refreshed) {
            Verdict::Current
        } else if !ticket.is_refresh || is_after(stripe.barrier) && stripe.key == self.key {
            // It is computed where nothing is, or there is a later refresh.
            Verdict::Outdated
        } else {
            // A neighbour may have been removed or refreshed.
            Verdict::InDoubt
        })
    }

    /// What has begun up to now is not stored any more.
    pub(crate) fn raise(&self) -> io::Result<()> {
        self.write(self.stripe()?.raised())
    }

    /// What has begun before this refresh is not stored any more.
    pub(crate) fn note_refresh(&self, ticket: Ticket) -> io::Result<()> {
        let stripe = self.stripe()?;
        let last = stripe.last.max(ticket.number);
        self.write(Stripe { last, refreshed: ticket.number, key: self.key, ..stripe })
    }

    pub(crate) fn stripe(&self) -> io::Result<Stripe> {
        Ok(Stripe::read(self.file, self.at)?.unwrap_or_else(Stripe::now))
    }

    fn write(&self, stripe: Stripe) -> io::Result<()> {
        system::write_at(self.file, &stripe.to_bytes(), self.at)
    }
}

impl Stripe {
    fn now() -> Self {
        let now = system::shared_moment();
        Self { last: now, barrier: now, refreshed: 0, key: 0 }
    }

    fn raised(self) -> Self {
        let number = system::shared_moment().max(self.last + 1);
        Self { last: number, barrier: number, ..self }
    }

    /// `None` if it is damaged: nobody counts that far.
    fn read(file: &File, at: u64) -> io::Result<Option<Self>> {
        let mut bytes = [0; 32];
        system::read_at(file, &mut bytes, at)?;
        let [last, barrier, refreshed, key] =
            [0, 8, 16, 24].map(|at| bytes[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word)));
        let is_sane = barrier.max(refreshed) <= last && last < u64::MAX / 2;
        Ok(is_sane.then_some(Self { last, barrier, refreshed, key }))
    }

    fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (at, word) in [(0, self.last), (8, self.barrier), (16, self.refreshed), (24, self.key)] {
            bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }
}

fn key_of(digest: KeyHash) -> u64 {
    digest.to_bytes().first_chunk().map_or(0, |half| u64::from_le_bytes(*half))
}

fn at(digest: KeyHash) -> u64 {
    let [.., first, second] = digest.to_bytes();
    START + u64::from(u16::from_le_bytes([first, second])) % STRIPES * STRIPE
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Order").field("is_remote", &self.is_remote).finish_non_exhaustive()
    }
}

#[cfg(all(test, target_os = "linux", target_pointer_width = "64"))]
mod tests {
    use std::time::Instant;

    use super::*;

    const ONE: KeyHash = KeyHash::from_bytes([1; 16]);
    const OTHER: KeyHash = KeyHash::from_bytes([2; 16]);

    /// As by two processes: what one handle locks, the other cannot.
    fn two() -> [(Order, File); 2] {
        let file = tempfile::NamedTempFile::new().unwrap();
        system::write_at(file.as_file(), &Order::of_new_file(), START).unwrap();
        [(); 2].map(|()| (Order::new(false), file.reopen().unwrap()))
    }

    fn begin((order, file): &(Order, File), digest: KeyHash) -> Ticket {
        Ticket { number: order.begin(file, digest).unwrap(), is_refresh: false }
    }

    fn admits((order, file): &(Order, File), digest: KeyHash, ticket: Ticket) -> bool {
        order.turn(file, digest).judge(ticket).unwrap() == Verdict::Current
    }

    fn write(file: &File, stripe: Stripe) {
        system::write_at(file, &stripe.to_bytes(), at(ONE)).unwrap();
    }

    /// What the stripe has before the test; numbers that were given out after this machine's clock began anew are counted.
    fn stripes() -> [Option<Stripe>; 4] {
        let later = system::shared_moment() * 2 + (1 << 40);
        let broken =
            [[1, 2], [u64::MAX, u64::MAX]].map(|[last, barrier]| Stripe { last, barrier, refreshed: 0, key: 0 });
        [None, Some(Stripe { last: later, barrier: later, refreshed: 0, key: 0 }), Some(broken[0]), Some(broken[1])]
    }

    #[test]
    fn what_began_before_a_removal_is_not_admitted_and_what_began_after_it_is() {
        for stripe in stripes() {
            let [here, there] = two();
            if let Some(stripe) = stripe {
                write(&here.1, stripe);
            }
            let before = begin(&here, ONE);
            assert!(admits(&there, ONE, before), "{stripe:?}");
            there.0.turn(&there.1, ONE).raise().unwrap();
            assert!(!admits(&here, ONE, before), "{stripe:?}");
            let between = begin(&here, ONE);
            assert!(admits(&here, ONE, between), "{stripe:?}");
            assert!(there.0.raise_all(&there.1).unwrap());
            assert!(!admits(&here, ONE, between), "{stripe:?}");
            let after = begin(&here, ONE);
            assert!(admits(&here, ONE, after), "{stripe:?}");
        }
    }

    #[test]
    fn of_two_refreshes_the_one_that_began_last_stays_and_nothing_else_is_held_up() {
        for stripe in stripes() {
            let [here, there] = two();
            if let Some(stripe) = stripe {
                write(&here.1, stripe);
            }
            let neighbour = begin(&there, ONE);
            let [first, second] = [begin(&here, ONE), begin(&there, ONE)];
            assert!(admits(&here, ONE, neighbour) && admits(&here, ONE, first), "{stripe:?}");
            here.0.turn(&here.1, ONE).note_refresh(first).unwrap();
            assert!(!admits(&here, ONE, first) && admits(&there, ONE, second), "{stripe:?}");
            there.0.turn(&there.1, ONE).note_refresh(second).unwrap();
            assert!(!admits(&here, ONE, first), "{stripe:?}");
            assert!(admits(&there, OTHER, begin(&here, OTHER)), "{stripe:?}");
        }
    }

    #[test]
    fn a_refresh_that_may_be_newer_than_what_is_there_is_in_doubt() {
        let neighbour = KeyHash::from_bytes([[0; 14].as_slice(), &[1, 1]].concat().try_into().unwrap());
        assert_eq!(at(neighbour), at(ONE));
        let [here, there] = two();
        let judge = |ticket| here.0.turn(&here.1, ONE).judge(ticket).unwrap();
        let refresh = |digest| Ticket { is_refresh: true, ..begin(&there, digest) };
        let (before, later) = (refresh(ONE), refresh(ONE));
        there.0.turn(&there.1, ONE).note_refresh(later).unwrap();
        assert_eq!(judge(before), Verdict::Outdated, "there is a later one of the same key");
        there.0.turn(&there.1, neighbour).note_refresh(refresh(neighbour)).unwrap();
        assert_eq!(judge(before), Verdict::InDoubt);
        let before = refresh(ONE);
        there.0.turn(&there.1, neighbour).raise().unwrap();
        assert_eq!(judge(before), Verdict::InDoubt);
        assert_eq!(judge(refresh(ONE)), Verdict::Current);
    }

    #[test]
    fn what_was_begun_with_another_file_is_not_admitted() {
        let before = begin(&two()[0], ONE);
        assert!(!admits(&two()[0], ONE, before));
    }

    #[test]
    fn a_process_that_is_stopped_in_its_turn_is_not_waited_for_and_it_is_known() {
        let [stopped, here] = two();
        let before = begin(&here, ONE);
        let _turn = stopped.0.turn(&stopped.1, ONE);
        let begun = Instant::now();
        assert!(!admits(&here, ONE, before), "it may be removed at this moment");
        assert!(here.0.turn(&here.1, ONE).is_taken());
        assert!(!here.0.raise_all(&here.1).unwrap());
        assert!(begun.elapsed().as_secs() < 10);
        assert!(!here.0.turn(&here.1, OTHER).is_taken());
    }
}
