//! A connection of a thread. Unlike the client's, it gives up when its time is over, however slowly the server answers.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::Duration;

use redis::{ConnectionAddr, ConnectionInfo, ConnectionLike, ErrorKind, Parser, RedisResult, Value};

use super::Limit;

/// It is not encrypted: only the driver has encrypted ones.
pub(super) struct Connection {
    timed: Timed,
    parser: Parser,
}

/// A socket that is used until a deadline.
struct Timed {
    socket: Box<dyn Socket>,
    /// The time limit of the socket, for each read and write; zero if none is set.
    limit: Duration,
    /// What all of them may take together.
    whole: Limit,
}

trait Socket: Read + Write + Send {
    fn set_limit(&self, limit: Duration) -> io::Result<()>;
}

macro_rules! socket {
    ($socket:ty) => {
        impl Socket for $socket {
            fn set_limit(&self, limit: Duration) -> io::Result<()> {
                self.set_read_timeout(Some(limit))?;
                self.set_write_timeout(Some(limit))
            }
        }
    };
}

socket!(TcpStream);
#[cfg(unix)]
socket!(UnixStream);

/// By how much a socket's limit may be wrong. Setting it takes two system calls.
const TOLERANCE: Duration = Duration::from_millis(2);

impl Connection {
    pub(super) fn open(info: &ConnectionInfo, limit: Limit) -> RedisResult<Self> {
        let socket: Box<dyn Socket> = match info.addr() {
            ConnectionAddr::Tcp(host, port) => {
                let mut addresses = (host.as_str(), *port).to_socket_addrs()?.peekable();
                loop {
                    let none = || io::Error::new(io::ErrorKind::NotFound, "the name of the server has no address");
                    let address = addresses.next().ok_or_else(none)?;
                    match TcpStream::connect_timeout(&address, limit.left()) {
                        Ok(stream) => {
                            stream.set_nodelay(true)?;
                            break Box::new(stream);
                        }
                        Err(error) if addresses.peek().is_none() => return Err(error.into()),
                        Err(_) => {}
                    }
                }
            }
            #[cfg(unix)]
            ConnectionAddr::Unix(path) => Box::new(UnixStream::connect(path)?),
            _ => return Err((ErrorKind::InvalidClientConfig, "this system has no such connections").into()),
        };
        let timed = Timed { socket, limit: Duration::ZERO, whole: limit };
        let mut connection = Self { timed, parser: Parser::new() };
        connection.introduce(info)?;
        Ok(connection)
    }

    fn introduce(&mut self, info: &ConnectionInfo) -> RedisResult<()> {
        let settings = info.redis_settings();
        if let Some(password) = settings.password() {
            let mut command = redis::cmd("AUTH");
            command.arg(settings.username()).arg(password).exec(self).map_err(|error| {
                if error.is_io_error() {
                    return error;
                }
                let why = error.detail().unwrap_or_default().to_owned();
                (ErrorKind::AuthenticationFailed, "Password authentication failed", why).into()
            })?;
        }
        if settings.db() != 0 {
            redis::cmd("SELECT").arg(settings.db()).exec(self)?;
        }
        Ok(())
    }

    /// What is asked from now on may take this long, all together.
    pub(super) fn set_limit(&mut self, limit: Limit) {
        self.timed.whole = limit;
    }

    fn answer(&mut self) -> RedisResult<Value> {
        self.parser.parse_value(&mut self.timed)
    }
}

impl Timed {
    /// Uses the socket for as long as there is time.
    fn within<T>(&mut self, mut operate: impl FnMut(&mut dyn Socket) -> io::Result<T>) -> io::Result<T> {
        loop {
            let left = self.whole.left();
            if left.is_zero() {
                return Err(self.whole.exceeded());
            }
            if self.limit.is_zero() || self.limit.abs_diff(left) > TOLERANCE {
                self.limit = left;
                self.socket.set_limit(left)?;
            }
            match operate(&mut *self.socket) {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }
}

impl Read for Timed {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.within(|socket| socket.read(bytes))
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.within(|socket| socket.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command(&mut self, command: &[u8]) -> RedisResult<Value> {
        self.timed.write_all(command)?;
        self.answer()
    }

    fn req_packed_commands(&mut self, commands: &[u8], skipped: usize, count: usize) -> RedisResult<Vec<Value>> {
        self.timed.write_all(commands)?;
        let answers: RedisResult<Vec<_>> = (0..skipped + count).map(|_| self.answer()).collect();
        Ok(answers?.split_off(skipped))
    }

    fn get_db(&self) -> i64 {
        0
    }

    fn check_connection(&mut self) -> bool {
        redis::cmd("PING").exec(self).is_ok()
    }

    fn is_open(&self) -> bool {
        true
    }
}
