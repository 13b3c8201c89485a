//! A cache beside the bare function: a random program must get from the one what the other gives, or gave last.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::random::Random;
use crate::{Clock, KeyedStore, ManualClock, Memo};

/// How long the entries of such a cache live.
pub const TTL: Duration = Duration::from_secs(60);

/// The world in which a function computes: its results change when the world does.
#[derive(Clone, Debug, Default)]
pub struct World(Arc<AtomicU64>);

impl World {
    /// What is computed for this key now.
    pub fn text(&self, key: u64) -> String {
        format!("{key} in world {}; ", self.0.load(Ordering::SeqCst))
    }

    /// Makes all results different.
    pub fn change(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A random program, and what a cache may know of each of eight keys: the last result, unless it was forgotten since.
#[derive(Debug)]
pub struct Twin {
    /// Where the program's decisions come from.
    pub random: Random,
    /// Where the function's results come from.
    pub world: World,
    hand: ManualClock,
    known: [Option<String>; 8],
}

impl Twin {
    /// A program of this number.
    pub fn new(seed: u64) -> Self {
        Self { random: Random(seed), world: World::default(), hand: ManualClock::new(), known: Default::default() }
    }

    /// For the cache, whose entries are to live for [`TTL`].
    pub fn clock(&self) -> Clock {
        self.hand.clock()
    }

    /// How many results the cache may know.
    pub fn known(&self) -> usize {
        self.known.iter().flatten().count()
    }

    /// Does one thing to a memo of this function; `look` calls it, or views.
    pub fn step<S, F>(
        &mut self,
        memo: &Memo<S, F>,
        function: impl Fn(&u64) -> String,
        look: impl Fn(&Memo<S, F>, &u64) -> String,
    ) where
        S: KeyedStore<u64, Value = String>,
        F: Fn(&u64) -> String,
    {
        let slot = self.random.index(self.known.len());
        let key = slot as u64;
        match self.random.below(20) {
            0..9 => {
                let expected = self.known[slot].clone().unwrap_or_else(|| function(&key));
                assert_eq!(look(memo, &key), expected);
                self.known[slot] = Some(expected);
            }
            9..11 => assert_eq!(memo.peek(&key).unwrap(), self.known[slot]),
            11..13 => assert_eq!(memo.forget(&key).unwrap(), self.known[slot].take().is_some()),
            13..15 => {
                assert_eq!(memo.refresh(&key), function(&key));
                self.known[slot] = Some(function(&key));
            }
            15..17 => self.world.change(),
            17 => {
                memo.clear().unwrap();
                self.known = Default::default();
            }
            18 => {
                self.hand.advance(TTL);
                self.known = Default::default();
            }
            // What has expired may still be counted.
            _ => assert!(memo.len().unwrap() >= self.known()),
        }
    }
}
