//! `peek`, `forget` and `insert` take what the function takes, and nothing else.

use twat_cache::{Call, bcache, mcache};

fn main() {
    let double = mcache().wrap(|n: &u64| n * 2);
    let _ = double.forget(&3);
    let _ = double.forget("three");
    let _ = double.peek(&3_u32);
    let _ = double.insert(&-3, &6);

    let lengths = bcache("lengths").wrap(|path: &str| path.len());
    let _ = lengths.forget("a/b");
    let _ = lengths.forget(&"a/b");

    let later = mcache().wrap_async(async |n: &u64| n * 2);
    let _ = later.forget(&3);
    let _ = later.forget(&'3');

    let repeated = mcache().wrap(|Call((text, times)): &Call<(&str, &usize)>| text.repeat(**times));
    let _ = repeated.forget(&Call(("a", &3)));
    let _ = repeated.forget(&("a", 3));
}
