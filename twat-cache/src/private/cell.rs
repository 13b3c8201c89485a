use std::any::{Any, TypeId};
use std::fmt;
use std::sync::OnceLock;

/// The memo of a method: a static that stands inside of it, where its type cannot be named in full if it has `Self` in it.
///
/// A static in a generic `impl`, or in a `trait`, is the same for all types. So there is a memo for each *place*, which is the
/// method of one type.
#[derive(Default)]
pub struct MemoCell(OnceLock<Node>);

/// The memo of one place. They are a list and not a map under a lock: a forked process may miss the thread that has the lock.
struct Node {
    place: TypeId,
    memo: Box<dyn Any + Send + Sync>,
    next: OnceLock<Box<Self>>,
}

/// The place that a closure is in: its type is another one in the method of each type.
#[inline]
pub fn place_of<Closure>(_inside: &Closure) -> TypeId {
    typeid::of::<Closure>()
}

impl MemoCell {
    /// Empty.
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// The memo of this place, made when it is first asked for. It stays for as long as the process.
    #[inline]
    pub fn get<M: Any + Send + Sync>(&'static self, place: TypeId, make: fn() -> M) -> &'static M {
        // Made by one thread: making one opens nothing, and two would not share what they remember.
        let new = || Node { place, memo: Box::new(make()), next: OnceLock::new() };
        let mut node = self.0.get_or_init(new);
        while node.place != place {
            node = node.next.get_or_init(|| Box::new(new()));
        }
        node.memo.downcast_ref().unwrap_or_else(|| unreachable!("a place has one memo"))
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
    fn a_memo_is_made_once_for_each_place() {
        static CELL: MemoCell = MemoCell::new();
        let [one_place, other_place] = [TypeId::of::<u32>(), TypeId::of::<u64>()];
        let [first, again] = [(); 2].map(|()| CELL.get(one_place, || String::from("one")));
        let [other, other_again] = [(); 2].map(|()| CELL.get(other_place, || String::from("other")));
        assert!(std::ptr::eq(first, again) && std::ptr::eq(other, other_again));
        assert_eq!([&**first, other], ["one", "other"]);
    }
}
