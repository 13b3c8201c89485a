use super::*;

fn leads(joined: &Joined<'_>) -> bool {
    matches!(joined, Joined::Turn(Turn(Some(_))))
}

#[test]
fn a_thread_never_waits_for_a_task_but_a_task_for_a_thread() {
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
    assert!(flights.table.lock().is_empty(), "a flight that has ended leaves nothing behind");
}

fn keep(computation: &Computation<'_>, is_refresh: bool) -> Option<&'static str> {
    computation.keep(is_refresh, || "stored", || "removed").unwrap()
}

#[test]
fn a_wait_for_a_result_that_is_being_stored_has_an_end() {
    let flights = Flights::new(None);
    let digest = flights.digest("key");
    let [storing, other] = [(); 2].map(|()| flights.begin(digest).unwrap());
    let store = || {
        // As by a value's `Clone` that waits for them.
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(other.keep(true, || (), || ()).is_err()));
            scope.spawn(|| assert!(flights.outdate(digest).1.is_err(), "it may still be stored"));
        });
    };
    storing.keep(false, store, || ()).unwrap();
    assert_eq!(keep(&flights.begin(digest).unwrap(), false), Some("stored"));
}

#[test]
fn what_is_outdated_is_neither_kept_nor_waited_for() {
    let flights = Flights::new(None);
    let digest = flights.digest("key");
    let leading = flights.join(digest, Driver::Thread, None);
    let [old, refresh] = [(); 2].map(|()| flights.begin(digest).unwrap());
    let neighbour = flights.begin(flights.digest("other key")).unwrap();
    drop(flights.outdate(digest));
    assert_eq!(keep(&old, false), None);
    assert_eq!(keep(&refresh, true), Some("removed"), "what is there may be older");
    assert_eq!(keep(&neighbour, false), Some("stored"), "other keys are not touched");
    let successor = flights.join(digest, Driver::Thread, None);
    assert!(leads(&successor));
    assert_eq!(keep(&flights.begin(digest).unwrap(), false), Some("stored"));
    // The old leader's end does not take the new one out of the table.
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
    assert_eq!(keep(&second, true), Some("stored"));
    assert_eq!(keep(&first, true), None);
    assert_eq!(keep(&call, false), None);
    let [refresh, call] = [(); 2].map(|()| flights.begin(digest).unwrap());
    assert_eq!(keep(&call, false), Some("stored"));
    assert_eq!(keep(&refresh, true), None);
}

#[test]
fn nothing_is_learnt_from_a_computation_that_was_given_up_or_held_up() {
    let flights = Flights::new(None);
    let digest = flights.digest("key");
    let run = |compute: &dyn Fn()| {
        let Joined::Turn(turn) = flights.join(digest, Driver::Thread, None) else { panic!("somebody else leads") };
        turn.run(compute);
    };
    run(&|| drop(flights.outdate(digest)));
    run(&patience::held_up);
    assert_eq!(flights.patience.current(), Duration::from_secs(10), "as long as nothing is known");
    run(&|| ());
    assert_eq!(flights.patience.current(), Duration::from_secs(2));
}
