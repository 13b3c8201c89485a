//! A connection of a thread. Unlike the client's, it gives up when its time is over, however slowly the server answers.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::Duration;

use redis::{ConnectionAddr, ConnectionInfo, ConnectionLike, ErrorKind, RedisError, RedisResult, Value};

use super::Limit;

/// It is not encrypted: only the driver has encrypted ones.
pub(super) struct Connection {
    reader: BufReader<Timed>,
    line: Vec<u8>,
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

/// No answer has lists in more lists.
const DEEPEST: usize = 8;
/// No line of an answer is longer.
const LONGEST_LINE: u64 = 1 << 16;

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
        let mut connection = Self { reader: BufReader::new(timed), line: Vec::new() };
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
        self.reader.get_mut().whole = limit;
    }

    /// Reads an answer. The client's parser takes several times as long.
    fn answer(&mut self, depth: usize) -> RedisResult<Value> {
        self.line.clear();
        self.reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut self.line)?;
        let Some([kind, line @ ..]) = self.line.strip_suffix(b"\r\n") else {
            return Err(if self.line.is_empty() { closed() } else { unreadable() });
        };
        let length =
            |line| str::from_utf8(line).ok().and_then(|digits| digits.parse::<i64>().ok()).ok_or_else(unreadable);
        Ok(match kind {
            b'$' => match usize::try_from(length(line)?) {
                Ok(length) => Value::BulkString(self.bytes(length)?),
                Err(_) => Value::Nil,
            },
            b'*' => match length(line)? {
                -1 => Value::Nil,
                _ if depth == DEEPEST => return Err(unreadable()),
                length => Value::Array((0..length).map(|_| self.answer(depth + 1)).collect::<RedisResult<_>>()?),
            },
            b':' => Value::Int(length(line)?),
            b'+' if line == b"OK" => Value::Okay,
            b'+' => Value::SimpleString(String::from_utf8_lossy(line).into_owned()),
            _ => redis::parse_redis_value(&self.line)?,
        })
    }

    fn bytes(&mut self, length: usize) -> RedisResult<Vec<u8>> {
        // With its end. It may be shorter than the server says.
        let length = length.saturating_add(2);
        let mut bytes = Vec::with_capacity(length.min(1 << 16));
        self.reader.by_ref().take(length as u64).read_to_end(&mut bytes)?;
        if bytes.len() < length {
            return Err(closed());
        }
        bytes.truncate(length - 2);
        Ok(bytes)
    }
}

fn closed() -> RedisError {
    io::Error::from(io::ErrorKind::UnexpectedEof).into()
}

fn unreadable() -> RedisError {
    (ErrorKind::Parse, "the answer cannot be read").into()
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
        self.reader.get_mut().write_all(command)?;
        self.answer(0)
    }

    fn req_packed_commands(&mut self, commands: &[u8], skipped: usize, count: usize) -> RedisResult<Vec<Value>> {
        self.reader.get_mut().write_all(commands)?;
        let answers: RedisResult<Vec<_>> = (0..skipped + count).map(|_| self.answer(0)).collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its bytes one by one.
    struct Given(io::Cursor<Vec<u8>>);

    impl Read for Given {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            self.0.read(&mut bytes[..1])
        }
    }

    impl Write for Given {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Socket for Given {
        fn set_limit(&self, _: Duration) -> io::Result<()> {
            Ok(())
        }
    }

    fn answer(bytes: &[u8]) -> RedisResult<Value> {
        let socket = Box::new(Given(io::Cursor::new(bytes.to_vec())));
        let timed = Timed { socket, limit: Duration::ZERO, whole: Limit::new(Duration::from_secs(60)) };
        Connection { reader: BufReader::new(timed), line: Vec::new() }.answer(0)
    }

    #[test]
    fn answers_are_read_as_the_client_reads_them() {
        let answers =
            ["+OK", "+PONG", ":42", ":-1", "$-1", "*-1", "*0", "$0\r\n", "$3\r\na\nb", "-ERR no", "-OOM command"];
        let lists = ["*2\r\n$1\r\na\r\n*2\r\n:1\r\n-ERR no", "*3\r\n$-1\r\n+OK\r\n*0"];
        for text in answers.into_iter().chain(lists) {
            let bytes = format!("{text}\r\n");
            assert_eq!(
                answer(bytes.as_bytes()).unwrap(),
                redis::parse_redis_value(bytes.as_bytes()).unwrap(),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_not_an_answer_is_an_error() {
        let nested = "*1\r\n".repeat(100_000);
        let others =
            ["", "\r\n", "HTTP/1.1 400 Bad Request\r\n", "$5\r\nab", "$x\r\n", "$9223372036854775807\r\nab\r\n", ":1"];
        for text in others.into_iter().chain([&*nested]) {
            assert!(answer(text.as_bytes()).is_err(), "{text:.20}");
        }
    }
}
