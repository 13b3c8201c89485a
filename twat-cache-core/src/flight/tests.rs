use std::cell::Cell;

use super::*;
use crate::Answer;
use crate::sync::ready;

fn leads(joined: &Joined<'_>) -> bool {
    matches!(joined, Joined::Turn(Turn(Some(_))))
}

#[test]
fn a_thread_never_waits_for_a_task_but_a_task_waits_for_a_thread() {
    let flights = Flights::new(None);
    let digest = flights.digest("key");
    let led_by_task = flights.join(digest, Driver::Task, None);
    assert!(leads(&led_by_task));
    assert!(matches!(flights.join(digest, Driver::Thread, None), Joined::Turn(Turn(None))));
    assert!(flights.join(digest, Driver::Task, None).is_wait());
    drop(led_by_task);
    let led_by_thread = flights.join(digest, Driver::Thread, None);
    assert!(leads(&led_by_thread));
    assert!(flights.join(digest, Driver::Task, None).is_wait());
    assert!(flights.join(digest, Driver::Thread, None).is_wait());
    drop(led_by_thread);
    assert!(flights.table.lock().is_empty(), "the table has no entry for a flight that has ended");
}

/// Stores a result by `store`. Returns what was done with it last.
fn put_by(
    computation: &Computation<'_>,
    is_refresh: bool,
    store: impl FnOnce(),
) -> Result<Option<&'static str>, crate::Error> {
    let done = Cell::new(None);
    let store = || {
        store();
        done.set(Some("stored"));
        Answer::Now(Ok(true))
    };
    let remove = |_| {
        done.set(Some("removed"));
        Answer::Now(Ok(()))
    };
    ready(computation.store_if_current(is_refresh, false, store, remove))?;
    Ok(done.get())
}

fn put(computation: &Computation<'_>, is_refresh: bool) -> Option<&'static str> {
    put_by(computation, is_refresh, || ()).unwrap()
}

#[test]
fn a_wait_for_a_result_that_is_being_stored_times_out() {
    let flights = Flights::new(None);
    let digest = flights.digest("key");
    let [storing, other] = [(); 2].map(|()| flights.begin(digest).unwrap());
    let store = || {
        // A value's `Clone` could wait for such threads.
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(put_by(&other, true, || ()).is_err()));
            scope.spawn(|| assert!(flights.invalidate(digest).1.is_err(), "it may still be stored"));
        });
    };
    put_by(&storing, false, store).unwrap();
    assert_eq!(put(&flights.begin(digest).unwrap(), false), Some("stored"));
}

#[test]
fn an_invalidated_computation_is_neither_stored_nor_waited_for() {
    let flights = Flights::new(None);
    let digest = flights.digest("key");
    let leading = flights.join(digest, Driver::Thread, None);
    let [old, refresh] = [(); 2].map(|()| flights.begin(digest).unwrap());
    let neighbour = flights.begin(flights.digest("other key")).unwrap();
    drop(flights.invalidate(digest));
    assert_eq!(put(&old, false), None);
    assert_eq!(put(&refresh, true), Some("removed"), "the store may have an older value");
    assert_eq!(put(&neighbour, false), Some("stored"), "other keys are not invalidated");
    let successor = flights.join(digest, Driver::Thread, None);
    assert!(leads(&successor));
    assert_eq!(put(&flights.begin(digest).unwrap(), false), Some("stored"));
    // The end of the old leader does not remove the new flight from the table.
    drop(leading);
    assert!(flights.join(digest, Driver::Thread, None).is_wait());
    drop((old, refresh, neighbour, successor));
    assert!(flights.computations.is_empty());
}

#[test]
fn of_overlapping_computations_the_refresh_that_began_last_stays() {
    let flights = Flights::new(None);
    let digest = flights.digest("key");
    let [call, first, second] = [(); 3].map(|()| flights.begin(digest).unwrap());
    assert_eq!(put(&second, true), Some("stored"));
    assert_eq!(put(&first, true), None);
    assert_eq!(put(&call, false), None);
    let [refresh, call] = [(); 2].map(|()| flights.begin(digest).unwrap());
    assert_eq!(put(&call, false), Some("stored"));
    assert_eq!(put(&refresh, true), None);
}

#[test]
fn the_duration_of_an_abandoned_or_delayed_computation_does_not_count() {
    let flights = Flights::new(None);
    let digest = flights.digest("key");
    let run = |compute: &dyn Fn()| {
        let Joined::Turn(turn) = flights.join(digest, Driver::Thread, None) else { panic!("another caller leads") };
        turn.run(compute);
    };
    run(&|| drop(flights.invalidate(digest)));
    run(&patience::count_failed_wait);
    assert_eq!(flights.patience.current(), Duration::from_secs(10), "no duration is known");
    run(&|| ());
    assert_eq!(flights.patience.current(), Duration::from_secs(2));
}
