//! Options that there are not, or not for this attribute.

use twat_cache::{bcache, fcache, mcache, rcache, scache, ucache};

#[mcache(max_entrys = 3)]
fn unknown(n: u32) -> u32 {
    n
}

#[mcache(dir = "x")]
fn memory_has_no_directory(n: u32) -> u32 {
    n
}

#[bcache(max_entries = 3)]
fn disk_has_no_entries(n: u32) -> u32 {
    n
}

#[scache(max_entries = 3)]
fn shared_has_no_entries(n: u32) -> u32 {
    n
}

#[fcache(compress)]
fn files_are_not_compressed(n: u32) -> u32 {
    n
}

#[rcache(dir = "x")]
fn a_server_has_no_directory(n: u32) -> u32 {
    n
}

#[scache(server = "redis://localhost/")]
fn shared_has_no_server(n: u32) -> u32 {
    n
}

#[ucache(access = 3)]
fn not_for_ucache(n: u32) -> u32 {
    n
}

#[mcache(depends(unknown))]
fn memory_has_no_version(n: u32) -> u32 {
    n
}

#[bcache(on_evict = |_, _| ())]
fn disk_tells_no_evictions(n: u32) -> u32 {
    n
}

fn main() {}
