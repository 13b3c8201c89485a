//! A site of a few pages on this machine, which takes its time, and counts.

use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// How many pages there are.
pub(crate) const PAGES: usize = 60;
/// How long each takes, so that those who ask at once overlap.
const DELAY: Duration = Duration::from_millis(20);

/// It runs for as long as the runtime in which it was started.
pub(crate) struct Server {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Server {
    /// On a port that is free.
    pub(crate) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (address, requests) = (listener.local_addr()?, Arc::new(AtomicUsize::new(0)));
        let counter = requests.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::Relaxed);
                // One that hangs up is none of the others' business.
                tokio::spawn(answer(stream));
            }
        });
        Ok(Self { address, requests })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many requests there were.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

async fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut lines = BufReader::new(&mut stream).lines();
    let request = lines.next_line().await?.unwrap_or_default();
    // The rest of the head; one that is closed before all of it is read could take the answer with it.
    while lines.next_line().await?.is_some_and(|line| !line.is_empty()) {}
    sleep(DELAY).await;
    let (status, body) = match request.split(' ').nth(1).and_then(html) {
        Some(body) => ("200 OK", body),
        None => ("404 Not Found", String::new()),
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all((head + &body).as_bytes()).await?;
    stream.shutdown().await
}

/// A tree, of which each page links to the first one and to the two below it.
fn html(path: &str) -> Option<String> {
    let number =
        if path == "/" { 1 } else { path.strip_prefix('/')?.parse().ok().filter(|n| (2..=PAGES).contains(n))? };
    let mut html = format!("<!doctype html><title>Page {number}</title><ul><li><a href=\"/\">Page 1</a>");
    for below in [2 * number, 2 * number + 1].into_iter().filter(|below| *below <= PAGES) {
        // To write into a string cannot fail.
        let _ = write!(html, "<li><a href=\"/{below}\">Page {below}</a>");
    }
    Some(html + "</ul>")
}
