//! `fcache`.

use std::sync::atomic::{AtomicUsize, Ordering};

use rkyv::{Archive, Deserialize, Serialize};
use twat_cache::{Error, View, fcache};

#[derive(Archive, Debug, Deserialize, PartialEq, Serialize)]
struct Wave {
    samples: Vec<f64>,
}

pub(crate) fn check(lasting: usize) -> Result<(), Error> {
    let computed = AtomicUsize::new(0);
    let waves = fcache("waves").wrap(|len: &u32| {
        computed.fetch_add(1, Ordering::Relaxed);
        Wave { samples: (0..*len).map(f64::from).collect() }
    });
    for _ in 0..3 {
        let view: View<Wave> = waves.view(&100_000);
        assert!((view.samples[12].to_native() - 12.0).abs() < f64::EPSILON);
        assert_eq!(waves.call(&100_000), view.to_value()?);
    }
    assert_eq!(computed.load(Ordering::Relaxed), lasting);
    assert!(!waves.store().has_switched());
    Ok(())
}
