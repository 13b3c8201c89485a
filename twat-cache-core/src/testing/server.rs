//! A real server that speaks the protocol of Redis: Redis or Valkey, whichever is installed.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, io, thread};

use tempfile::TempDir;

use super::child::command;
use super::dirs::volatile_dir;
use super::time::until;

/// A server on a free port of this machine, in a directory of its own. It ends when this is dropped, and with this process.
#[derive(Debug)]
pub struct Server {
    program: &'static str,
    port: u16,
    process: Child,
    _dir: TempDir,
}

/// If this variable is 1, a test that needs a server fails where none is installed.
const REQUIRED: &str = "TWAT_CACHE_REQUIRE_SERVER";

/// Runs the server until the input of the shell ends, which is when the process that has started it is gone.
const UNTIL_INPUT_ENDS: &str =
    "exec 3<&0; \"$@\" </dev/null 3<&- & server=$!; { read _ <&3; kill -9 $server; } & wait $server";

impl Server {
    /// Starts a server. `None` if none is installed, which is said with the name of the test.
    pub fn start() -> Option<Self> {
        let programs = ["redis-server", "valkey-server"];
        let installed = programs.into_iter().find(|program| is_installed(program));
        let Some(program) = installed else {
            let test = thread::current().name().unwrap_or_default().to_owned();
            assert!(env::var_os(REQUIRED).is_none_or(|value| value != "1"), "no server is installed for {test}");
            // Not by `eprintln!`, which shows only what tests print that fail.
            let why = "because neither redis-server nor valkey-server is installed";
            let _ = writeln!(io::stderr(), "skipped: {test}, {why}");
            return None;
        };
        // Another program may take the port before the server does.
        (0..10).find_map(|_| Self::run(program)).or_else(|| panic!("{program} does not start"))
    }

    /// Ends it. What it had is lost.
    pub fn kill(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }

    /// Starts it again after [`kill`](Self::kill), at the same address.
    pub fn restart(&mut self) {
        // Until the system has given the port back.
        until("it starts again", || match Self::run_at(self.program, self.port) {
            Some(again) => {
                *self = again;
                true
            }
            None => false,
        });
    }

    fn run(program: &'static str) -> Option<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        Self::run_at(program, port)
    }

    fn run_at(program: &'static str, port: u16) -> Option<Self> {
        let (dir, port_given) = (volatile_dir(), port.to_string());
        let mut command = command("sh", ["-c", UNTIL_INPUT_ENDS, "sh", program, "--port", &port_given]);
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]).current_dir(dir.path());
        let process = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut server = Self { program, port, process, _dir: dir };
        let mut is_running = true;
        until("the server answers", || {
            is_running = server.process.try_wait().unwrap().is_none();
            !is_running || answers(port).unwrap_or(false)
        });
        is_running.then_some(server)
    }

    /// The URL of the server.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn is_installed(program: &str) -> bool {
    let version = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

fn answers(port: u16) -> io::Result<bool> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer)?;
    Ok(&answer == b"+PONG")
}
