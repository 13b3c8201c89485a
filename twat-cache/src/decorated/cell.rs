use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};

/// The memo of a method: a static that stands inside of it, where its type cannot be named in full if it has `Self` in it.
///
/// In a generic `impl` there is one for each type.
#[derive(Default)]
pub struct MemoCell {
    first: OnceLock<&'static (dyn Any + Send + Sync)>,
    others: OnceLock<Mutex<Others>>,
}

type Others = HashMap<TypeId, &'static (dyn Any + Send + Sync)>;

impl MemoCell {
    /// Empty.
    pub const fn new() -> Self {
        Self { first: OnceLock::new(), others: OnceLock::new() }
    }

    /// The memo, made when it is first asked for. It stays for as long as the process.
    #[inline]
    pub fn get<M: Any + Send + Sync>(&'static self, make: fn() -> M) -> &'static M {
        match self.first.get().and_then(|first| first.downcast_ref()) {
            Some(memo) => memo,
            None => self.make(make),
        }
    }

    #[cold]
    fn make<M: Any + Send + Sync>(&'static self, make: fn() -> M) -> &'static M {
        let leak = |memo: M| -> &'static (dyn Any + Send + Sync) { Box::leak(Box::new(memo)) };
        if let Some(memo) = self.first.get_or_init(|| leak(make())).downcast_ref() {
            return memo;
        }
        let mut others = self.others.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        // Made under the lock: making one opens nothing, and two would not share what they remember.
        let memo = *others.entry(TypeId::of::<M>()).or_insert_with(|| leak(make()));
        memo.downcast_ref().unwrap_or_else(|| unreachable!("it is kept under its own type"))
    }
}

impl fmt::Debug for MemoCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoCell")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memo_is_made_once_for_each_type() {
        static CELL: MemoCell = MemoCell::new();
        let [first, again] = [(); 2].map(|()| CELL.get(|| 1_u32));
        let [other, other_again] = [(); 2].map(|()| CELL.get(|| String::from("other")));
        assert!(std::ptr::eq(first, again) && std::ptr::eq(other, other_again));
        assert_eq!((*first, &**other), (1, "other"));
    }
}
