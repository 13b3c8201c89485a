//! The numbers of a view as a slice, where the machine has the byte order of files.
#![cfg(target_endian = "little")]

use twat_cache_core::testing::volatile_dir;
use twat_cache_file::{View, fcache};

#[test]
fn the_numbers_of_a_view_are_a_slice_without_a_copy() {
    /// Of an empty vector, a small one, and one that is mapped.
    macro_rules! slices {
        ($($number:ty),+) => {
            $(
                let dir = volatile_dir();
                let number = |n: usize| if n == 7 { <$number>::MAX } else { <$number>::from(n % 3 == 0) };
                let of = |len: usize| (0..len).map(number).collect::<Vec<_>>();
                let vectors = fcache("vectors").dir(dir.path()).wrap(|len: &usize| of(*len));
                let boxes = fcache("boxes").dir(dir.path()).wrap(|len: &usize| of(*len).into_boxed_slice());
                for len in [0, 100, 200_000] {
                    for _ in 0..2 {
                        let view = vectors.view(&len);
                        assert_eq!(view.as_native(), of(len));
                        assert_eq!(view.as_native().as_ptr().addr(), view.as_ptr().addr());
                        assert_eq!(boxes.view(&len).as_native(), of(len));
                    }
                }
                let extremes = [<$number>::MIN, <$number>::MAX];
                assert_eq!(View::new(&extremes).unwrap().as_native(), extremes);
                assert_eq!(View::new(&<[$number; 0]>::default()).unwrap().as_native(), <[$number; 0]>::default());
            )+
        };
    }
    slices!(u8, i8, u16, i16, u32, i32, u64, i64, u128, i128, f32, f64);
    let numbers = View::new(&vec![f64::NAN, -0.0, f64::MIN_POSITIVE, f64::NEG_INFINITY]).unwrap();
    let bits = numbers.as_native().iter().map(|number| number.to_bits());
    assert!(bits.eq(numbers.iter().map(|number| number.to_native().to_bits())));
}
