use twat_cache_core::{KeyedStore as _, Ticket};

const KEY: u64 = 0;

#[test]
fn a_change_of_another_key_in_the_stripe_leaves_nothing_older_than_a_refresh() {
    let dir = tempfile::tempdir().unwrap();
    let store = crate::bcache("numbers").dir(dir.path()).open::<u64>().unwrap();
    let stripe = |key: &u64| {
        let key = store.entries().unwrap().key(key);
        std::ptr::from_ref(&*store.database.as_ref().unwrap().changes.lock(&key))
    };
    let neighbour = (1..100_000).find(|key| stripe(key) == stripe(&KEY)).unwrap();
    let refresh = |ticket| Ticket { is_refresh: true, ..ticket };
    store.insert(&KEY, &1).unwrap();
    let tickets = [(); 3].map(|()| store.begin(&KEY));
    // After a change of another key, a result is not stored, and a refresh removes what is there.
    store.remove(&neighbour).unwrap();
    assert!(!store.insert_begun(&KEY, &2, None, tickets[0]).unwrap());
    assert_eq!(store.get(&KEY).unwrap(), Some(1));
    assert!(!store.insert_begun(&KEY, &2, None, refresh(tickets[1])).unwrap());
    assert_eq!(store.get(&KEY).unwrap(), None);
    // A later refresh of the key itself stays.
    assert!(store.insert_begun(&KEY, &3, None, refresh(store.begin(&KEY))).unwrap());
    assert!(!store.insert_begun(&KEY, &2, None, refresh(tickets[2])).unwrap());
    assert_eq!(store.get(&KEY).unwrap(), Some(3));
    store.insert(&KEY, &4).unwrap();
    assert_eq!(store.get(&KEY).unwrap(), Some(4));
}
