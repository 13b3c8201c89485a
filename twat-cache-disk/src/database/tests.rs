use super::*;

#[test]
fn pauses_get_longer_from_a_second_to_half_a_minute() {
    let pause_after = |seconds| pause(Duration::from_secs(seconds)).as_secs();
    assert_eq!([0, 1, 7, 8].map(pause_after), [1; 4]);
    assert_eq!([16, 80, 240, 100_000].map(pause_after), [2, 10, 30, 30]);
    // At each moment of an overlap of up to 16 seconds, the next attempt is at most 2 seconds away.
    let mut failing = Duration::ZERO;
    while failing < Duration::from_secs(16) {
        assert!(pause(failing) <= Duration::from_secs(2));
        failing += pause(failing);
    }
}

#[test]
fn failures_belong_together_until_the_database_has_worked_for_a_while() {
    let error = || Error::new(ErrorKind::Locked, "open");
    let ago = |seconds| Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap();
    let first = Pause::after(None, &error());
    assert_eq!(first.end - first.begun, FIRST_PAUSE);
    let last = Pause { begun: ago(80), end: ago(10), ..first };
    let next = Pause::after(Some(&last), &error());
    assert_eq!(next.begun, last.begun);
    assert!(next.end - Instant::now() > Duration::from_secs(9));
    let last = Pause { end: ago(40), ..last };
    assert!(Pause::after(Some(&last), &error()).begun > last.begun);
}
