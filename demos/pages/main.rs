//! An async function that an attribute caches: it fetches and parses each page of a site once.
//!
//! ```text
//! cargo run --release --example pages -- [--fresh]
//! ```
//!
//! The program starts a small server of its own, which counts requests. First, a hundred tasks ask for the same page at
//! once. Then the program follows all links, and visits all pages again. Last, it asks for a page that does not exist.
//! A table shows the number of requests of each step. Run it twice: the second run finds all pages on disk, although
//! its server has another port. `--fresh` clears the cache first.

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

/// Fetches and parses the page at this path, or returns the result of an earlier call, also from an earlier run.
///
/// The address is not part of the key, because the port changes with each run and the pages do not. If you change this
/// function or `Page::parse`, raise the version: then older results are not used any more.
#[ucache(name = "pages", version = 1, skip(site))]
async fn page(site: SocketAddr, path: &str) -> io::Result<Page> {
    let body = client::get(site, path).await?;
    Page::parse(&body)
}

/// A hundred tasks ask for the same page at once. One of them fetches it, and the others wait for its result.
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

/// Follows all links from the first page on, with a task for each link, and returns the paths.
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

/// Visits the same pages again, one after the other.
async fn revisit(site: SocketAddr, paths: &BTreeSet<String>) -> io::Result<()> {
    for path in paths {
        page(site, path).await?;
    }
    Ok(())
}

/// Asks twice for a page that does not exist, and returns the second error. An error is returned, but not cached.
async fn miss(site: SocketAddr) -> Option<io::Error> {
    let _first = page(site, "/nowhere").await;
    page(site, "/nowhere").await.err()
}

/// Runs all steps and reports them.
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
        // This comes after the job, because the first use of the cache chooses the backend.
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
