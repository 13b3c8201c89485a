//! A slow site of a few pages on this machine, which counts requests.

use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// The number of pages.
pub(crate) const PAGES: usize = 60;
/// The duration of a request. It lets simultaneous requests overlap.
const DELAY: Duration = Duration::from_millis(20);

/// A server that runs as long as the runtime in which it was started.
pub(crate) struct Server {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Server {
    /// Starts the server on a free port.
    pub(crate) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (address, requests) = (listener.local_addr()?, Arc::new(AtomicUsize::new(0)));
        let counter = requests.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::Relaxed);
                // An error of one connection does not affect the others.
                tokio::spawn(answer(stream));
            }
        });
        Ok(Self { address, requests })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The number of requests until now.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

async fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut lines = BufReader::new(&mut stream).lines();
    let request = lines.next_line().await?.unwrap_or_default();
    // Reads the rest of the head: if a connection is closed with unread input, the client may lose the answer.
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

/// The pages are a tree. Each page links to the first page and to the two pages below it.
fn html(path: &str) -> Option<String> {
    let number =
        if path == "/" { 1 } else { path.strip_prefix('/')?.parse().ok().filter(|n| (2..=PAGES).contains(n))? };
    let mut html = format!("<!doctype html><title>Page {number}</title><ul><li><a href=\"/\">Page 1</a>");
    for below in [2 * number, 2 * number + 1].into_iter().filter(|below| *below <= PAGES) {
        // Writing into a string cannot fail.
        let _ = write!(html, "<li><a href=\"/{below}\">Page {below}</a>");
    }
    Some(html + "</ul>")
}
