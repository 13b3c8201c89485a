//! Results that cannot be kept where they should be. In an `impl`, where the compiler says so only a few times.

use twat_cache::{bcache, fcache, mcache, rcache, scache, ucache};

struct NoTraits;

#[derive(Clone)]
struct OnlyClone;

impl OnlyClone {
    #[mcache(skip(self))]
    fn in_memory(&self, n: u32) -> Result<NoTraits, String> {
        Err(n.to_string())
    }

    #[bcache(skip(self))]
    fn on_disk(&self) -> OnlyClone {
        OnlyClone
    }

    #[fcache(skip(self))]
    fn in_a_file(&self) -> OnlyClone {
        OnlyClone
    }

    #[scache(skip(self))]
    fn shared(&self) -> OnlyClone {
        OnlyClone
    }

    #[rcache(skip(self))]
    fn remote(&self) -> OnlyClone {
        OnlyClone
    }

    #[ucache(skip(self))]
    fn wherever(&self) -> OnlyClone {
        OnlyClone
    }

    #[bcache(serde, skip(self))]
    fn with_serde(&self) -> OnlyClone {
        OnlyClone
    }
}

fn main() {}
