//! Which computations wait for which: a cycle among them would be a deadlock.
//!
//! Two memoised functions that call each other can meet: one thread computes `f(1)` and needs `g(1)`, another computes
//! `g(1)` and needs `f(1)`. Without a cache each would compute both. So before a computation waits, it looks whether
//! the flight that it wants waits for it in turn, and computes directly if so.
//!
//! Callers outside any computation cannot be part of a cycle, and cost nothing here.

use std::collections::HashMap;

use crate::sync::Mutex;

use super::stack;

/// From each waiting flight to those that it waits for. A task can wait for several at once.
type Graph = HashMap<u64, Vec<u64>>;

#[cfg(not(shuttle))]
fn with_graph<T>(look: impl FnOnce(&mut Graph) -> T) -> T {
    // One for the process: a cycle can lead through several memos.
    static GRAPH: std::sync::LazyLock<Mutex<Graph>> = std::sync::LazyLock::new(Mutex::default);
    look(&mut GRAPH.lock())
}

#[cfg(shuttle)]
fn with_graph<T>(look: impl FnOnce(&mut Graph) -> T) -> T {
    shuttle::lazy_static! { static ref GRAPH: Mutex<Graph> = Mutex::default(); }
    look(&mut GRAPH.lock())
}

/// Enters that all computations on this thread are about to wait for `target`; `None` if that would close a cycle.
///
/// Linear in the number of computations that wait for one another.
pub(super) fn enter(target: u64) -> Option<Edge> {
    let waiters = stack::snapshot();
    if !waiters.is_empty() {
        // Looked up and entered under one lock: of all that close a cycle, the last one sees it.
        let closes = with_graph(|graph| {
            let closes = reaches(graph, target, &waiters);
            if !closes {
                for &waiter in &waiters {
                    graph.entry(waiter).or_default().push(target);
                }
            }
            closes
        });
        if closes {
            return None;
        }
    }
    Some(Edge { waiters, target })
}

/// Whether `from` waits, directly or through others, for one of `goals`.
fn reaches(graph: &Graph, from: u64, goals: &[u64]) -> bool {
    let mut seen = vec![from];
    let mut next = 0;
    while let Some(&flight) = seen.get(next) {
        next += 1;
        for &target in graph.get(&flight).into_iter().flatten() {
            if goals.contains(&target) {
                return true;
            }
            if !seen.contains(&target) {
                seen.push(target);
            }
        }
    }
    false
}

/// What was entered; taken out when dropped.
pub(crate) struct Edge {
    waiters: Vec<u64>,
    target: u64,
}

impl Drop for Edge {
    fn drop(&mut self) {
        if self.waiters.is_empty() {
            return;
        }
        with_graph(|graph| {
            for waiter in &self.waiters {
                let Some(targets) = graph.get_mut(waiter) else { continue };
                if let Some(position) = targets.iter().position(|target| *target == self.target) {
                    targets.swap_remove(position);
                }
                if targets.is_empty() {
                    graph.remove(waiter);
                }
            }
        });
    }
}
