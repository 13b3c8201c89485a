//! What is dropped from disk when the engine compacts: entries of closed epochs, and expired ones.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use fjall::compaction::filter::{CompactionFilter, Context, Factory, ItemAccessor, Verdict};
use parking_lot::Mutex;
use twat_cache_core::persist::Header;

use crate::entry;
use crate::usage::{Bounds, Usage};

/// Makes a filter for each compaction. Nothing here may panic: a worker of the engine would die of it.
pub(crate) struct Sweep(pub(crate) AssertUnwindSafe<Arc<Mutex<Usage>>>);

impl Factory for Sweep {
    fn name(&self) -> &'static str {
        "twat-cache"
    }

    fn make_filter(&self, _: &Context) -> Box<dyn CompactionFilter> {
        Box::new(Filter { usage: self.0.clone(), bounds: HashMap::new() })
    }
}

struct Filter {
    usage: Arc<Mutex<Usage>>,
    /// Those of the namespaces that were met so far.
    bounds: HashMap<u64, Arc<Bounds>>,
}

impl CompactionFilter for Filter {
    fn filter_item(&mut self, item: ItemAccessor<'_>, _: &Context) -> Result<Verdict, fjall::LsmError> {
        // Records, the secret and entries of another format are kept.
        let Some(id) = entry::id(item.key()) else { return Ok(Verdict::Keep) };
        let bounds = self.bounds.entry(id).or_insert_with(|| self.usage.lock().bounds(id));
        let value = item.value()?;
        let Some((header, _)) = Header::split(&value) else { return Ok(Verdict::Keep) };
        // The clock of a namespace that is not open is unknown.
        let now = || bounds.clock.get().cloned().unwrap_or_default().since_1970();
        Ok(if !bounds.is_live(header.epoch) {
            // Without a tombstone: an entry that this one replaced is of an earlier epoch, which is closed, too.
            Verdict::Destroy
        } else if header.deadline != 0 && header.deadline <= now() {
            // With a tombstone: an entry that this one replaced may expire later.
            Verdict::Remove
        } else {
            Verdict::Keep
        })
    }
}
