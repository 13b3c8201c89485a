//! What leaves the disk when the engine compacts: entries of closed epochs, and expired ones.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use fjall::compaction::filter::{CompactionFilter, Context, Factory, ItemAccessor, Verdict};
use parking_lot::Mutex;
use twat_cache_core::Clock;
use twat_cache_core::persist::Header;

use crate::entry::area_of;
use crate::ledger::{Bounds, Ledger};

/// Makes a filter for each compaction. Nothing in here panics: a worker of the engine would die of it.
pub(crate) struct Sweep(pub(crate) AssertUnwindSafe<Arc<Mutex<Ledger>>>);

impl Factory for Sweep {
    fn name(&self) -> &'static str {
        "twat-cache"
    }

    fn make_filter(&self, _: &Context) -> Box<dyn CompactionFilter> {
        Box::new(Filter { bounds: self.0.lock().bounds(), now: Clock::system().since_1970() })
    }
}

struct Filter {
    bounds: HashMap<u64, Arc<Bounds>>,
    now: u64,
}

impl CompactionFilter for Filter {
    fn filter_item(&mut self, item: ItemAccessor<'_>, _: &Context) -> Result<Verdict, fjall::LsmError> {
        // The records, and what is of another format or of an area that nobody has opened, stay.
        let Some(bounds) = area_of(item.key()).and_then(|area| self.bounds.get(&area)) else {
            return Ok(Verdict::Keep);
        };
        let value = item.value()?;
        let Some((header, _)) = Header::split(&value) else {
            return Ok(Verdict::Keep);
        };
        if !bounds.is_live(header.epoch) {
            // Without a tombstone: what it may have replaced is of an earlier epoch, and closed as well.
            return Ok(Verdict::Destroy);
        }
        let now = bounds.clock.get().map_or(self.now, Clock::since_1970);
        if header.deadline != 0 && now >= header.deadline {
            // With a tombstone: what it has replaced may have had longer to live.
            return Ok(Verdict::Remove);
        }
        Ok(Verdict::Keep)
    }
}
