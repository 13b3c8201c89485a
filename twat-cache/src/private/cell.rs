use std::any::{Any, TypeId};
use std::sync::OnceLock;

/// The memo of a method, or of a generic function. It is a static in that. The type of the memo may have `Self` in it or a
/// parameter, and a static's type may not.
///
/// A static in a generic `impl` or function, or in a `trait`, is the same for all types. So there is a memo for each *instance*,
/// which is the function of certain types.
#[derive(Debug, Default)]
pub struct MemoCell(OnceLock<Node>);

/// The memo of one instance. They are a list and not a map behind a lock, because a forked process may lack the thread that has
/// the lock.
#[derive(Debug)]
struct Node {
    instance: TypeId,
    memo: Box<dyn Any + Send + Sync>,
    next: OnceLock<Box<Self>>,
}

/// The instance that a closure is in. In another instance, its type is another one.
#[inline]
pub fn instance_of<Closure>(_inside: &Closure) -> TypeId {
    typeid::of::<Closure>()
}

impl MemoCell {
    /// An empty cell.
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// The memo of this instance, made by the first call. It is never dropped.
    #[inline]
    pub fn get<M: Any + Send + Sync>(&'static self, instance: TypeId, make: impl Fn() -> M) -> &'static M {
        // One thread makes it. That opens nothing, and two memos would not share their results.
        let new = || Node { instance, memo: Box::new(make()), next: OnceLock::new() };
        let mut node = self.0.get_or_init(&new);
        while node.instance != instance {
            node = node.next.get_or_init(|| Box::new(new()));
        }
        node.memo.downcast_ref().unwrap_or_else(|| unreachable!("an instance has one memo"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memo_is_made_once_for_each_instance() {
        static CELL: MemoCell = MemoCell::new();
        let [one_type, other_type] = [TypeId::of::<u32>(), TypeId::of::<u64>()];
        let [first, again] = [(); 2].map(|()| CELL.get(one_type, || String::from("one")));
        let [other, other_again] = [(); 2].map(|()| CELL.get(other_type, || String::from("other")));
        assert!(std::ptr::eq(first, again) && std::ptr::eq(other, other_again));
        assert_eq!([&**first, other], ["one", "other"]);
    }
}
