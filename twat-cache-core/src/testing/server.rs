//! A real server that speaks the protocol of Redis: Redis or Valkey, whichever is installed.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use tempfile::TempDir;

use super::child::command;
use super::dirs::volatile_dir;
use super::system::run;
use super::time::until;

/// A server on a free port of this machine, in a directory of its own. It ends when this is dropped, and with this process.
#[derive(Debug)]
pub struct Server {
    port: u16,
    dir: TempDir,
    arguments: Vec<String>,
    process: Option<Child>,
}

/// If this variable is 1, a test that needs a server fails where none is installed.
const REQUIRED: &str = "TWAT_CACHE_REQUIRE_SERVER";

/// Runs the server until the input of the shell ends, which is when the process that has started it is gone.
const UNTIL_INPUT_ENDS: &str = "\"$0\" \"$@\" & read -r _; kill -9 $!";

impl Server {
    /// Starts a server. `None` if none is installed, which is said with the name of the test.
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// Starts a server with these arguments.
    pub fn start_with(arguments: &[&str]) -> Option<Self> {
        let mut server = Self::stopped(arguments);
        server.run().then_some(server)
    }

    /// Starts three servers that are a cluster.
    pub fn start_cluster() -> Option<[Self; 3]> {
        let nodes = [Self::start_node()?, Self::start_node()?, Self::start_node()?];
        let addresses = nodes.each_ref().map(|node| format!("127.0.0.1:{}", node.port));
        let [first, second, third] = &addresses;
        let tool = program()?.replace("server", "cli");
        assert!(
            run(&tool, &[&"--cluster", &"create", first, second, third, &"--cluster-yes"]),
            "{tool} makes no cluster"
        );
        until("the nodes agree", || {
            nodes.iter().all(|node| node.says("CLUSTER INFO", "cluster_state:ok").unwrap_or(false))
        });
        Some(nodes)
    }

    /// Starts a server that can become a node of a cluster.
    pub fn start_node() -> Option<Self> {
        let port = free_port().to_string();
        Self::start_with(&[
            "--cluster-enabled",
            "yes",
            "--cluster-config-file",
            "nodes",
            "--cluster-port",
            &port,
            "--cluster-node-timeout",
            "3000",
        ])
    }

    /// One that is not running yet.
    pub fn stopped(arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(ToString::to_string).collect();
        Self { port: free_port(), dir: volatile_dir(), arguments, process: None }
    }

    /// Starts it, also after [`kill`](Self::kill). `false` if none is installed.
    pub fn run(&mut self) -> bool {
        let Some(program) = program() else {
            let test = thread::current().name().unwrap_or_default().to_owned();
            assert!(env::var_os(REQUIRED).is_none_or(|value| value != "1"), "no server is installed for {test}");
            // Not by `eprintln!`, which shows only what tests print that fail.
            let why = "because neither redis-server nor valkey-server is installed";
            let _ = writeln!(io::stderr(), "skipped: {test}, {why}");
            return false;
        };
        // Another program may take the port before the server does.
        for _ in 0..10 {
            self.process = Some(self.spawn(program));
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
        panic!("{program} does not start");
    }

    fn spawn(&self, program: &str) -> Child {
        let port = self.port.to_string();
        let mut command = command("sh", ["-c", UNTIL_INPUT_ENDS, program, "--port", &port, "--bind", "127.0.0.1"]);
        command.args(["--save", "", "--appendonly", "no", "--maxmemory", "0", "--pidfile", "pid", "--daemonize", "no"]);
        command.args(&self.arguments).current_dir(self.dir.path());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Whether it answers, and not another program. One with a password does, too.
    fn is_ready(&self) -> bool {
        let is_there = ["PONG", "NOAUTH"].iter().any(|word| self.says("PING", word).unwrap_or(false));
        is_there && self.id().is_some()
    }

    /// Whether the answer to this contains that.
    fn says(&self, question: &str, part: &str) -> io::Result<bool> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        write!(stream, "{question}\r\nQUIT\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.contains(part))
    }

    /// Its process.
    fn id(&self) -> Option<u32> {
        fs::read_to_string(self.dir.path().join("pid")).ok()?.trim().parse().ok()
    }

    /// Ends it. What it had is lost.
    pub fn kill(&mut self) {
        if let Some(mut shell) = self.process.take() {
            drop(shell.stdin.take());
            let _ = shell.wait();
            let _ = fs::remove_file(self.dir.path().join("pid"));
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: &str) {
        assert!(run("sh", &[&"-c", &format!("kill -{signal} {}", self.id().unwrap())]));
    }

    /// The port of this machine on which it is.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of the server.
    pub fn url(&self) -> String {
        format!("{}/", self.name())
    }

    /// What the log has about it.
    pub fn name(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The server that is installed.
fn program() -> Option<&'static str> {
    ["redis-server", "valkey-server"].into_iter().find(|program| run(program, &[&"--version"]))
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}
