//! Keys, before and after their digests are known. The secret of the digests is on the server.

use std::borrow::Cow;

use twat_cache_core::{Args, KeyHash, Namespace, Recorded};

/// What a digest is made of, once the secret is known.
pub(crate) trait Digest {
    fn digest(&self, namespace: &Namespace) -> KeyHash;
}

/// A key that can be remembered.
pub(crate) trait Key: Digest {
    fn recorded(&self) -> Cow<'_, Recorded>;
}

/// The arguments of a call.
pub(crate) struct Of<'a, K: ?Sized>(pub(crate) &'a K);

impl<K: Args + ?Sized> Digest for Of<'_, K> {
    #[inline]
    fn digest(&self, namespace: &Namespace) -> KeyHash {
        namespace.digest_of(self.0)
    }
}

impl<K: Args + ?Sized> Key for Of<'_, K> {
    fn recorded(&self) -> Cow<'_, Recorded> {
        Cow::Owned(Recorded::of(self.0))
    }
}

/// The arguments of a call that is made later.
impl Digest for Recorded {
    fn digest(&self, namespace: &Namespace) -> KeyHash {
        namespace.digest_of_recorded(self)
    }
}

impl Key for Recorded {
    fn recorded(&self) -> Cow<'_, Recorded> {
        Cow::Borrowed(self)
    }
}

/// One that was made before.
impl Digest for KeyHash {
    fn digest(&self, _: &Namespace) -> KeyHash {
        *self
    }
}
