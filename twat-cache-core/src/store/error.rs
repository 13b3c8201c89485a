use std::borrow::Cow;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a store could not do what it was asked.
///
/// It says what was attempted, on what, and why it did not work:
/// `cannot open the cache at /x/y: locked by another process`. The error of the engine or of the
/// operating system is its [`source`](std::error::Error::source).
///
/// A user of a [`Memo`](crate::Memo) meets this type only in `peek`, `forget`, `clear` and `len`: calls log it and
/// compute instead, and the function's own errors are never wrapped in it.
///
/// ```
/// use twat_cache_core::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::Locked, "open the cache").at("/x/y");
/// assert_eq!(error.to_string(), "cannot open the cache at /x/y: locked by another process");
/// assert_eq!(error.kind(), ErrorKind::Locked);
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    attempt: Cow<'static, str>,
    path: Option<PathBuf>,
    source: Option<Source>,
}

/// The kinds of [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operating system refused a file operation.
    Io,
    /// Another process has the cache open, and the engine allows only one.
    Locked,
    /// What is on disk is not what was written.
    Corrupt,
    /// A value could not be encoded or decoded.
    Codec,
    /// There is no room left.
    Full,
    /// The engine failed in the background and takes no more writes.
    Poisoned,
    /// The store is not there: not compiled in, not openable, or closed.
    Unavailable,
    /// Code called by the store panicked.
    Panicked,
    /// Anything else; the message is the source's.
    Other,
}

impl ErrorKind {
    /// Whether trying again is pointless for as long as the store lives.
    ///
    /// [`Fallback`](crate::Fallback) leaves a store for good after such an error; after any other it goes on trying.
    pub fn is_lasting(self) -> bool {
        matches!(self, Self::Locked | Self::Poisoned | Self::Unavailable)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Io => "the operating system refused",
            Self::Locked => "locked by another process",
            Self::Corrupt => "damaged",
            Self::Codec => "the value cannot be encoded or decoded",
            Self::Full => "no room left",
            Self::Poisoned => "the engine failed earlier and takes no more writes",
            Self::Unavailable => "not available",
            Self::Panicked => "a callback panicked",
            Self::Other => "failed",
        })
    }
}

impl Error {
    /// An error of this kind; `attempt` completes the sentence "cannot …".
    pub fn new(kind: ErrorKind, attempt: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner { kind, attempt: attempt.into(), path: None, source: None }))
    }

    /// An error of kind [`Other`](ErrorKind::Other) from any error or message, for stores with failures of their own.
    pub fn other(source: impl Into<Source>) -> Self {
        Self::new(ErrorKind::Other, "use the cache").because(source)
    }

    /// Says what was attempted, in place of what the error says so far.
    pub fn attempting(mut self, attempt: impl Into<Cow<'static, str>>) -> Self {
        self.0.attempt = attempt.into();
        self
    }

    /// Names the file or directory that the attempt was about.
    pub fn at(mut self, path: impl Into<PathBuf>) -> Self {
        self.0.path = Some(path.into());
        self
    }

    /// Adds the error that this one comes from.
    pub fn because(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The file or directory that the attempt was about, if there is one.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// The message with those of all its sources, in one line, as the logs show it.
    pub fn chain(&self) -> impl fmt::Display + '_ {
        Chain(self)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, attempt, path, source } = &*self.0;
        write!(f, "cannot {attempt}")?;
        if let Some(path) = path {
            write!(f, " at {}", path.display())?;
        }
        match (kind, source) {
            // "failed" says nothing: the source's message takes its place, and `source` skips it.
            (ErrorKind::Other, Some(source)) => write!(f, ": {source}"),
            _ => write!(f, ": {kind}"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, attempt, path, source } = &*self.0;
        f.debug_struct("Error")
            .field("kind", kind)
            .field("attempt", attempt)
            .field("path", path)
            .field("source", source)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let source = self.0.source.as_deref()?;
        if self.0.kind == ErrorKind::Other { source.source() } else { Some(source) }
    }
}

/// Runs code that is not ours, the user's or an engine's, of which a panic is an error: the function has computed its
/// result by then, and must not lose it.
pub(crate) fn guard<T>(attempt: &'static str, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Error::new(ErrorKind::Panicked, attempt)))
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Full,
            _ => ErrorKind::Io,
        };
        Self::new(kind, "use the cache").because(error)
    }
}

struct Chain<'a>(&'a Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = std::error::Error::source(self.0);
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
