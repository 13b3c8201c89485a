//! Encrypted connections are made to a server whose certificate is right, and to no other.
#![cfg(feature = "tls")]

mod common;

use std::path::Path;
use std::process::Command;

use common::{Server, free_port, value};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::{Counter, block_on, record_logs, volatile_dir};
use twat_cache_remote::rcache;

/// Makes a certificate for `localhost` that is its own authority. `false` if there is no `openssl`.
fn certify(dir: &Path) -> bool {
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]);
    openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    openssl.args(["-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem"]);
    openssl.current_dir(dir).output().is_ok_and(|output| output.status.success())
}

/// Calls twice by each URL, and in a task, and says how often it has computed and warned.
#[test]
fn child_that_trusts_the_certificate() {
    let Some(task) = Task::given() else { return };
    record_logs();
    for host in ["localhost", "127.0.0.1"] {
        let computed = Counter::new();
        let url = format!("rediss://{host}:{}/", task.value("PORT"));
        let memos = [(); 2].map(|()| {
            rcache("texts").server(&url).timeout(common::LONG).wrap(|key: &u64| {
                computed.count();
                value(*key)
            })
        });
        for memo in &memos {
            assert_eq!(memo.call(&1), value(1));
        }
        let tasks = rcache("texts").server(&url).timeout(common::LONG).wrap_async(async |key: &u64| {
            computed.count();
            value(*key)
        });
        assert_eq!(block_on(tasks.call_async(&1)), value(1));
        let warnings = record_logs().warnings(&format!("rediss://{host}"));
        task.say(format_args!("{host}: {} computed, {} warnings", computed.get(), warnings.len()));
    }
}

#[test]
fn a_server_with_a_certificate_is_used_by_its_name_only() {
    let dir = volatile_dir();
    if !certify(dir.path()) {
        eprintln!("skipped: a_server_with_a_certificate_is_used_by_its_name_only, because openssl is not installed");
        return;
    }
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| dir.path().join(name).display().to_string());
    let port = free_port().to_string();
    let arguments = ["--tls-port", &port, "--tls-cert-file", &cert, "--tls-key-file", &key, "--tls-auth-clients", "no"];
    let Some(_server) = Server::start(&arguments) else { return };
    let child =
        Child::with("child_that_trusts_the_certificate", dir.path(), [("PORT", &port), ("SSL_CERT_FILE", &cert)]);
    assert_eq!(child.finish(), ["localhost: 1 computed, 0 warnings", "127.0.0.1: 3 computed, 1 warnings"]);
}
