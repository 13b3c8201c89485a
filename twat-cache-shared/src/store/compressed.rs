//! Compression, with a dictionary for each name.

use std::sync::Arc;

use rusqlite::OptionalExtension as _;
use twat_cache_core::persist::packing::Packing;
use twat_cache_core::{Error, Namespace};

use super::SharedStore;
use crate::entries::number_of;
use crate::failure::Result as Attempt;
use crate::open::Open;

impl<V> SharedStore<V> {
    /// Compresses a value. If it completes the samples of a dictionary, that is written first.
    pub(super) fn pack(&self, plain: &[u8]) -> Result<Vec<u8>, Error> {
        let packing = self.packing()?;
        if let Some(made) = packing.sample(plain, self.options.max_bytes) {
            self.with("write the dictionary", |open| {
                open.change(made.len(), |connection| {
                    let write = "UPDATE name SET dictionary = ?1 WHERE no = ?2 AND dictionary IS NULL";
                    connection.execute(write, (&made, number_of(connection, &self.options.name)?))?;
                    Ok(())
                })?;
                // Another process may have written one before.
                packing.learn(&self.dictionary(open)?.unwrap_or_default());
                Ok(())
            })?;
        }
        let mut packed = Vec::new();
        packing.pack(plain, &mut packed);
        Ok(packed)
    }

    pub(super) fn unpack(&self, packed: &[u8]) -> Result<Vec<u8>, Error> {
        let packing = self.packing()?;
        packing.unpack(packed).or_else(|error| {
            if !packing.has_dictionary() {
                // Another process may have written one since.
                let dictionary = self.with("read the dictionary", |open| self.dictionary(open))?;
                packing.learn(&dictionary.unwrap_or_default());
                return packing.unpack(packed);
            }
            Err(error)
        })
    }

    /// How values are compressed.
    fn packing(&self) -> Result<Arc<Packing>, Error> {
        let name = self.options.named(&Namespace::process()).id();
        self.with("read the dictionary", |open| {
            let read = || self.with("read the dictionary", |open| self.dictionary(open));
            Ok(open.packings.of(name, read)?)
        })
    }

    fn dictionary(&self, open: &Open) -> Attempt<Option<Vec<u8>>> {
        open.with(|connection| {
            let mut find = connection.prepare_cached("SELECT dictionary FROM name WHERE name = ?1")?;
            Ok(find.query_row([&self.options.name], |row| row.get(0)).optional()?.flatten())
        })
    }
}
