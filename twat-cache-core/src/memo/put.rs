//! The last step of a computation.

use crate::flight::{Computation, Turn};
use crate::store::{forked, guard};
use crate::sync::Driver;
use crate::{Answer, Error, KeyedStore, Memo, Ticket};

impl<S, F, P> Memo<S, F, P> {
    /// Stores a result if it is current.
    pub(super) async fn put<K, V>(
        &self,
        driver: Driver,
        turn: &Turn<'_>,
        computation: Option<&Computation<'_>>,
        key: &K,
        value: &V,
        ticket: Ticket,
    ) -> Result<(), Error>
    where
        K: ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        let store = || {
            let ask = || match driver {
                Driver::Thread => Answer::Now(self.store.insert_begun(key, value, None, ticket)),
                Driver::Task => self.store.insert_begun_async(key, value, None, ticket),
            };
            turn.run_entered(|| Answer::guarded("store a result", ask))
        };
        let (counters, warned) = (&self.counters, &self.warned);
        let remove = |failed: Option<Error>| {
            let ask = || match driver {
                Driver::Thread => Answer::Now(self.store.remove(key)),
                Driver::Task => self.store.remove_async(key),
            };
            turn.run_entered(|| Answer::guarded("remove an older result", ask)).then(move |removed| {
                match (failed, removed) {
                    // The caller that forgets the key gets the same error, and returns it.
                    (None, _) => Ok(()),
                    (Some(error), removed) => {
                        if let Err(error) = removed {
                            counters.store_error();
                            warned.warn(&error, "the store may still have an older result");
                        }
                        Err(error)
                    }
                }
            })
        };
        let stored = match computation {
            Some(computation) => {
                let is_shared = self.store.is_shared();
                turn.watch(computation.store_if_current(ticket.is_refresh, is_shared, store, remove)).await
            }
            None => Err(forked()),
        };
        let settle = || {
            self.store.settle();
            Ok(())
        };
        let _ = turn.run_entered(|| guard("settle what was stored", settle));
        stored
    }
}
