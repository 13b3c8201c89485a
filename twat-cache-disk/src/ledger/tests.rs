use super::*;

const AREA: u64 = 7;
const NAME: u64 = 70;
const LIMIT: u64 = 160_000;

fn ledger() -> (Ledger, Arc<Bounds>) {
    let mut ledger = Ledger::default();
    let bounds = ledger.open(AREA, NAME);
    (ledger, bounds)
}

/// Adds so many entries of a thousand bytes; gives their epochs.
fn fill(ledger: &mut Ledger, area: u64, entries: usize) -> Vec<u64> {
    (0..entries).map(|_| ledger.add(area, 1000, LIMIT).epoch).collect()
}

fn live(bounds: &Bounds, epochs: &[u64]) -> usize {
    epochs.iter().filter(|epoch| bounds.is_live(**epoch)).count()
}

#[test]
fn what_is_within_the_limit_is_live() {
    let (mut ledger, bounds) = ledger();
    let epochs = fill(&mut ledger, AREA, 160);
    assert_eq!(live(&bounds, &epochs), 160);
    assert!(epochs.is_sorted());
    assert_eq!(epochs.last().unwrap() - epochs[0], 15, "a limit is sixteen epochs");
}

#[test]
fn over_the_limit_the_oldest_sixteenth_goes() {
    let (mut ledger, bounds) = ledger();
    let epochs = fill(&mut ledger, AREA, 161);
    assert_eq!(live(&bounds, &epochs), 151);
    assert!(!bounds.is_live(epochs[9]) && bounds.is_live(epochs[10]));
    let epochs = fill(&mut ledger, AREA, 10_000);
    assert!((150..=160).contains(&live(&bounds, &epochs)));
}

#[test]
fn one_entry_may_be_as_large_as_the_limit() {
    let (mut ledger, bounds) = ledger();
    let small = fill(&mut ledger, AREA, 100);
    let large = ledger.add(AREA, LIMIT, LIMIT).epoch;
    assert!(bounds.is_live(large));
    assert_eq!(live(&bounds, &small), 0);
    let next = ledger.add(AREA, 1, LIMIT).epoch;
    assert!(bounds.is_live(next) && !bounds.is_live(large));
}

#[test]
fn what_is_replaced_or_removed_makes_room() {
    let (mut ledger, bounds) = ledger();
    let kept = fill(&mut ledger, AREA, 100);
    // One key, over and over.
    let mut epoch = ledger.add(AREA, 1000, LIMIT).epoch;
    for _ in 0..10_000 {
        ledger.subtract(AREA, epoch, 1000);
        epoch = ledger.add(AREA, 1000, LIMIT).epoch;
    }
    assert_eq!(live(&bounds, &kept), 100);
    // More than was ever there, and from epochs that are closed or never were, changes nothing for the worse.
    ledger.subtract(AREA, epoch, u64::MAX);
    ledger.subtract(AREA, 123_456, 1000);
    ledger.subtract(99, epoch, 1000);
    assert_eq!(live(&bounds, &kept), 100);
}

#[test]
fn what_could_not_be_replaced_is_counted_again() {
    let (mut ledger, bounds) = ledger();
    let mut epochs = fill(&mut ledger, AREA, 160);
    for epoch in &epochs {
        ledger.subtract(AREA, *epoch, 1000);
        ledger.put_back(AREA, *epoch, 1000);
    }
    epochs.extend(fill(&mut ledger, AREA, 1));
    assert_eq!(live(&bounds, &epochs), 151, "it is as full as it was");
    // What has been closed meanwhile is not there any more, for nobody.
    ledger.put_back(AREA, epochs[0], LIMIT);
    assert_eq!(live(&bounds, &epochs), 151);
}

#[test]
fn what_is_old_has_less_than_half_a_limit_ahead() {
    let (mut ledger, bounds) = ledger();
    let epochs = fill(&mut ledger, AREA, 80);
    assert!(!epochs.iter().any(|epoch| bounds.is_old(*epoch)), "there is room");
    let epochs = fill(&mut ledger, AREA, 1000);
    let newest = &epochs[1000 - 150..];
    let old = newest.iter().filter(|epoch| bounds.is_old(**epoch)).count();
    assert!((50..=80).contains(&old), "{old}");
    assert!(bounds.is_old(newest[0]) && !bounds.is_old(newest[149]));
}

#[test]
fn the_areas_of_a_name_share_its_limit_and_other_names_have_their_own() {
    let (mut ledger, old_version) = ledger();
    let new_version = ledger.open(8, NAME);
    let other_name = ledger.open(9, 90);
    let before = fill(&mut ledger, AREA, 100);
    let apart = fill(&mut ledger, 9, 160);
    let after = fill(&mut ledger, 8, 160);
    assert_eq!(live(&old_version, &before), 0);
    assert!(live(&new_version, &after) >= 150);
    assert_eq!(live(&other_name, &apart), 160);
}

