//! A real server.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;
use twat_cache_remote::redis::{Client, Connection};
use twat_cache_remote::{RemoteBuilder, rcache};

/// It ends when this is dropped.
pub(crate) struct Server {
    pub(crate) port: u16,
    process: Child,
    _dir: TempDir,
}

impl Server {
    /// `None` if none is installed.
    pub(crate) fn start() -> Option<Self> {
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).ok()?.port();
        let dir = TempDir::new().ok()?;
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        let process = command.current_dir(dir.path()).stdout(Stdio::null()).spawn().ok()?;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            sleep(Duration::from_millis(5));
        }
        Some(Self { port, process, _dir: dir })
    }

    pub(crate) fn client(&self) -> Client {
        Client::open(url(self.port)).expect("it is a URL")
    }

    pub(crate) fn connection(&self) -> Connection {
        self.client().get_connection().expect("the server runs")
    }

    pub(crate) fn signal(&self, signal: &str) {
        let process = self.process.id().to_string();
        assert!(Command::new("kill").args([signal, &process]).status().is_ok_and(|status| status.success()));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn url(port: u16) -> String {
    format!("redis://127.0.0.1:{port}/")
}

/// A cache on it.
pub(crate) fn cache(port: u16) -> RemoteBuilder {
    rcache("bench").server(url(port))
}
