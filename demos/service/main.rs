//! A web service in two processes that share one cache: a stampede of requests to both makes one computation.
//!
//! ```text
//! redis-server --port 6379 &
//! TWAT_CACHE_SERVER=redis://127.0.0.1/ cargo run --release --example service
//! ```
//!
//! The program starts itself twice as a small web service, and sends 20 requests for the same report to each at once. Then it sends
//! them again, and again after one of the services has forgotten the report. It prints the number of computations of each step.
//! Without a server, it says so, and each process computes for itself.

mod http;
#[cfg(test)]
mod tests;

use std::io::{self, BufRead as _, BufReader, Lines};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, ChildStdout, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, error, thread};

use twat_cache::rcache;

/// The number of requests that each process gets at once.
const REQUESTS: usize = 20;

static COMPUTED: AtomicUsize = AtomicUsize::new(0);

/// The slow function. Its results are on the server that `$TWAT_CACHE_SERVER` names.
#[rcache(name = "demo of a service", ttl = Duration::from_secs(60), timeout = Duration::from_secs(5))]
fn report(city: &str) -> String {
    COMPUTED.fetch_add(1, Ordering::Relaxed);
    thread::sleep(Duration::from_millis(500));
    format!("{city} has {} letters", city.chars().count())
}

/// What the service answers to a request for this path.
fn answer(path: &str) -> Option<String> {
    match path.strip_prefix('/')?.split_once('/') {
        Some(("report", city)) => Some(report(city)),
        Some(("forget", city)) => {
            Some(report::forget(city).map_or_else(|error| error.to_string(), |was| was.to_string()))
        }
        None if path == "/computed" => Some(COMPUTED.load(Ordering::Relaxed).to_string()),
        _ => None,
    }
}

const ANNOUNCEMENT: &str = "listening on ";

/// Serves until the process that has started this one is gone.
fn serve() -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("{ANNOUNCEMENT}{}", listener.local_addr()?);
    thread::spawn(move || {
        // A thread for each request, as in a larger service.
        listener.incoming().flatten().for_each(|stream| _ = thread::spawn(move || http::respond(stream, answer)));
    });
    io::copy(&mut io::stdin(), &mut io::sink()).map(drop)
}

type Anything<T> = Result<T, Box<dyn error::Error>>;

/// A service in another process. It ends when this is dropped.
struct Service {
    process: Child,
    address: SocketAddr,
    /// Open, so that the process can print.
    _output: Lines<BufReader<ChildStdout>>,
}

impl Service {
    /// Starts this program as a service, by this command.
    fn start(mut command: Command) -> Anything<Self> {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut output = BufReader::new(process.stdout.take().ok_or("no output")?).lines();
        let mut lines = output.by_ref().map_while(Result::ok);
        let address = lines.find_map(|line| Some(line.split_once(ANNOUNCEMENT)?.1.parse()));
        Ok(Self { process, address: address.ok_or("the service does not start")??, _output: output })
    }

    fn get(&self, path: &str) -> io::Result<String> {
        http::get(self.address, path)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// What a step has cost.
#[derive(Debug, PartialEq)]
struct Step {
    name: &'static str,
    computations: usize,
    took: Duration,
}

/// How many reports all services have computed.
fn computed(services: &[Service]) -> Anything<usize> {
    services.iter().map(|service| Ok(service.get("/computed")?.parse::<usize>()?)).sum()
}

/// Sends all requests at once.
fn stampede(name: &'static str, services: &[Service]) -> Anything<Step> {
    let (before, begun) = (computed(services)?, Instant::now());
    thread::scope(|scope| -> io::Result<()> {
        let requests = services.iter().cycle().take(REQUESTS * services.len());
        let requests: Vec<_> = requests.map(|service| scope.spawn(|| service.get("/report/Riga"))).collect();
        for request in requests {
            let answer = request.join().map_err(|_| io::Error::other("a request panicked"))??;
            assert_eq!(answer, "Riga has 4 letters");
        }
        Ok(())
    })?;
    Ok(Step { name, took: begun.elapsed(), computations: computed(services)? - before })
}

/// Runs all steps with two services that this command starts.
fn run(command: impl Fn() -> Command) -> Anything<Vec<Step>> {
    if let Err(error) = report::clear() {
        println!("{error}");
    }
    let services = [Service::start(command())?, Service::start(command())?];
    let mut steps = vec![stampede("a new report", &services)?, stampede("the same report", &services)?];
    services[0].get("/forget/Riga")?;
    steps.push(stampede("after one of them has forgotten it", &services)?);
    Ok(steps)
}

/// What the user should know if no server is named.
fn notice() -> Option<&'static str> {
    env::var_os("TWAT_CACHE_SERVER").is_none().then_some(
        "$TWAT_CACHE_SERVER names no server, so each process computes for itself, and remembers in its own memory.\n\
         With a Redis or Valkey server: TWAT_CACHE_SERVER=redis://127.0.0.1/ cargo run --example service",
    )
}

fn program() -> Anything<()> {
    if env::args().nth(1).as_deref() == Some("serve") {
        return Ok(serve()?);
    }
    if let Some(notice) = notice() {
        println!("{notice}\n");
    }
    let program = env::current_exe()?;
    let steps = run(|| {
        let mut command = Command::new(&program);
        command.arg("serve");
        command
    })?;
    println!("results are kept by {}", report::memo().describe());
    for Step { name, computations, took } in steps {
        println!("{name}: {REQUESTS} requests to each of 2 processes, computations: {computations}, {took:.0?}");
    }
    Ok(())
}

fn main() -> ExitCode {
    match program() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
