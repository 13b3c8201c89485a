//! Another cache of files, used as its documentation says: `cacache`.

use tempfile::TempDir;
use twat_cache_benches::sample;

use crate::by_hand::directory;

pub(crate) const NAME: &str = "`cacache`";

pub(crate) fn filled(keys: &[u64], length: usize) -> TempDir {
    let dir = directory();
    for key in keys {
        set(&dir, *key, &sample::text(*key, length));
    }
    dir
}

pub(crate) fn get(dir: &TempDir, key: u64) -> Vec<u8> {
    cacache::read_sync(dir.path(), key.to_string()).expect("it is stored")
}

pub(crate) fn set(dir: &TempDir, key: u64, value: &String) {
    cacache::write_sync(dir.path(), key.to_string(), value).expect("there is room");
}
