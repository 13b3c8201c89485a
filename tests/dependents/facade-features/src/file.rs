//! `fcache`.

use std::sync::atomic::{AtomicUsize, Ordering};

use twat_cache::{Error, View, fcache};

pub(crate) fn check(lasting: usize) -> Result<(), Error> {
    let computed = AtomicUsize::new(0);
    let waves = fcache("waves").wrap(|len: &u32| {
        computed.fetch_add(1, Ordering::Relaxed);
        (0..*len).map(f64::from).collect::<Vec<f64>>()
    });
    for _ in 0..3 {
        let view: View<Vec<f64>> = waves.view(&100_000);
        assert!((view[12].to_native() - 12.0).abs() < f64::EPSILON);
        assert_eq!(waves.call(&100_000), view.to_value()?);
    }
    assert_eq!(computed.load(Ordering::Relaxed), lasting);
    assert!(!waves.store().has_switched());
    Ok(())
}
