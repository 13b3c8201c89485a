//! Several processes in one directory.

use twat_cache_core::testing::assert_one_warning;
use twat_cache_core::testing::child::{Child, Task};

use super::*;

/// Does what it is told, and says the result.
#[test]
fn child_that_uses_the_cache() {
    let Some(mut task) = Task::given() else { return };
    let dir = task.dir.clone();
    // The function gives what the parent has said last.
    let now = std::sync::Mutex::new(String::new());
    let memo = ucache("texts").dir(dir).wrap(|key: &u64| format!("{key} {}", now.lock().unwrap()));
    while let Some(order) = task.order() {
        let (what, key) = order.split_once(' ').unwrap();
        let key: u64 = key.parse().unwrap_or_default();
        match what {
            "now" => {
                *now.lock().unwrap() = order.clone();
                task.say("");
            }
            "call" => task.say(memo.call(&key)),
            "refresh" => task.say(memo.refresh(&key)),
            "forget" => task.say(memo.forget(&key).is_ok()),
            "clear" => task.say(memo.clear().is_ok()),
            _ => task.say(format_args!("{:?}", memo.store().backend())),
        }
    }
}

struct Process(Child);

impl Process {
    fn start(dir: &Path) -> Self {
        Self(Child::start("processes::child_that_uses_the_cache", dir))
    }

    fn ask(&mut self, order: &str) -> String {
        self.0.tell(order);
        self.0.hear().expect("the child has failed")
    }
}

#[test]
fn two_processes_behave_as_one_where_the_backend_can_be_shared() {
    if !matches!(BEST, Backend::Shared | Backend::File) {
        return;
    }
    let dir = dir();
    let (mut one, mut other) = (Process::start(dir.path()), Process::start(dir.path()));
    assert_eq!([one.ask("backend "), other.ask("backend ")], [(); 2].map(|()| format!("{BEST:?}")));
    both_say([&mut one, &mut other], "now 1");
    for _ in 0..3 {
        assert_eq!(both_say([&mut one, &mut other], "call 7"), ["7 now 1"; 2]);
    }
    for (n, change) in (2..30).zip(["forget 7", "refresh 7", "clear "].iter().cycle()) {
        both_say([&mut one, &mut other], &format!("now {n}"));
        one.ask(change);
        let said = [other.ask("call 7"), one.ask("call 7"), other.ask("call 7")];
        assert_eq!(said, [(); 3].map(|()| format!("7 now {n}")), "after {change}");
        std::mem::swap(&mut one, &mut other);
    }
}

fn both_say(processes: [&mut Process; 2], order: &str) -> [String; 2] {
    processes.map(|process| process.ask(order))
}

#[test]
fn where_the_backend_is_for_one_process_memory_serves_in_the_others() {
    if BEST != Backend::Disk {
        return;
    }
    let dir = dir();
    let mut first = Process::start(dir.path());
    assert_eq!(first.ask("backend "), "Disk");
    let (memo, computed) = numbers(ucache("numbers").dir(dir.path()));
    call_all(&memo, 0..20);
    call_all(&memo, 0..20);
    assert_one_warning(dir.path(), &["bcache: locked by another process"]);
    assert_eq!(memo.store().backend(), Backend::Memory);
    assert_eq!(computed.get(), 20);
    first.0.finish();
}
