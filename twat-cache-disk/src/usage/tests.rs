use super::*;

const NAME: u64 = 7;
const LIMIT: u64 = 160_000;

/// The id of a namespace under a name.
fn of(name: u64, namespace: u64) -> u64 {
    name << 32 | namespace
}

fn usage() -> (Usage, Arc<Bounds>) {
    let mut usage = Usage::default();
    let bounds = usage.bounds(of(NAME, 0));
    (usage, bounds)
}

/// Adds this many entries of a thousand bytes; gives their epochs.
fn fill(usage: &mut Usage, id: u64, entries: usize) -> Vec<u64> {
    (0..entries).map(|_| usage.add(id, 1000, LIMIT).0).collect()
}

fn live(bounds: &Bounds, epochs: &[u64]) -> usize {
    epochs.iter().filter(|epoch| bounds.is_live(**epoch)).count()
}

/// What a process that ends properly leaves to the next one.
fn handed_on(usage: &mut Usage) -> Usage {
    let mut next = Usage::default();
    next.restore(NAME, &usage.record(NAME, true)).unwrap();
    next
}

#[test]
fn the_upper_half_of_an_id_is_the_name() {
    let [name, namespace] = [0x1234_5678_9ABC_DEF0, 0xFEDC_BA98_7654_3210];
    assert_eq!(id(name, namespace), 0x1234_5678_FEDC_BA98);
    assert_eq!(name_of(id(name, namespace)), 0x1234_5678);
}

#[test]
fn what_is_within_the_limit_is_live() {
    let (mut usage, bounds) = usage();
    let epochs = fill(&mut usage, of(NAME, 0), 160);
    assert_eq!(live(&bounds, &epochs), 160);
    assert!(epochs.is_sorted());
    assert_eq!(epochs.last().unwrap() - epochs[0], 15, "a limit is sixteen epochs");
}

#[test]
fn above_the_limit_the_oldest_sixteenth_is_evicted() {
    let (mut usage, bounds) = usage();
    let epochs = fill(&mut usage, of(NAME, 0), 161);
    assert_eq!(live(&bounds, &epochs), 151);
    assert!(!bounds.is_live(epochs[9]) && bounds.is_live(epochs[10]));
    let epochs = fill(&mut usage, of(NAME, 0), 10_000);
    assert!((150..=160).contains(&live(&bounds, &epochs)));
}

#[test]
fn one_entry_may_be_as_large_as_the_limit() {
    let (mut usage, bounds) = usage();
    let small = fill(&mut usage, of(NAME, 0), 100);
    let (large, _) = usage.add(of(NAME, 0), LIMIT, LIMIT);
    assert!(bounds.is_live(large));
    assert_eq!(live(&bounds, &small), 0);
    let (next, _) = usage.add(of(NAME, 0), 1, LIMIT);
    assert!(bounds.is_live(next) && !bounds.is_live(large));
}

#[test]
fn what_is_replaced_or_removed_makes_room() {
    let (mut usage, bounds) = usage();
    let kept = fill(&mut usage, of(NAME, 0), 100);
    // One key, over and over.
    let (mut epoch, _) = usage.add(of(NAME, 0), 1000, LIMIT);
    for _ in 0..10_000 {
        usage.adjust(of(NAME, 0), epoch, -1000);
        (epoch, _) = usage.add(of(NAME, 0), 1000, LIMIT);
    }
    assert_eq!(live(&bounds, &kept), 100);
    // More than was ever there, and from epochs that never were, changes nothing for the worse.
    usage.adjust(of(NAME, 0), epoch, i64::MIN);
    usage.adjust(of(NAME, 0), 123_456, -1000);
    usage.adjust(of(99, 0), epoch, -1000);
    assert_eq!(live(&bounds, &kept), 100);
}

#[test]
fn what_could_not_be_replaced_is_counted_again() {
    let (mut usage, bounds) = usage();
    let mut epochs = fill(&mut usage, of(NAME, 0), 160);
    for epoch in &epochs {
        usage.adjust(of(NAME, 0), *epoch, -1000);
        usage.adjust(of(NAME, 0), *epoch, 1000);
    }
    epochs.extend(fill(&mut usage, of(NAME, 0), 1));
    assert_eq!(live(&bounds, &epochs), 151, "it is as full as it was");
    // What has been evicted meanwhile is not there any more.
    usage.adjust(of(NAME, 0), epochs[0], LIMIT.cast_signed());
    epochs.extend(fill(&mut usage, of(NAME, 0), 9));
    assert_eq!(live(&bounds, &epochs), 160);
}

