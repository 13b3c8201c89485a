//! A view of a result that serde stores.

use std::path::PathBuf;

use twat_cache::fcache;

#[fcache]
fn path(n: u32) -> Result<PathBuf, String> {
    Ok(PathBuf::from(n.to_string()))
}

#[fcache]
fn text(n: u32) -> String {
    n.to_string()
}

fn main() {
    let _ = text::view(1);
    let _ = path(1);
    let _ = path::view(1);
}
