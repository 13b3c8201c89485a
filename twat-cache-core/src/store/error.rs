use std::borrow::Cow;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

type Source = Box<dyn std::error::Error + Send + Sync>;

/// An error of a store.
///
/// Its message names the attempt, the path and the reason: `cannot open the cache at /x/y: locked by another process`.
/// The error of the engine or of the operating system is its [`source`](std::error::Error::source).
///
/// Of the methods of a [`Memo`](crate::Memo), only `peek`, `forget`, `insert`, `clear` and `len` return this type.
/// Calls log it and compute instead. They return the function's own errors unchanged.
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
    /// Another process has the cache open, and the engine allows only one. That process may end.
    Locked,
    /// The data on disk is damaged.
    Corrupt,
    /// A value could not be encoded or decoded.
    Codec,
    /// The disk is full, or the user's quota is exceeded.
    Full,
    /// The engine failed earlier, in the background, and refuses all writes.
    Poisoned,
    /// The store is not compiled in, cannot be opened, or is closed.
    Unavailable,
    /// Code that the store called panicked.
    Panicked,
    /// Any other reason. The source gives the message.
    Other,
}

impl ErrorKind {
    /// Returns whether every later attempt on the same store will fail as well.
    ///
    /// After such an error, a [`Fallback`](crate::Fallback) uses its secondary store only. After any other error it
    /// tries the primary store again.
    pub fn is_lasting(self) -> bool {
        matches!(self, Self::Poisoned | Self::Unavailable)
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
    /// Makes an error of this kind. `attempt` completes the sentence "cannot …".
    pub fn new(kind: ErrorKind, attempt: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner { kind, attempt: attempt.into(), path: None, source: None }))
    }

    /// Makes an error of kind [`Other`](ErrorKind::Other) from any error or message, for reasons without a kind of
    /// their own.
    pub fn other(source: impl Into<Source>) -> Self {
        Self::new(ErrorKind::Other, "use the cache").because(source)
    }

    /// Replaces the attempt in the message.
    pub fn attempting(mut self, attempt: impl Into<Cow<'static, str>>) -> Self {
        self.0.attempt = attempt.into();
        self
    }

    /// Adds the file or directory of the attempt.
    pub fn at(mut self, path: impl Into<PathBuf>) -> Self {
        self.0.path = Some(path.into());
        self
    }

    /// Adds the error that caused this one.
    pub fn because(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The kind of the error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The file or directory of the attempt, if the error names one.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// The message and the messages of all sources, in one line, as the log shows them.
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
            // "failed" is not informative. So the source's message replaces it, and `source` skips that source.
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

/// Runs code of the user or of an engine, and turns a panic into an error. Otherwise the panic would lose the result
/// that the function has already computed.
pub(crate) fn guard<T>(attempt: &'static str, code: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(code)).unwrap_or_else(|_| Err(Error::new(ErrorKind::Panicked, attempt)))
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
        let mut last = self.0.to_string();
        f.write_str(&last)?;
        let mut source = std::error::Error::source(self.0);
        while let Some(error) = source {
            // Some errors say themselves what their source says.
            let text = error.to_string();
            if text != last {
                write!(f, ": {text}")?;
            }
            (last, source) = (text, error.source());
        }
        Ok(())
    }
}
