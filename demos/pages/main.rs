//! An async function, remembered by an attribute: pages of a site, each fetched and parsed once.
//!
//! ```text
//! cargo run --release --example pages -- [--fresh]
//! ```
//!
//! The site is a small server that the program starts itself, and that counts what is asked of it. A hundred tasks ask
//! for the same page at once; then all pages are visited, link by link, and visited again; then one is asked for that
//! is not there. A table says how many requests it took. Run it twice: the second run finds all pages on disk, although
//! its server has another port. `--fresh` forgets them first.

mod client;
mod html;
mod report;
mod server;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::{env, error};

use tokio::task::JoinSet;
use twat_cache::ucache;

use crate::html::Page;
use crate::report::Report;
use crate::server::Server;

/// The page at this path, fetched and parsed; or as it was, when this or an earlier run of the program did so.
///
/// The address is skipped: the same path is the same page, whatever port the server has today. Whoever changes what
/// becomes of a page, here or in `Page::parse`, raises the version, and what was stored before is not seen any more.
#[ucache(name = "pages", version = 1, skip(site))]
async fn page(site: SocketAddr, path: &str) -> io::Result<Page> {
    let body = client::get(site, path).await?;
    Page::parse(&body)
}

/// So many tasks ask for the same page at once: one of them fetches it, the others wait for that.
async fn stampede(site: SocketAddr) -> io::Result<()> {
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        tasks.spawn(page(site, "/"));
    }
    while let Some(page) = tasks.join_next().await {
        page??;
    }
    Ok(())
}

/// Follows all links from the first page on, a task for each; gives the paths.
async fn crawl(site: SocketAddr) -> io::Result<BTreeSet<String>> {
    let visit = |path: String| async move { page(site, &path).await };
    let mut found = BTreeSet::from(["/".to_owned()]);
    let mut tasks = JoinSet::new();
    tasks.spawn(visit("/".to_owned()));
    while let Some(page) = tasks.join_next().await {
        for link in page??.links {
            if found.insert(link.clone()) {
                tasks.spawn(visit(link));
            }
        }
    }
    Ok(found)
}

/// The same pages once more, one after the other.
async fn revisit(site: SocketAddr, paths: &BTreeSet<String>) -> io::Result<()> {
    for path in paths {
        page(site, path).await?;
    }
    Ok(())
}

/// An error is returned as it is, and not remembered: it may be gone the next time. Gives the last one.
async fn miss(site: SocketAddr) -> Option<io::Error> {
    let _first = page(site, "/nowhere").await;
    page(site, "/nowhere").await.err()
}

/// The job, and what it took.
async fn run(fresh: bool) -> Result<Report, Box<dyn error::Error>> {
    if fresh {
        page::clear()?;
    }
    let server = Server::start().await?;
    let site = server.address();
    let mut report = Report::new(page::len()?);

    report.step("stampede", &server, stampede(site)).await?;
    let paths = report.step("crawl", &server, crawl(site)).await?;
    report.step("again", &server, revisit(site, &paths)).await?;
    report.error = report.step("missing", &server, miss(site)).await;
    Ok(report)
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let fresh = arguments == ["--fresh"];
    if !fresh && !arguments.is_empty() {
        eprintln!("usage: pages [--fresh]");
        return ExitCode::from(2);
    }
    let written = run(fresh).await.and_then(|report| {
        // After the job: what serves is chosen when it is first used.
        Ok(writeln!(io::stdout(), "{report}\nserved from {}", page::memo().describe())?)
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pages: {error}");
            ExitCode::FAILURE
        }
    }
}
