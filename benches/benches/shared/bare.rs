//! The bare engine, used by hand: the same table, the same settings, and one prepared statement for each purpose.

use std::cell::RefCell;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use rkyv::rancor;
use rkyv::util::AlignedVec;
use twat_cache_benches::sample;
use twat_cache_shared::rusqlite::{Connection, Statement, params};

/// The table of entries as `scache` makes it, and the settings of its connections. Checkpoints are made by the engine.
const SETTINGS: &str = "
    PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;
    PRAGMA cache_size = -2000; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; PRAGMA synchronous = NORMAL;
    PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF;
    CREATE TABLE entry (
        id INTEGER PRIMARY KEY, h INTEGER NOT NULL UNIQUE, digest BLOB NOT NULL, space INTEGER NOT NULL,
        deadline INTEGER NOT NULL, used INTEGER NOT NULL, began INTEGER NOT NULL, sum INTEGER NOT NULL, value BLOB NOT NULL
    );";

const INSERT: &str = "
    INSERT INTO entry (h, digest, space, deadline, used, began, sum, value) VALUES (?1, ?2, 1, 0, 0, 0, ?3, ?4)
    ON CONFLICT (h) DO UPDATE SET digest = excluded.digest, sum = excluded.sum, value = excluded.value";

/// It lives until the end of the bench, so that its statements can borrow it.
pub(crate) struct Bare {
    select: RefCell<Statement<'static>>,
    insert: RefCell<Statement<'static>>,
}

impl Bare {
    pub(crate) fn filled(dir: &Path, keys: &[u64], length: usize) -> Self {
        let connection = Connection::open(dir.join("bare.db")).expect("it is a new directory");
        let connection: &'static Connection = Box::leak(Box::new(connection));
        connection.execute_batch(SETTINGS).expect("it is a new database");
        let prepare = |sql| RefCell::new(connection.prepare(sql).expect("the table is there"));
        let bare = Self { select: prepare("SELECT value FROM entry WHERE h = ?1"), insert: prepare(INSERT) };
        for keys in keys.chunks(1000) {
            let transaction = connection.unchecked_transaction().expect("there is no other");
            for key in keys {
                bare.insert(*key, &sample::text(*key, length));
            }
            transaction.commit().expect("there is room");
        }
        checkpoint(connection);
        bare
    }

    pub(crate) fn get(&self, key: u64) -> Option<String> {
        let mut select = self.select.borrow_mut();
        let mut rows = select.query([handle(key)]).expect("it is open");
        let row = rows.next().expect("it is open")?;
        let found = row.get_ref(0).expect("it is there").as_blob().expect("it is bytes");
        // rkyv needs aligned bytes, and the engine does not align them.
        let mut aligned = AlignedVec::<16>::with_capacity(found.len());
        aligned.extend_from_slice(found);
        Some(rkyv::from_bytes::<_, rancor::Error>(&aligned).expect("it is as it was written"))
    }

    pub(crate) fn insert(&self, key: u64, value: &String) {
        let bytes = rkyv::to_bytes::<rancor::Error>(value).expect("it is a text");
        let digest = [sample::scatter(key), key].map(u64::to_be_bytes);
        let values = params![handle(key), digest.as_flattened(), handle(!key), bytes.as_slice()];
        self.insert.borrow_mut().execute(values).expect("there is room");
    }
}

/// As long as the handles of `scache`: 40 bits and a small number.
fn handle(key: u64) -> i64 {
    (1 << 40) | (sample::scatter(key) >> 24).cast_signed()
}

/// Writes the log into the database, so that no hit looks into the log. Another thread may be doing so, too.
pub(crate) fn checkpoint(connection: &Connection) {
    let is_busy = || connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
    while is_busy().expect("it is open") {
        sleep(Duration::from_millis(10));
    }
}
