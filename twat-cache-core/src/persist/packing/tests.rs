use super::*;

const LIMIT: u64 = 1 << 30;

fn packing() -> Arc<Packing> {
    Packings::default().of(1, || Ok(None::<Vec<u8>>)).unwrap()
}

/// The record of a dictionary of sentences.
fn dictionary() -> Vec<u8> {
    let packing = packing();
    (0..).find_map(|n| packing.sample(&sentence(n), LIMIT)).unwrap()
}

/// With that dictionary.
fn knowing() -> Arc<Packing> {
    Packings::default().of(1, || Ok(Some(dictionary()))).unwrap()
}

fn packed(packing: &Packing, plain: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    packing.pack(plain, &mut output);
    output
}

fn sentence(n: usize) -> Vec<u8> {
    format!("a sentence that differs from all others in the number {n}, and then in {}", n * n * 7).into_bytes()
}

#[test]
fn content_of_any_length_comes_back() {
    for packing in [packing(), knowing()] {
        for length in [0, 10, 100, 1000, 1_000_000, 30_000_000] {
            let plain = b"0123456789".repeat(length / 10);
            let packed = packed(&packing, &plain);
            assert!(length < 100 || packed.len() < length / 2);
            assert!(packing.unpack(&packed).unwrap() == plain, "{length}");
        }
    }
}

#[test]
fn what_does_not_get_smaller_takes_one_byte_more() {
    let noise: Vec<u8> = (0..1000_u64).map(|n| xxh3_64(&n.to_le_bytes()).to_le_bytes()[0]).collect();
    for packing in [packing(), knowing()] {
        for plain in [b"", &b"abc"[..], &noise] {
            let packed = packed(&packing, plain);
            assert_eq!((packed.len(), packed[0]), (plain.len() + 1, PLAIN));
            assert_eq!(packing.unpack(&packed).unwrap(), plain);
        }
    }
}

#[test]
fn a_dictionary_is_made_of_the_first_values_once() {
    let packing = packing();
    let mut first = 0;
    let record = (0..).map(sentence).find_map(|value| {
        first += value.len();
        packing.sample(&value, LIMIT)
    });
    let record = record.unwrap();
    assert!(first - usize::try_from(LONGEST).unwrap() * SAMPLES < 100);
    assert!(record.len() as u64 <= LONGEST + 8);
    // Another thread comes before it is written.
    let next = sentence(1_000_000);
    assert_eq!(packing.sample(&next, LIMIT), None);
    let alone = packed(&packing, &next);
    packing.learn(&record);
    assert_eq!(packing.sample(&next, LIMIT), None);
    let by_dictionary = packed(&packing, &next);
    assert!(by_dictionary.len() * 3 < alone.len() * 2, "{} and {}", by_dictionary.len(), alone.len());
    for stored in [alone, by_dictionary.clone()] {
        assert_eq!(packing.unpack(&stored).unwrap(), next);
    }
    // The next process reads it.
    assert_eq!(knowing().unpack(&by_dictionary).unwrap(), next);
    assert_eq!(knowing().sample(&next, LIMIT), None);
}

#[test]
fn without_their_dictionary_or_with_another_one_values_are_lost() {
    let value = packed(&knowing(), &sentence(1_000_000));
    let other = self::packing();
    let record = (0..)
        .find_map(|n: u64| other.sample(format!("{n} is in another text, {}", "of words ".repeat(9)).as_bytes(), LIMIT))
        .unwrap();
    other.learn(&record);
    let mut damaged = dictionary();
    damaged[100] ^= 1;
    let damaged = Packings::default().of(1, || Ok(Some(damaged))).unwrap();
    for packing in [packing(), other, damaged] {
        assert_eq!(packing.unpack(&value).unwrap_err().kind(), ErrorKind::Codec);
    }
}

#[test]
fn a_dictionary_takes_little_of_the_limit() {
    let packing = packing();
    let values = (0..).map(|n| sentence(n).repeat(1000));
    let mut values = values.take(10).filter_map(|value| packing.sample(&value, 256 * 3000));
    assert!(values.next().unwrap().len() <= 3000 + 8, "ten samples are enough");
}

#[test]
fn values_of_any_kind_are_samples() {
    let noise = |n: u64| (0..300).flat_map(|m| xxh3_64(&[n, m].map(u64::to_le_bytes).concat()).to_le_bytes()).collect();
    let kinds: [&dyn Fn(u64) -> Vec<u8>; 4] =
        [&|_| vec![7; 1000], &|n| n.to_string().into_bytes(), &noise, &|n| if n < 9 { Vec::new() } else { vec![1] }];
    for (kind, value) in kinds.into_iter().enumerate() {
        for limit in [0, 1000, LIMIT] {
            let packing = packing();
            let record = (0..200).find_map(|n| packing.sample(&value(n), limit));
            if let Some(record) = record {
                packing.learn(&record);
            }
            assert_eq!(packing.unpack(&packed(&packing, &value(5))).unwrap(), value(5), "{kind}, {limit}");
        }
    }
}

#[test]
fn no_damage_panics_or_takes_much_more_memory_than_the_content() {
    let plain: Vec<u8> = (0..30).flat_map(sentence).collect();
    for packing in [packing(), knowing()] {
        let intact = packed(&packing, &plain);
        assert!(intact.len() < plain.len() / 2);
        for place in 0..intact.len() {
            for bit in 0..8 {
                let mut damaged = intact.clone();
                damaged[place] ^= 1 << bit;
                if let Ok(unpacked) = packing.unpack(&damaged) {
                    assert!(unpacked.capacity() <= plain.len() * 64, "byte {place}, bit {bit}");
                }
            }
            assert!(packing.unpack(&intact[..place]).is_err());
        }
        // The context still works.
        assert_eq!(packing.unpack(&intact).unwrap(), plain);
    }
}

#[test]
fn a_length_that_no_memory_has_room_for_is_an_error() {
    // A frame that says that it has 2^62 bytes, and has a block of 128 KiB.
    let block = (3_u32 | 1 << 17 << 3).to_le_bytes();
    let frame = [&[ALONE, 0x28, 0xb5, 0x2f, 0xfd, 0xe0], &(1_u64 << 62).to_le_bytes()[..], &block[..3], b"x"].concat();
    assert!(packing().unpack(&frame).is_err());
}

#[test]
fn bytes_of_no_known_kind_are_an_error() {
    for bytes in [&[][..], &[2, 1], &[ALONE], &[BY_DICTIONARY], &[255; 100]] {
        assert!(packing().unpack(bytes).is_err(), "{bytes:?}");
    }
}
