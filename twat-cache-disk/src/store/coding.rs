//! Values as the bytes of entries.

#[cfg(feature = "compress")]
use std::sync::Arc;

#[cfg(feature = "compress")]
use fjall::Keyspace;
use twat_cache_core::Error;
use twat_cache_core::persist::Header;

use super::{DiskStore, Entries};
use crate::engine::Engine;
#[cfg(feature = "compress")]
use crate::{entry, usage};
#[cfg(feature = "compress")]
use twat_cache_core::persist::packing::Packing;

impl<V> DiskStore<V> {
    /// An entry for this value, with room for its header.
    pub(super) fn encode(&self, value: &V) -> Result<Vec<u8>, Error> {
        let mut entry = vec![0; Header::LEN];
        self.codec.encode(value, &mut entry).map_err(|error| error.at(self.path()))?;
        Ok(entry)
    }

    /// Compresses an entry, if this store does.
    #[cfg_attr(
        not(feature = "compress"),
        expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "it does not")
    )]
    pub(super) fn pack(&self, entries: &Entries, engine: &Engine, mut entry: Vec<u8>) -> Result<Vec<u8>, Error> {
        #[cfg(not(feature = "compress"))]
        let _ = (entries, engine, &mut entry);
        #[cfg(feature = "compress")]
        if self.codec.is_compressed() {
            let plain = entry.split_off(Header::LEN);
            let name = usage::name_of(entries.id);
            let packing = engine.packing(name)?;
            if let Some(dictionary) = packing.sample(&plain, self.options.max_bytes) {
                // It is written down before the entries that need it.
                let write = |keyspace: &Keyspace| keyspace.insert(entry::dictionary(name), &*dictionary);
                engine.write("write the dictionary", dictionary.len(), write)?;
                packing.learn(&dictionary);
            }
            packing.pack(&plain, &mut entry);
        }
        Ok(entry)
    }

    pub(super) fn decode(&self, value: &[u8]) -> Result<V, Error> {
        #[cfg(feature = "compress")]
        if self.codec.is_compressed() {
            let unpacked = self.packing()?.unpack(value).and_then(|plain| self.codec.decode(&plain));
            return unpacked.map_err(|error| error.at(self.path()));
        }
        self.codec.decode(value).map_err(|error| error.at(self.path()))
    }

    /// How values are compressed.
    #[cfg(feature = "compress")]
    fn packing(&self) -> Result<Arc<Packing>, Error> {
        self.with("read the dictionary", |entries, engine| engine.packing(usage::name_of(entries.id)))
    }
}