#[test]
fn there_are_never_many_epochs() {
    let (mut usage, bounds) = usage();
    let mut kept = Vec::new();
    // A large value that is replaced over and over, and a small one now and then.
    for n in 0..100_000 {
        let (large, _) = usage.add(of(NAME, 0), 9000, LIMIT);
        if n % 1000 == 0 {
            kept.extend(fill(&mut usage, of(NAME, 0), 1));
        }
        usage.adjust(of(NAME, 0), large, -9000);
    }
    assert_eq!(live(&bounds, &kept), 100);
    for _ in 0..100_000 {
        kept.extend(fill(&mut usage, of(NAME, 0), 1));
        usage.clear(of(NAME, 0), 1, LIMIT);
    }
    assert_eq!(live(&bounds, &kept), 0);
    assert!(usage.names[&NAME].epochs.len() <= 40, "{}", usage.names[&NAME].epochs.len());
    assert!(usage.record(NAME, false).len() <= 1000);
}

#[test]
fn what_is_old_has_less_than_half_a_limit_ahead() {
    let (mut usage, bounds) = usage();
    let epochs = fill(&mut usage, of(NAME, 0), 80);
    assert!(!epochs.iter().any(|epoch| bounds.is_old(*epoch)), "there is room");
    let epochs = fill(&mut usage, of(NAME, 0), 1000);
    let newest = &epochs[1000 - 150..];
    let old = newest.iter().filter(|epoch| bounds.is_old(**epoch)).count();
    assert!((50..=80).contains(&old), "{old}");
    assert!(bounds.is_old(newest[0]) && !bounds.is_old(newest[149]));
}

#[test]
fn the_namespaces_of_a_name_share_its_limit_and_other_names_have_their_own() {
    let (mut usage, old_version) = usage();
    let [new_version, other_name] = [of(NAME, 1), of(9, 0)].map(|id| usage.bounds(id));
    let before = fill(&mut usage, of(NAME, 0), 100);
    let apart = fill(&mut usage, of(9, 0), 160);
    let after = fill(&mut usage, of(NAME, 1), 160);
    assert_eq!(live(&old_version, &before), 0);
    assert!(live(&new_version, &after) >= 150);
    assert_eq!(live(&other_name, &apart), 160);
}

#[test]
fn what_is_written_into_a_quiet_namespace_is_new() {
    let (mut usage, bounds) = usage();
    let first = fill(&mut usage, of(NAME, 0), 1)[0];
    fill(&mut usage, of(NAME, 1), 100);
    let later = fill(&mut usage, of(NAME, 0), 1)[0];
    fill(&mut usage, of(NAME, 1), 100);
    assert!(!bounds.is_live(first) && bounds.is_live(later));
}

#[test]
fn processes_that_write_little_share_an_epoch() {
    let (mut usage, _) = usage();
    let mut killed = Usage::default();
    for _ in 0..100 {
        usage = handed_on(&mut usage);
        usage.add(of(NAME, 0), 10, LIMIT);
        killed.add(of(NAME, 0), 10, LIMIT);
        let record = killed.record(NAME, false);
        killed = Usage::default();
        killed.restore(NAME, &record).unwrap();
    }
    assert_eq!(usage.names[&NAME].epochs.values().filter(|bytes| **bytes > 0).count(), 1);
    assert!(killed.names[&NAME].epochs.len() <= 20, "a kilobyte more for each kill");
}

#[test]
fn clear_is_for_a_namespace_and_no_other() {
    let (mut usage, bounds) = usage();
    let other = usage.bounds(of(NAME, 1));
    let (gone, kept) = (fill(&mut usage, of(NAME, 0), 50), fill(&mut usage, of(NAME, 1), 50));
    usage.clear(of(NAME, 0), 1, LIMIT);
    assert_eq!((live(&bounds, &gone), live(&other, &kept)), (0, 50));
    let after = fill(&mut usage, of(NAME, 0), 110);
    assert_eq!((live(&bounds, &after), live(&other, &kept)), (110, 50), "what was cleared makes room");
    let mut next = handed_on(&mut usage);
    let (bounds, other) = (next.bounds(of(NAME, 0)), next.bounds(of(NAME, 1)));
    assert_eq!((live(&bounds, &gone), live(&bounds, &after), live(&other, &kept)), (0, 110, 50));
}