#[test]
fn what_is_written_into_a_quiet_area_is_new() {
    let (mut ledger, bounds) = ledger();
    ledger.open(8, NAME);
    let first = fill(&mut ledger, AREA, 1)[0];
    fill(&mut ledger, 8, 100);
    let later = fill(&mut ledger, AREA, 1)[0];
    fill(&mut ledger, 8, 100);
    assert!(!bounds.is_live(first) && bounds.is_live(later));
    // Two areas that take turns do not begin an epoch each time.
    let before = ledger.last;
    for _ in 0..50 {
        fill(&mut ledger, AREA, 1);
        fill(&mut ledger, 8, 1);
    }
    assert!(ledger.last - before <= 20, "{}", ledger.last - before);
}

#[test]
fn processes_that_write_little_share_an_epoch() {
    let mut record = None;
    for _ in 0..100 {
        let mut ledger = Ledger::default();
        if let Some(record) = record {
            ledger.restore(AREA, record);
        }
        ledger.open(AREA, NAME);
        ledger.add(AREA, 10, LIMIT);
        record = ledger.record(AREA, true);
    }
    assert_eq!(record.unwrap().epochs.len(), 1);
}

#[test]
fn clear_closes_an_area_and_no_other() {
    let (mut ledger, bounds) = ledger();
    let other = ledger.open(8, NAME);
    let (gone, kept) = (fill(&mut ledger, AREA, 50), fill(&mut ledger, 8, 50));
    ledger.clear(AREA, 1);
    assert_eq!((live(&bounds, &gone), live(&other, &kept)), (0, 50));
    let after = fill(&mut ledger, AREA, 110);
    assert_eq!((live(&bounds, &after), live(&other, &kept)), (110, 50), "what was cleared is not counted");
}

#[test]
fn a_record_carries_an_account_to_the_next_process() {
    let (mut ledger, bounds) = ledger();
    let epochs = fill(&mut ledger, AREA, 200);
    let record = ledger.record(AREA, true).unwrap();
    assert_eq!(Record::from_bytes(&record.to_bytes()), Some(record.clone()));

    let mut next = Ledger::default();
    next.restore(AREA, record);
    let restored = next.open(AREA, NAME);
    assert_eq!(live(&restored, &epochs), live(&bounds, &epochs));
    let more = fill(&mut next, AREA, 100);
    assert!(more[0] >= *epochs.last().unwrap());
    let all = live(&restored, &epochs) + live(&restored, &more);
    assert!((150..=160).contains(&all), "{all}");
}

#[test]
fn after_a_kill_too_much_is_counted_rather_than_too_little() {
    let (mut ledger, _) = ledger();
    let mut last = None;
    let mut epochs = Vec::new();
    for _ in 0..155 {
        let Added { epoch, record } = ledger.add(AREA, 1000, LIMIT);
        epochs.push(epoch);
        if record.contains(&AREA) {
            last = ledger.record(AREA, false);
        }
    }
    // Killed here: the next process knows of the last record only.
    let mut next = Ledger::default();
    next.restore(AREA, last.expect("it is recorded now and then"));
    let bounds = next.open(AREA, NAME);
    let more = fill(&mut next, AREA, 155);
    assert!(live(&bounds, &epochs) + live(&bounds, &more) <= 160);
}

#[test]
fn bytes_that_are_no_record_are_none() {
    assert_eq!(Record::from_bytes(&[]), None);
    assert_eq!(Record::from_bytes(&[0; 23]), None);
    assert_eq!(Record::from_bytes(&[0; 32]), None);
    assert_eq!(Record::from_bytes(&[0; 24]), Some(Record::default()));
    assert_eq!(Record::from_bytes(&[0xFF; 24]), None);
    let absurd = Record { epochs: vec![(1, u64::MAX), (2, u64::MAX)], slack: u64::MAX, ..Record::default() };
    let mut ledger = Ledger::default();
    ledger.restore(AREA, absurd);
    let bounds = ledger.open(AREA, 0);
    let added = ledger.add(AREA, 1000, LIMIT);
    assert!(bounds.is_live(added.epoch));
}

#[test]
fn every_number_is_legal() {
    for limit in [1, 15, 16, 1 << 20, u64::MAX] {
        let (mut ledger, bounds) = ledger();
        for bytes in [1, limit / 3, limit] {
            let epoch = ledger.add(AREA, bytes.max(1), limit).epoch;
            assert!(bounds.is_live(epoch), "limit {limit}, bytes {bytes}");
        }
    }
}
