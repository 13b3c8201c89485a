//! How results are encoded: by rkyv if they are `CacheValue`, and else by serde.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use twat_cache::{bcache, fcache, scache, ucache};
use twat_cache_core::testing::Counter;
use twat_cache_core::testing::child::{Child, Task};

/// Where a child process keeps its results.
static DIR: OnceLock<PathBuf> = OnceLock::new();

fn dir() -> PathBuf {
    DIR.get().expect("a child's").clone()
}

static COMPUTED: Counter = Counter::new();

/// A type with serde's derives alone, and what rkyv does not know inside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Report {
    file: PathBuf,
    time: SystemTime,
    title: Cow<'static, str>,
    body: Value,
}

fn report(n: u32) -> Report {
    let time = SystemTime::UNIX_EPOCH + Duration::new(1 << 30, n);
    Report {
        file: "a//b".into(),
        time,
        title: format!("report {n}").into(),
        body: json!({ "n": n, "all": [null, 0.1] }),
    }
}

macro_rules! values {
    ($($name:ident: $attribute:ident;)+) => {
        $(
            mod $name {
                use super::*;

                #[$attribute(dir = dir())]
                fn path(n: u32) -> PathBuf {
                    COMPUTED.count();
                    PathBuf::from(format!("a//{n}/"))
                }

                #[$attribute(dir = dir())]
                fn time(n: u32) -> Result<SystemTime, Box<dyn std::error::Error>> {
                    COMPUTED.count();
                    Ok(SystemTime::UNIX_EPOCH + Duration::new(1, n))
                }

                #[$attribute(dir = dir())]
                async fn text(n: u32) -> Cow<'static, str> {
                    COMPUTED.count();
                    if n == 0 { "none".into() } else { n.to_string().into() }
                }

                #[$attribute(dir = dir())]
                fn json(n: u32) -> Option<Value> {
                    COMPUTED.count();
                    (n > 0).then(|| json!({ "n": [n, "text", 0.5] }))
                }

                #[$attribute(dir = dir())]
                async fn reports(n: u32) -> Result<Vec<Report>, String> {
                    COMPUTED.count();
                    Ok((0..n).map(report).collect())
                }

                #[$attribute(dir = dir())]
                fn number(n: u32) -> (u32, Vec<f64>) {
                    COMPUTED.count();
                    (n, vec![0.0, -0.0])
                }

                #[$attribute(dir = dir(), serde)]
                fn forced(n: u32) -> Result<(u32, Vec<u64>), String> {
                    COMPUTED.count();
                    Ok((n, vec![1]))
                }

                pub(super) struct Author;

                impl Author {
                    #[$attribute(dir = dir(), skip(self))]
                    fn report(&self, n: u32) -> Report {
                        COMPUTED.count();
                        report(n)
                    }

                    #[$attribute(dir = dir(), serde)]
                    fn forced(n: u32) -> Result<u32, String> {
                        COMPUTED.count();
                        Ok(n)
                    }
                }

                /// Computes this many results.
                pub(super) const COUNT: u64 = 9;

                pub(super) fn check() {
                    use futures_lite::future::block_on;
                    for _ in 0..2 {
                        assert_eq!(path(1).as_os_str(), "a//1/");
                        assert_eq!(time(2).unwrap(), SystemTime::UNIX_EPOCH + Duration::new(1, 2));
                        assert_eq!(block_on(text(3)), "3");
                        assert_eq!(json(4), Some(json!({ "n": [4, "text", 0.5] })));
                        assert_eq!(block_on(reports(3)), Ok(vec![report(0), report(1), report(2)]));
                        let (n, floats) = number(5);
                        assert_eq!((n, floats.map_to_bits()), (5, vec![0, 1 << 63]));
                        assert_eq!(forced(6), Ok((6, vec![1])));
                        assert_eq!((Author.report(7), Author::forced(8)), (report(7), Ok(8)));
                    }
                }
            }
        )+
    };
}

trait MapToBits {
    fn map_to_bits(&self) -> Vec<u64>;
}

impl MapToBits for Vec<f64> {
    fn map_to_bits(&self) -> Vec<u64> {
        self.iter().map(|float| float.to_bits()).collect()
    }
}

values! {
    on_disk: bcache;
    shared: scache;
    in_files: fcache;
    wherever: ucache;
}

#[test]
fn another_process_finds_values_of_all_codecs() {
    const NAME: &str = "values::another_process_finds_values_of_all_codecs";
    if let Some(task) = Task::given() {
        DIR.get_or_init(|| task.dir.clone());
        let computed = [on_disk::check, shared::check, in_files::check, wherever::check].map(|check| {
            let before = COMPUTED.get();
            check();
            COMPUTED.get() - before
        });
        task.say(format!("{computed:?}"));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let counts = [on_disk::COUNT, shared::COUNT, in_files::COUNT, wherever::COUNT];
    assert_eq!(Child::start(NAME, dir.path()).finish(), [format!("{counts:?}")]);
    assert_eq!(Child::start(NAME, dir.path()).finish(), ["[0, 0, 0, 0]"]);
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Kind {
    Small(u8),
    Large { n: u64 },
}

#[test]
fn serde_stores_what_it_returns() {
    #[bcache(dir = crate::dir("values"))]
    fn kind(n: u64) -> Kind {
        u8::try_from(n).map_or(Kind::Large { n }, Kind::Small)
    }
    for n in [1, 1000] {
        assert_eq!(kind(n), kind::uncached(n));
    }
    assert_eq!((kind::len().unwrap(), kind::store().has_switched()), (2, false));
}
