//! A real server for each test.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use tempfile::TempDir;
use twat_cache_core::KeyedStore;
use twat_cache_core::testing::system::run;
use twat_cache_core::testing::{record_logs, text};
use twat_cache_remote::redis::{Client, Cmd, Connection, FromRedisValue, cmd};
use twat_cache_remote::{RemoteBuilder, rcache};

/// No test takes longer.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Long enough for a busy machine: what is not about time must not depend on it.
pub const LONG: Duration = Duration::from_secs(20);

/// A server in a directory of its own. It ends when this is dropped.
pub struct Server {
    pub port: u16,
    dir: TempDir,
    arguments: Vec<String>,
    process: Option<Child>,
}

const VARIABLE: &str = "TWAT_CACHE_REQUIRE_SERVER";

/// Skips a test where no server is installed: `let Some(server) = server!() else { return };`.
#[macro_export]
macro_rules! server {
    ($($argument:expr),*) => {
        $crate::common::Server::start(&[$($argument),*])
    };
}

impl Server {
    /// Starts a server with these options. `None` if none is installed, which is said.
    pub fn start(arguments: &[&str]) -> Option<Self> {
        let mut server = Self::stopped(arguments);
        server.run().then_some(server)
    }

    /// One that is not running yet.
    pub fn stopped(arguments: &[&str]) -> Self {
        record_logs();
        let arguments = arguments.iter().map(ToString::to_string).collect();
        Self { port: free_port(), dir: tempfile::tempdir().unwrap(), arguments, process: None }
    }

    /// Starts it. `false` if none is installed.
    pub fn run(&mut self) -> bool {
        // Another program may have taken the port meanwhile.
        for _ in 0..10 {
            let Some(process) = self.spawn() else {
                let test = thread::current().name().unwrap_or_default().to_owned();
                assert!(env::var_os(VARIABLE).is_none_or(|value| value != "1"), "no server is installed for {test}");
                eprintln!("skipped: {test}, because neither redis-server nor valkey-server is installed");
                return false;
            };
            self.process = Some(process);
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_secs(5) {
                if self.is_ready() {
                    return true;
                }
                thread::sleep(Duration::from_millis(5));
            }
            self.kill();
            self.port = free_port();
        }
        panic!("the server does not start");
    }

    /// Whether it answers, and not another program.
    fn is_ready(&self) -> bool {
        let Ok(stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let mut answer = String::new();
        let asked = (&stream).write_all(b"PING\r\n").and_then(|()| BufReader::new(&stream).read_line(&mut answer));
        // One with a password is ready, too.
        asked.is_ok() && (answer.starts_with("+PONG") || answer.starts_with("-NOAUTH")) && self.id().is_some()
    }

    /// Its process.
    fn id(&self) -> Option<u32> {
        fs::read_to_string(self.dir.path().join("pid")).ok()?.trim().parse().ok()
    }

    /// By a shell that kills it when this process ends, however that ends.
    fn spawn(&self) -> Option<Child> {
        let is_installed = |program: &&str| {
            let mut command = Command::new(program);
            command.arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success())
        };
        let program = ["redis-server", "valkey-server"].into_iter().find(is_installed)?;
        let mut command = Command::new("sh");
        command.args(["-c", "\"$0\" \"$@\" & read -r _; kill -9 $!", program]);
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.args(["--maxmemory", "0", "--pidfile", "pid", "--daemonize", "no"]).args(&self.arguments);
        command.current_dir(self.dir.path()).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Some(command.spawn().unwrap())
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// What the log has about this server.
    pub fn name(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn client(&self) -> Client {
        Client::open(self.url()).unwrap()
    }

    pub fn connection(&self) -> Connection {
        self.client().get_connection().unwrap()
    }

    /// Asks it something.
    pub fn ask<T: FromRedisValue>(&self, command: &mut Cmd) -> T {
        command.query(&mut self.connection()).unwrap()
    }

    /// The names of all that it has that begin like this.
    pub fn names(&self, pattern: &str) -> Vec<String> {
        self.ask(cmd("KEYS").arg(pattern))
    }

    /// The only entry.
    pub fn entry(&self) -> String {
        let names = self.names(&format!("tc1:*:{}", "?".repeat(32)));
        let [name] = &*names else { panic!("there are {names:?}") };
        name.clone()
    }

    pub fn kill(&mut self) {
        if let Some(mut shell) = self.process.take() {
            drop(shell.stdin.take());
            shell.wait().unwrap();
            let _ = fs::remove_file(self.dir.path().join("pid"));
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: &str) {
        signal_to(signal, self.id().unwrap());
    }

    /// A cache on it, with a name of its own. It has all the time that it needs.
    pub fn cache(&self) -> RemoteBuilder {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("cache {}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.named(&name)
    }

    pub fn named(&self, name: &str) -> RemoteBuilder {
        rcache(name).server(self.url()).timeout(LONG)
    }

    /// The warnings that name this server.
    pub fn warnings(&self) -> Vec<String> {
        record_logs().warnings(&self.name())
    }

    /// There is one warning about it, which contains this.
    pub fn assert_one_warning(&self, part: &str) {
        let warnings = self.warnings();
        let [warning] = &*warnings else { panic!("{} warnings: {warnings:#?}", warnings.len()) };
        assert!(warning.contains(part), "no {part:?} in: {warning}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

pub fn signal_to(signal: &str, process: u32) {
    assert!(run("sh", &[&"-c", &format!("kill -{signal} {process}")]));
}

pub fn value(key: u64) -> String {
    text(key, 100)
}

/// Stores the texts of these keys.
pub fn insert_all(store: &impl KeyedStore<u64, Value = String>, keys: impl IntoIterator<Item = u64>) {
    keys.into_iter().for_each(|key| store.insert(&key, &value(key)).unwrap());
}

/// How many of these are there, all of them right.
pub fn hits(store: &impl KeyedStore<u64, Value = String>, keys: impl IntoIterator<Item = u64>) -> usize {
    let found = keys.into_iter().filter_map(|key| Some((key, store.get(&key).unwrap()?)));
    found.map(|(key, found)| assert_eq!(found, value(key))).count()
}
