//! A random program of several processes, and the check that no value in it is stale.
//!
//! A value tells when its computation began. All processes note when they began to remove or replace an entry, after that
//! has returned. So a call must not return a value whose computation began before a change that was noted when the call began.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use twat_cache_core::among::system::shared_clock;
use twat_cache_core::testing::{Random, is_text_of, text};
use twat_cache_core::{Copied, LruStore, Near, Ticket};
use twat_cache_shared::{Error, KeyedStore, Memo, SharedBuilder, scache};

/// How many keys the program uses, and for how many threads of all processes there is a place.
pub const KEYS: u64 = 20;
const PLACES: usize = 64;
/// The row of what concerns all keys.
const ALL: u64 = KEYS;
const ROW: u64 = PLACES as u64 * 8;

/// The file in which changes are noted.
pub struct Board(File);

impl Board {
    pub fn open(dir: &Path) -> Self {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(dir.join("board")).unwrap();
        if file.metadata().unwrap().len() < (KEYS + 1) * ROW {
            file.set_len((KEYS + 1) * ROW).unwrap();
        }
        Self(file)
    }

    /// Notes a change that has returned and that began then.
    fn note(&self, row: u64, place: u64, begun: u64) {
        self.0.write_all_at(&begun.to_le_bytes(), row * ROW + place * 8).unwrap();
    }

    /// The computation of a value that a call returns that begins now must have begun after this.
    fn latest(&self, key: u64) -> u64 {
        let row = |row: u64| {
            let mut times = [[0; 8]; PLACES];
            self.0.read_exact_at(times.as_flattened_mut(), row * ROW).unwrap();
            times.map(u64::from_le_bytes).into_iter().max().unwrap()
        };
        row(key).max(row(ALL))
    }
}

/// Up to 64 KB, of another length each time.
fn value(key: u64) -> String {
    value_since(shared_clock(), key)
}

/// The time of an inserted value: nobody knows when it got into the cache.
const INSERTED: u64 = u64::MAX;

fn value_since(begun: u64, key: u64) -> String {
    let mut random = Random(shared_clock());
    let longest = if random.below(8) == 0 { 8000 } else { 100 };
    let length = random.index(longest);
    if random.below(4) == 0 {
        thread::sleep(Duration::from_micros(random.below(2000)));
    }
    format!("{begun:020}{}", text(key, length))
}

fn check(what: &str, value: &str, key: u64, latest: u64) {
    let (begun, rest) = value.split_at(20);
    assert!(is_text_of(rest, key), "another key's value");
    let begun: u64 = begun.parse().unwrap();
    assert!(begun > latest, "{what} gives a stale value of {key}: computed at {begun}, changed since {latest}");
}

pub type AnyStore = Box<dyn KeyedStore<u64, Value = String>>;
pub type Hot = Memo<AnyStore, fn(&u64) -> String>;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "a memo's function takes its key so")]
fn value_of(key: &u64) -> String {
    value(*key)
}

/// A memo over the bare store, so that what fails is no result in memory. With a near cache in front if that is asked for.
pub fn memo(builder: SharedBuilder, is_near: bool) -> Hot {
    let store = builder.build::<String>();
    let store: AnyStore =
        if is_near { Box::new(Near::new(LruStore::<Copied<String>>::new(100), store)) } else { Box::new(store) };
    Memo::new(store, value_of)
}

pub fn hot(dir: &Path, max_bytes: u64) -> SharedBuilder {
    scache("hot").dir(dir.join("cache")).max_bytes(max_bytes)
}

/// One step of the program, by the thread that has this place. An error if it could not change what it was to change.
pub fn step(memo: &Hot, board: &Board, place: u64, random: &mut Random) -> Result<(), Error> {
    let (key, begun) = (random.below(KEYS), shared_clock());
    let latest = board.latest(key);
    let done = |row: u64, change: Result<(), Error>| change.map(|()| board.note(row, place, begun));
    match random.below(200) {
        0..100 => check("call", &memo.call(&key), key, latest),
        100..140 => {
            if let Ok(Some(value)) = memo.peek(&key) {
                check("peek", &value, key, latest);
            }
        }
        140..150 => check("refresh", &memo.refresh(&key), key, latest),
        150..165 => {
            let store = memo.store();
            let ticket = Ticket { is_refresh: true, ..store.begin(&key) };
            let value = value(key);
            return done(key, store.insert_begun(&key, &value, None, ticket).map(drop));
        }
        165..180 => return done(key, memo.insert(&key, &value_since(INSERTED, key))),
        180..198 => return done(key, memo.forget(&key).map(drop)),
        _ => return done(ALL, memo.clear()),
    }
    Ok(())
}
