//! Compresses values by zstd, with a dictionary.
//!
//! Small values have little in themselves that repeats, but much in common. So a dictionary is made of the first values under
//! a name, and all versions of the name use it. It is written once, before the first entry that needs it, and never changed.
//! If it is lost, entries that need it are misses: they have its id, by which zstd knows it.
//!
//! The first byte of a value says how the rest is stored: as it is, or compressed without or with the dictionary.

#![allow(missing_debug_implementations, reason = "only the stores of this project see these types")]

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use xxhash_rust::xxh3::xxh3_64;
use zstd_safe::{CCtx, CDict, DCtx, DDict, ErrorCode, get_error_name, get_frame_content_size, train_from_buffer};

use crate::{Error, ErrorKind};

// The codec behind this reads any bytes. So no damaged bit makes one of these the other.
const PLAIN: u8 = 0x55;
const ALONE: u8 = 0xaa;
const BY_DICTIONARY: u8 = 0x0f;

/// The default of zstd. Level 9 takes four times as long, and a JSON document gets 4 % smaller.
const LEVEL: i32 = 3;

/// How long a dictionary is at most.
const LONGEST: u64 = 16 << 10;

/// How much more bytes of values it is made of. With twice as many, JSON documents get 1 % smaller.
const SAMPLES: usize = 6;

/// How much of a value is one of them. Of a shorter one, little can be saved.
const SAMPLE: RangeInclusive<usize> = 64..=2 << 10;

/// How the values of each name are compressed. An open database has one.
#[derive(Default)]
pub struct Packings(Mutex<HashMap<u64, Arc<Packing>>>);

impl Packings {
    /// That of a name. The first time, its dictionary is read.
    pub fn of<R: AsRef<[u8]>>(
        &self,
        name: u64,
        read: impl FnOnce() -> Result<Option<R>, Error>,
    ) -> Result<Arc<Packing>, Error> {
        // Held while the dictionary is read, once for a name: otherwise two threads could make two of them.
        let mut packings = self.0.lock();
        if let Some(packing) = packings.get(&name) {
            return Ok(packing.clone());
        }
        let packing = Arc::new(Packing { dictionary: OnceLock::new(), samples: Mutex::new(Some(Samples::default())) });
        if let Some(record) = read()? {
            packing.learn(record.as_ref());
        }
        packings.insert(name, packing.clone());
        Ok(packing)
    }
}

/// How the values of a name are compressed. By default there is no dictionary, and none is made.
#[derive(Default)]
pub struct Packing {
    /// None yet for the first values.
    dictionary: OnceLock<Dictionary>,
    /// The beginnings of the first values, until the dictionary is made of them.
    samples: Mutex<Option<Samples>>,
}

#[derive(Default)]
struct Samples {
    bytes: Vec<u8>,
    lengths: Vec<usize>,
}

struct Dictionary {
    packs: CDict<'static>,
    unpacks: DDict<'static>,
}

impl Packing {
    /// Takes a new value as a sample. When there are enough, makes the dictionary, and gives its record. That takes some 30 ms.
    /// A dictionary may have a small part of the store's limit.
    pub fn sample(&self, value: &[u8], max_bytes: u64) -> Option<Vec<u8>> {
        if self.dictionary.get().is_some() || value.len() < *SAMPLE.start() {
            return None;
        }
        let longest = usize::try_from((max_bytes / 256).min(LONGEST)).ok()?;
        let complete = {
            let mut samples = self.samples.lock();
            let Samples { bytes, lengths } = samples.as_mut()?;
            let sample = &value[..value.len().min(*SAMPLE.end())];
            bytes.extend_from_slice(sample);
            lengths.push(sample.len());
            if bytes.len() < longest * SAMPLES {
                return None;
            }
            samples.take()?
        };
        let mut words = Vec::with_capacity(longest);
        // Of values that have nothing in common, there is no dictionary.
        train_from_buffer(&mut words, &complete.bytes, &complete.lengths).ok()?;
        Some([&xxh3_64(&words).to_le_bytes()[..], &words].concat())
    }

    /// Whether there is a dictionary yet.
    pub fn has_dictionary(&self) -> bool {
        self.dictionary.get().is_some()
    }

