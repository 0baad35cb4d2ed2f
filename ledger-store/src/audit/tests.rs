use super::*;
use crate::laws::fixture::{
    claim, claimed, complete, dispatch, fail, late, opening, payment, post, prove, reserve,
    settle_set, void,
};
use crate::places::PastEntries;
use ecs_systems::port::{Claim, LedgerEntry};
use ecs_systems::units::{Msat, Timestamp};

/// A ledger in memory.
#[derive(Debug)]
struct Entries(Vec<PastEntry>);

impl Reader for Entries {
    fn read_from(&self, index: u64) -> Result<PastEntries<'_>, String> {
        let skipped = usize::try_from(index).unwrap();
        Ok(Box::new(self.0.iter().skip(skipped).cloned().map(Ok)))
    }
}

/// Payments that are paid, failed and tried again, late and open, and a set that is pending.
fn entries() -> Vec<PastEntry> {
    let (one, two) = (payment(1, 1), payment(2, 1));
    let keyed = Claim { idempotency_key: Some("a".to_owned()), ..claimed(1, 1, 500) };
    let lines = [
        vec![opening(1, 9_000), opening(2, 500)],
        vec![LedgerEntry::Claim(keyed)],
        vec![reserve(one, 500, 10), dispatch(one, &[(1, 1, 500, 10)])],
        vec![void(one, 1), fail(one)],
        vec![claim(2, 1, 300), reserve(two, 300, 10), dispatch(two, &[(1, 2, 300, 10)])],
        vec![post(two, 1, 4), complete(2, 1, 4)],
        vec![],
        vec![prove(1, 1), late(one, 1, 7)],
        vec![prove(1, 1), late(one, 1, 7)],
        vec![claim(3, 1, 300), reserve(payment(3, 1), 300, 10)],
        vec![settle_set(4, &[(1, 5, 0)], None)],
    ];
    let entry = |(index, lines)| PastEntry { index, at: Timestamp(index * 9), entity: None, lines };
    (0..).zip(lines).map(entry).collect()
}

fn audited(entries: Vec<PastEntry>, image: Option<&Json>) -> Audit {
    let reader: Arc<dyn Reader> = Arc::new(Entries(entries));
    audit("sim", &reader, image)
}

/// The image of books after so many entries.
fn image(entries: usize) -> Json {
    let mut books = MemoryLedger::over("sim", Arc::new(Nothing), usize::MAX);
    for entry in self::entries().iter().take(entries) {
        books.commit(&entry.lines, entry.entity, entry.at).unwrap();
    }
    books.image().json()
}

#[test]
fn a_sound_ledger_fits_and_so_does_the_image_of_any_of_its_places() {
    let mut whole = MemoryLedger::new("sim");
    for entry in entries() {
        whole.commit(&entry.lines, entry.entity, entry.at).unwrap();
    }
    for place in 0..=entries().len() {
        let found = audited(entries(), Some(&image(place)));
        assert_eq!((&found.fault, &*found.differs), (&None, &[] as &[String]), "{place}");
        assert_eq!((found.entries, found.open, found.guards), (11, 2, 5));
        assert_eq!(found.postings, whole.postings(0, u32::MAX).len() as u64);
        let balances: Vec<(String, Balance)> = found.balances.into_iter().collect();
        assert_eq!(balances, whole.trial_balance());
    }
}

#[test]
fn the_first_entry_that_does_not_fit_is_named() {
    type Damage = fn(&mut Vec<PastEntry>);
    let damages: [(u64, Damage); 7] = [
        (3, |it| it[3].lines = vec![post(payment(1, 1), 1, 11)]),
        (5, |it| it[5].lines.reverse()),
        (7, |it| it[7].lines = vec![late(payment(1, 1), 1, 7)]),
        (8, |it| it[8].lines = vec![late(payment(1, 1), 1, 8)]),
        (4, |it| it[4].lines = vec![claim(2, 1, 300), reserve(payment(2, 1), 9_999, 0)]),
        (9, |it| it[9].lines[0] = claim(1, 2, 500)),
        (2, |it| drop(it.remove(2))),
    ];
    for (index, damage) in damages {
        let mut entries = entries();
        damage(&mut entries);
        let found = audited(entries, None);
        let fault = found.fault.unwrap_or_else(|| panic!("nothing at {index}"));
        assert_eq!((fault.index, found.entries), (index, index), "{}", fault.why);
    }
}

#[test]
fn an_image_that_says_something_else_is_told_with_what() {
    let image = image(10).text().to_owned();
    assert!(image.contains("\"amount_msat\":\"300msat\"") || image.contains("\"amount_msat\":300"));
    for (from, to, words) in [
        (":3}", ":3}", None),
        ("\"entries\":10", "\"entries\":9", Some("by the image")),
        ("\"entries\":10", "\"entries\":12", Some("the image has 12 entries, the ledger 11")),
        ("\"node\":\"sim\"", "\"node\":\"other\"", Some("of other books")),
    ] {
        let found = audited(entries(), Some(&Json::parse(&image.replace(from, to)).unwrap()));
        assert_eq!(found.fault, None);
        let told = found.differs.join("; ");
        assert!(words.map_or(told.is_empty(), |words| told.contains(words)), "{to}: {told}");
    }
    let mut books = MemoryLedger::over("sim", Arc::new(Nothing), 0);
    for entry in entries().iter().take(10) {
        let mut lines = entry.lines.clone();
        for line in &mut lines {
            if let LedgerEntry::Opening { amount_msat, .. } = line {
                *amount_msat = Msat(amount_msat.0 + 1);
            }
        }
        // What was folded can't be thawed here, so that late words are refused.
        drop(books.commit(&lines, entry.entity, entry.at));
    }
    let found = audited(entries(), Some(&books.image().json()));
    let told = found.differs.join("; ");
    assert!(told.contains("sim:equity:opening"), "{told}");
}
