//! The same work by hand, without a cache.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use rkyv::rancor;
use rkyv::vec::ArchivedVec;
use tempfile::TempDir;

/// Makes a directory on the disk that is measured.
pub(crate) fn directory() -> TempDir {
    let parent = std::env::var_os("TWAT_BENCH_DIR").map_or_else(|| env!("CARGO_TARGET_TMPDIR").into(), PathBuf::from);
    fs::create_dir_all(&parent).and_then(|()| TempDir::new_in(&parent)).expect("the target directory is writable")
}

/// Opens, maps and validates the entry in a file, and reads its last number.
#[expect(unsafe_code, reason = "that is how it is done by hand")]
pub(crate) fn last_number(path: &Path) -> f64 {
    let file = File::open(path).expect("it is there");
    // SAFETY: no process changes the file while the bench runs.
    let map = unsafe { Mmap::map(&file) }.expect("there is room for it");
    // The value begins after the header.
    let numbers = rkyv::access::<ArchivedVec<rkyv::rend::f64_le>, rancor::Error>(&map[64..]).expect("it is whole");
    numbers[numbers.len() - 1].to_native()
}

/// Archives a value in memory and writes it.
pub(crate) fn store_whole(path: &Path, value: &Vec<f64>) {
    let bytes = rkyv::to_bytes::<rancor::Error>(value).expect("they are numbers");
    fs::write(path, &bytes).expect("there is room");
}

/// Stores small values: each is written to a new file, which is then renamed.
pub(crate) struct Files(PathBuf);

impl Files {
    pub(crate) fn new(dir: &Path) -> Self {
        fs::create_dir(dir.join("tmp")).expect("it is new");
        for part in 0..256 {
            fs::create_dir(dir.join(format!("{part:02x}"))).expect("it is new");
        }
        Self(dir.to_owned())
    }

    pub(crate) fn store(&self, key: u64, value: &String) {
        let bytes = rkyv::to_bytes::<rancor::Error>(value).expect("it is a text");
        let temp = self.0.join("tmp").join(format!("{key:016x}"));
        let mut file = File::create_new(&temp).expect("it is new");
        file.write_all(&bytes).expect("there is room");
        drop(file);
        let part = key % 256;
        fs::rename(temp, self.0.join(format!("{part:02x}/{key:016x}"))).expect("it is there");
    }
}
