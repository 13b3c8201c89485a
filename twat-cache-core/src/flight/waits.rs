//! The graph of computations that wait for each other. A cycle in it would be a deadlock.
//!
//! Two memoised functions can call each other: one thread computes `f(1)` and needs `g(1)`, and another thread computes
//! `g(1)` and needs `f(1)`. Without a cache, each thread computes both. So a computation that wants to wait first
//! checks whether the other flight waits for it, directly or indirectly. If it does, the computation does not wait but
//! computes.
//!
//! A caller outside any computation cannot be part of a cycle, and does not enter the graph.

use std::collections::HashMap;

use crate::sync::Mutex;

use super::stack;

/// Maps each waiting flight to the flights that it waits for. A task can wait for several flights at the same time.
type Graph = HashMap<u64, Vec<u64>>;

#[cfg(not(shuttle))]
fn with_graph<T>(access: impl FnOnce(&mut Graph) -> T) -> T {
    // The process has one graph, because a cycle can include several memos.
    static GRAPH: std::sync::LazyLock<Mutex<Graph>> = std::sync::LazyLock::new(Mutex::default);
    access(&mut GRAPH.lock())
}

#[cfg(shuttle)]
fn with_graph<T>(access: impl FnOnce(&mut Graph) -> T) -> T {
    shuttle::lazy_static! { static ref GRAPH: Mutex<Graph> = Mutex::default(); }
    access(&mut GRAPH.lock())
}

/// Adds an edge to `target` from every computation on this thread. Returns `None` if that would close a cycle.
///
/// The cost is linear in the number of edges.
pub(super) fn enter(target: u64) -> Option<Edge> {
    let waiters = stack::snapshot();
    if !waiters.is_empty() {
        // The check and the entry are under one lock. So the last edge of a cycle is always detected.
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

/// Returns whether `from` waits for one of `goals`, directly or indirectly.
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

/// The edges that [`enter`] has added. Dropping it removes them.
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