    /// Uses the dictionary in this record from now on, if it is intact.
    pub fn learn(&self, record: &[u8]) {
        if !is_intact(record) {
            return;
        }
        *self.samples.lock() = None;
        let words = record.get(CHECKSUM..).unwrap_or_default();
        // Without memory for it, values are compressed without.
        if let (Some(packs), Some(unpacks)) = (CDict::try_create(words, LEVEL), DDict::try_create(words)) {
            let _ = self.dictionary.set(Dictionary { packs, unpacks });
        }
    }

    /// Appends a value.
    pub fn pack(&self, plain: &[u8], output: &mut Vec<u8>) {
        let dictionary = self.dictionary.get();
        // What does not fit into this does not get smaller.
        let mut packed = Vec::with_capacity(plain.len());
        let done = CCtx::try_create().map(|mut context| match dictionary {
            Some(dictionary) => context.compress_using_cdict(&mut packed, plain, &dictionary.packs),
            None => context.compress(&mut packed, plain, LEVEL),
        });
        match dictionary {
            _ if !matches!(done, Some(Ok(_))) => {
                output.push(PLAIN);
                output.extend_from_slice(plain);
            }
            _ => {
                output.push(if dictionary.is_some() { BY_DICTIONARY } else { ALONE });
                output.append(&mut packed);
            }
        }
    }

    pub fn unpack(&self, value: &[u8]) -> Result<Vec<u8>, Error> {
        let damaged = |why: &'static str| Error::new(ErrorKind::Codec, "decode a value").because(why);
        match value.split_first() {
            Some((&PLAIN, plain)) => Ok(plain.to_vec()),
            Some((&ALONE, packed)) => unpack(packed, None).map_err(damaged),
            Some((&BY_DICTIONARY, packed)) => {
                let dictionary = self.dictionary.get().ok_or_else(|| damaged("its dictionary is lost"))?;
                unpack(packed, Some(&dictionary.unpacks)).map_err(damaged)
            }
            _ => Err(damaged("it is not stored in a known way")),
        }
    }
}

/// The length of the checksum before a dictionary.
const CHECKSUM: usize = 8;

fn is_intact(record: &[u8]) -> bool {
    record.split_first_chunk().is_some_and(|(checksum, words)| xxh3_64(words) == u64::from_le_bytes(*checksum))
}

thread_local! {
    /// To make a context takes longer than to unpack a small value.
    static CONTEXT: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
}

fn unpack(packed: &[u8], dictionary: Option<&DDict<'_>>) -> Result<Vec<u8>, &'static str> {
    let in_context = |context: &RefCell<Option<DCtx<'static>>>| {
        let mut context = context.borrow_mut();
        let context = match &mut *context {
            Some(context) => context,
            none => none.insert(DCtx::try_create().ok_or("there is no memory for it")?),
        };
        unpack_in(context, packed, dictionary)
    };
    CONTEXT.try_with(in_context).unwrap_or(Err("this thread ends"))
}

/// The error code of zstd for content that is longer than the memory for it.
const TOO_SHORT: ErrorCode = 0_usize.wrapping_sub(70);

fn unpack_in(context: &mut DCtx<'_>, packed: &[u8], dictionary: Option<&DDict<'_>>) -> Result<Vec<u8>, &'static str> {
    let length = get_frame_content_size(packed).ok().flatten().and_then(|length| usize::try_from(length).ok());
    let length = length.ok_or("its length is damaged")?;
    // A damaged length must not take much memory. So at first there is room for what is usual, and then for some more than
    // there has been content so far.
    let mut room = packed.len().saturating_mul(64);
    loop {
        let mut plain = Vec::new();
        plain.try_reserve_exact(room.min(length)).map_err(|_| "there is no memory for it")?;
        let unpacked = match dictionary {
            Some(dictionary) => context.decompress_using_ddict(&mut plain, packed, dictionary),
            None => context.decompress(&mut plain, packed),
        };
        match unpacked {
            Ok(_) if plain.len() == length => return Ok(plain),
            Ok(_) => return Err("its length is damaged"),
            Err(TOO_SHORT) if room < length => room = room.saturating_mul(8),
            Err(error) => return Err(get_error_name(error)),
        }
    }
}

#[cfg(test)]
mod tests;
