//! `skip` of what is no argument.

use twat_cache::mcache;

#[mcache(skip(conection))]
fn query(connection: &str, question: &str) -> usize {
    connection.len() + question.len()
}

#[mcache(skip(self))]
fn no_method(n: u32) -> u32 {
    n
}

#[mcache(skip(n))]
fn no_arguments() -> u32 {
    3
}

fn main() {}
