//! Other databases, used as their documentation says, with settings that suit a cache: no write waits for the disk.

use std::hint::black_box;

use cached::{ConcurrentCached, RedbCache};
use redb::{Durability, ReadableDatabase, TableDefinition};
use rusqlite::{Connection, params};
use tempfile::TempDir;
use twat_cache_benches::{Race, over_windows, sample};

use crate::databases::directory;
use crate::over_new;

const CACHED: &str = "`cached::RedbCache`";
const REDB: &str = "`redb`";
const SQLITE: &str = "`rusqlite`";

const TABLE: TableDefinition<u64, &str> = TableDefinition::new("bench");

/// How many entries one transaction writes while a table is filled.
const FILL: usize = 1000;

pub(crate) struct Peers {
    cached: RedbCache<u64, String>,
    redb: redb::Database,
    sqlite: Connection,
    length: usize,
    _dirs: [TempDir; 3],
}

impl Peers {
    pub(crate) fn filled(keys: &[u64], length: usize) -> Self {
        let dirs = [(); 3].map(|()| directory());
        let cached = RedbCache::builder("bench").disk_dir(dirs[0].path()).durable(false);
        let cached = cached.build().expect("it is a new directory");
        let redb = redb::Database::create(dirs[1].path().join("redb")).expect("it is a new directory");
        let sqlite = Connection::open(dirs[2].path().join("sqlite")).expect("it is a new directory");
        sqlite
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
                 CREATE TABLE bench (key INTEGER PRIMARY KEY, value TEXT NOT NULL)",
            )
            .expect("it is a new database");
        let peers = Self { cached, redb, sqlite, length, _dirs: dirs };
        // Makes an empty table, because reading a missing table fails.
        peers.insert_redb(&[]);
        for keys in keys.chunks(FILL) {
            let values: Vec<_> = keys.iter().map(|key| (*key, sample::text(*key, length))).collect();
            for (key, value) in &values {
                peers.insert_cached(*key, value);
            }
            peers.insert_redb(&values);
            let transaction = peers.sqlite.unchecked_transaction().expect("there is no other");
            for (key, value) in &values {
                peers.insert_sqlite(*key, value);
            }
            transaction.commit().expect("there is room");
        }
        peers
    }

    /// Adds the databases to a race of hits.
    pub(crate) fn enter<'a>(&'a self, race: &mut Race<'a>, keys: &'a [u64], window: usize) {
        race.add(CACHED, move || {
            over_windows(keys, window, |key| {
                let value: Option<String> = self.cached.cache_get(key).expect("it is open");
                black_box(value.expect("it is stored"));
            })
        });
        race.add(REDB, move || {
            over_windows(keys, window, |key| {
                let reading = self.redb.begin_read().expect("it is open");
                let table = reading.open_table(TABLE).expect("it is there");
                let value = table.get(key).expect("it is open").expect("it is stored");
                black_box(value.value().to_owned());
            })
        });
        race.add(SQLITE, move || {
            over_windows(keys, window, |key| {
                let query = self.sqlite.prepare_cached("SELECT value FROM bench WHERE key = ?1");
                let value: String = query
                    .and_then(|mut query| query.query_row([key.cast_signed()], |row| row.get(0)))
                    .expect("it is stored");
                black_box(value);
            })
        });
    }

    /// Adds the databases to a race of stores. Each store is a transaction of its own.
    pub(crate) fn enter_stores<'a>(&'a self, race: &mut Race<'a>, batch: usize) {
        assert_eq!(self.length, 100, "a fair race");
        race.add(CACHED, move || over_new(batch, |number, value| self.insert_cached(number, value)));
        race.add(REDB, move || over_new(batch, |number, value| self.insert_redb(&[(number, value.clone())])));
        race.add(SQLITE, move || over_new(batch, |number, value| self.insert_sqlite(number, value)));
    }

    fn insert_cached(&self, key: u64, value: &str) {
        self.cached.cache_set(key, value.to_owned()).expect("it is open");
    }

    fn insert_redb(&self, values: &[(u64, String)]) {
        let mut writing = self.redb.begin_write().expect("it is open");
        // The first transaction makes the table, which must be durable.
        if !values.is_empty() {
            writing.set_durability(Durability::None).expect("there are no savepoints");
        }
        let mut table = writing.open_table(TABLE).expect("it is ours");
        for (key, value) in values {
            table.insert(key, value.as_str()).expect("there is room");
        }
        drop(table);
        writing.commit().expect("there is room");
    }

    fn insert_sqlite(&self, key: u64, value: &str) {
        let insert = self.sqlite.prepare_cached("INSERT OR REPLACE INTO bench VALUES (?1, ?2)");
        insert.and_then(|mut insert| insert.execute(params![key.cast_signed(), value])).expect("there is room");
    }
}