#[test]
fn a_record_carries_the_usage_to_the_next_process() {
    let (mut usage, bounds) = usage();
    let epochs = fill(&mut usage, of(NAME, 0), 200);
    let mut next = handed_on(&mut usage);
    let restored = next.bounds(of(NAME, 0));
    assert_eq!(live(&restored, &epochs), live(&bounds, &epochs));
    let more = fill(&mut next, of(NAME, 0), 100);
    assert!(more[0] >= *epochs.last().unwrap());
    let all = live(&restored, &epochs) + live(&restored, &more);
    assert!((150..=160).contains(&all), "{all}");
}

#[test]
fn after_a_kill_too_much_is_counted_rather_than_too_little() {
    let (mut usage, _) = usage();
    let mut last = None;
    let mut epochs = Vec::new();
    for _ in 0..155 {
        let (epoch, is_due) = usage.add(of(NAME, 0), 1000, LIMIT);
        epochs.push(epoch);
        if is_due {
            last = Some(usage.record(NAME, false));
        }
    }
    // Killed here: the next process knows of the last record only.
    let mut next = Usage::default();
    next.restore(NAME, &last.expect("it is recorded now and then")).unwrap();
    let bounds = next.bounds(of(NAME, 0));
    let more = fill(&mut next, of(NAME, 0), 155);
    assert!(live(&bounds, &epochs) + live(&bounds, &more) <= 160);
}

#[test]
fn what_was_written_before_a_kill_and_is_in_no_record_is_older_than_what_comes_after() {
    let (mut usage, _) = usage();
    let last = usage.record(NAME, false);
    let epochs = fill(&mut usage, of(NAME, 0), 30);
    let mut next = Usage::default();
    next.restore(NAME, &last).unwrap();
    assert!(fill(&mut next, of(NAME, 0), 1)[0] > *epochs.last().unwrap());
    next.clear(of(NAME, 0), 1, LIMIT);
    assert_eq!(live(&next.bounds(of(NAME, 0)), &epochs), 0);
    // Also if there is no record at all.
    let mut next = Usage::default();
    next.clear(of(NAME, 0), 1, LIMIT);
    assert_eq!(live(&next.bounds(of(NAME, 0)), &epochs), 0);
}

#[test]
fn bytes_that_are_no_record_are_none() {
    let (mut usage, bounds) = usage();
    let mut restore = |numbers: &[u64]| {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        usage.restore(NAME, &bytes).is_some()
    };
    assert!(!restore(&[]) && !restore(&[0; 2]) && !restore(&[u64::MAX; 3]));
    assert!(!restore(&[0, 0, 0, of(NAME, 0), u64::MAX]), "a floor that nobody comes to");
    assert!(restore(&[0; 3]) && restore(&[0; 4]));
    assert!(restore(&[0, u64::MAX, 2, 1, u64::MAX, 2, u64::MAX]));
    assert_eq!(usage.restore(NAME, &[0; 23]), None);
    let (epoch, _) = usage.add(of(NAME, 0), 1000, LIMIT);
    assert!(bounds.is_live(epoch));
}

#[test]
fn every_number_is_legal() {
    for limit in [1, 15, 16, 1 << 20, u64::MAX] {
        let (mut usage, bounds) = usage();
        for bytes in [1, limit / 3, limit] {
            let (epoch, _) = usage.add(of(NAME, 0), bytes.max(1), limit);
            assert!(bounds.is_live(epoch), "limit {limit}, bytes {bytes}");
        }
    }
}

#[test]
fn the_entries_of_closed_epochs_are_counted_without_those_that_were_gone_before() {
    let (mut usage, bounds) = usage();
    let other = usage.bounds(of(NAME, 1));
    let epochs = fill(&mut usage, of(NAME, 0), 100);
    fill(&mut usage, of(NAME, 1), 50);
    assert_eq!((bounds.evictions(), other.evictions()), (0, 0));
    // Half of the first ten are removed, and one is replaced by a new one.
    epochs[..5].iter().for_each(|epoch| usage.adjust(of(NAME, 0), *epoch, -1000));
    usage.adjust(of(NAME, 0), epochs[9], -1000);
    let mut epochs = epochs[5..].to_vec();
    epochs.remove(4);
    epochs.extend(fill(&mut usage, of(NAME, 0), 100));
    let gone = epochs.len() - live(&bounds, &epochs);
    assert!(gone > 0);
    assert_eq!(bounds.evictions(), gone as u64);
    // What is cleared is not evicted.
    usage.clear(of(NAME, 0), 1, LIMIT);
    fill(&mut usage, of(NAME, 1), 300);
    assert_eq!(bounds.evictions(), gone as u64);
    assert!(other.evictions() > 100);
}
