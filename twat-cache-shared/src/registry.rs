//! One database for each directory, shared by all stores of the process.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Weak};

use parking_lot::Mutex;
use twat_cache_core::Process;
use twat_cache_core::persist::canonical;

use crate::database::Database;

type Databases = HashMap<PathBuf, Weak<Database>>;

static DATABASES: LazyLock<(Process, Mutex<Databases>)> = LazyLock::new(Default::default);

/// The database in this cache directory. It is opened when it is first used.
pub(crate) fn database(dir: &Path) -> Arc<Database> {
    let path = canonical(dir);
    let (process, databases) = &*DATABASES;
    let new = || Arc::new(Database::new(path.join("scache"), *process));
    if process.is_forked() {
        // A thread that this process does not have may hold the lock.
        return new();
    }
    let mut databases = databases.lock();
    databases.retain(|_, database| database.strong_count() > 0);
    let found = databases.get(&path).and_then(Weak::upgrade);
    found.unwrap_or_else(|| {
        let new = new();
        databases.insert(path.clone(), Arc::downgrade(&new));
        new
    })
}
