//! A minimal HTTP client for the server in `server.rs`.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Fetches the body of this path. Any status but `200` is an error.
pub(crate) async fn get(site: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(site).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {site}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    body(&answer, path)
}

fn body(answer: &str, path: &str) -> io::Result<String> {
    let cut_short = || io::Error::new(io::ErrorKind::UnexpectedEof, format!("{path}: the answer was cut short"));
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(cut_short)?;
    let mut lines = head.lines();
    let (_, status) = lines.next().and_then(|first| first.split_once(' ')).unwrap_or_default();
    if !status.starts_with("200") {
        let kind = if status.starts_with("404") { io::ErrorKind::NotFound } else { io::ErrorKind::Other };
        return Err(io::Error::new(kind, format!("{path}: {status}")));
    }
    // A body that was cut short must not be cached.
    let length = lines.find_map(|line| line.strip_prefix("Content-Length: ")).and_then(|length| length.parse().ok());
    if length == Some(body.len()) { Ok(body.to_owned()) } else { Err(cut_short()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_answer_counts() {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage";
        assert_eq!(body(answer, "/").unwrap(), "page");
        for end in 0..answer.len() {
            assert!(body(&answer[..end], "/").is_err(), "{end}");
        }
    }

    #[test]
    fn an_error_says_what_the_server_said() {
        let error = body("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "/x").unwrap_err();
        assert_eq!((error.kind(), error.to_string()), (io::ErrorKind::NotFound, "/x: 404 Not Found".to_owned()));
    }
}
