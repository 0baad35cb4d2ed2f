use super::*;
use crate::{
    fixture::{AMOUNT, PREIMAGE, claim},
    port::{History, PartHold, SetRef},
};
use payecs_units::{GroupId, PartId, ShortChannelId, Timestamp};
use std::sync::Arc;

/// A ledger whose index is being opened until it is `open`.
#[derive(Debug)]
struct Told {
    entries: Vec<PastEntry>,
    open: bool,
}

impl History for Told {
    fn known(&self) -> u64 {
        self.entries.len() as u64
    }

    fn entries(&self, from: u64, limit: usize) -> Result<Vec<PastEntry>, HistoryError> {
        let from = usize::try_from(from).unwrap();
        Ok(self.entries.iter().skip(from).take(limit).cloned().collect())
    }

    fn lines_of(&self, hash: &PaymentHash) -> Result<Vec<PastEntry>, HistoryError> {
        if !self.open {
            return Err(HistoryError::Opening { done: 0, of: self.known() });
        }
        let about =
            |entry: &&PastEntry| entry.lines.iter().any(|line| line.payment_hash() == Some(*hash));
        Ok(self.entries.iter().filter(about).cloned().collect())
    }

    fn payment_of_key(&self, _: &str) -> Result<Option<PaymentRef>, HistoryError> {
        unreachable!("events ask for no key")
    }
}

fn reader(batches: &[(Option<EntityId>, Vec<LedgerEntry>)], open: bool) -> BooksReader {
    let entry = |(index, (entity, lines)): (u64, &(Option<EntityId>, Vec<LedgerEntry>))| {
        PastEntry { index, at: Timestamp(1_700_000_000_000), entity: *entity, lines: lines.clone() }
    };
    let entries = (0..).zip(batches).map(entry).collect();
    BooksReader::new(Arc::new(Told { entries, open }), |_, _| unreachable!("no postings"))
}

fn payment(group: u64) -> PaymentRef {
    PaymentRef { group_id: GroupId(group), ..claim().claim.payment }
}

fn claimed(group: u64) -> LedgerEntry {
    LedgerEntry::Claim(crate::port::Claim { payment: payment(group), ..claim().claim })
}

fn complete(group: u64, amount_msat: Option<Msat>) -> LedgerEntry {
    LedgerEntry::Complete {
        payment: payment(group),
        preimage: PREIMAGE,
        fee_msat: Msat(7),
        successful_parts: 2,
        failed_parts: 1,
        amount_msat,
    }
}

fn failed() -> Option<ErrorObject> {
    Some(ErrorObject::new(210, "time is up").with_data(&serde_json::json!({ "final": true })))
}

const US: Option<EntityId> = Some(EntityId::FIRST);

/// Each kind of end, with entries between them that end nothing.
fn ends() -> Vec<(Option<EntityId>, Vec<LedgerEntry>)> {
    let hold = PartHold {
        part_id: PartId(1),
        short_channel_id: ShortChannelId(10),
        amount_msat: AMOUNT,
        fee_msat: Msat(9),
    };
    let prove = |group| LedgerEntry::Prove { payment: payment(group), preimage: PREIMAGE };
    let late = LedgerEntry::LatePart {
        payment: payment(2),
        part_id: PartId(1),
        fee_msat: Msat(3),
        circular: false,
    };
    vec![
        (US, vec![claimed(1)]),
        (US, vec![complete(1, Some(Msat(5)))]),
        (US, vec![LedgerEntry::FailDraft { hash: None, answer: failed() }]),
        (US, vec![claimed(2)]),
        (US, vec![LedgerEntry::Dispatch { payment: payment(2), parts: vec![hold] }]),
        (US, vec![LedgerEntry::VoidPart { payment: payment(2), part_id: PartId(1) }]),
        (US, vec![LedgerEntry::Fail { payment: payment(2), answer: failed() }]),
        (None, vec![prove(2), late]),
        // Complete already, and as written before amounts were kept.
        (None, vec![prove(1)]),
        (US, vec![claimed(3)]),
        (None, vec![complete(3, None)]),
        (US, vec![claimed(4)]),
        (None, vec![LedgerEntry::Fail { payment: payment(4), answer: None }]),
    ]
}

/// Receipts that are paid: two invoices, by ourselves and over a channel, a paycode, one whose
/// payment went around, and two that were written before it was kept what was paid.
fn receipts() -> Vec<(Option<EntityId>, Vec<LedgerEntry>)> {
    let paid = |circular, label: Option<&str>| {
        let label = label.map(ToOwned::to_owned);
        Some(PaidReceipt { amount_msat: Msat(9), circular, label })
    };
    let to_self = |paid| LedgerEntry::SelfPay { payment: payment(5), amount_msat: Msat(9), paid };
    let set = SetRef { payment_hash: claim().payment_hash(), set: EntityId::FIRST };
    let over_channels = |paid| LedgerEntry::ClaimSet { set, lost: Vec::new(), paid };
    let lines = [
        to_self(paid(false, Some("own"))),
        over_channels(paid(false, Some("tea"))),
        over_channels(paid(false, None)),
        over_channels(paid(true, None)),
        to_self(None),
        over_channels(None),
        LedgerEntry::VoidSet { set },
    ];
    lines.into_iter().map(|line| (US, vec![line])).collect()
}

/// The events of a page, shortened to what differs, and its cursor.
fn page(reader: &BooksReader, since: u64, limit: usize) -> (Vec<String>, u64) {
    page_of(reader, (since, limit), &Wanted::default())
}

/// The same of some kinds.
fn page_of(
    reader: &BooksReader,
    (since, limit): (u64, usize),
    wanted: &Wanted,
) -> (Vec<String>, u64) {
    let page = behind(reader, since, limit, wanted).unwrap().fields().unwrap();
    let events = page["events"].items().unwrap().into_iter().map(|event| {
        let text = event.text().replace(&claim().payment_hash().to_string(), "HASH");
        assert!(!text.contains(&PREIMAGE.reveal()), "{text}");
        text.replace("\"recorded_at\":\"2023-11-14T22:13:20.000Z\",", "")
    });
    (events.collect(), page["cursor"].decode().unwrap())
}

#[test]
fn every_end_is_told_once_with_what_it_came_to() {
    let success = |cursor: u64, group: u64, facts: &str| {
        format!(
            "{{\"cursor\":{cursor},\"event\":\"pay_success\",\"entity\":1,\
             \"payment_hash\":\"HASH\",\"groupid\":{group},{facts}}}"
        )
    };
    let failure = |cursor: u64, of: &str, error: &str| {
        format!(
            "{{\"cursor\":{cursor},\"event\":\"pay_failure\",\"entity\":1,{of}\"error\":{error}}}"
        )
    };
    let told = "{\"code\":210,\"message\":\"time is up\",\"data\":{\"final\":true}}";
    let untold = "{\"code\":209,\"message\":\"The payment has failed\"}";
    let late = format!(
        "\"amount_msat\":{},\"fee_msat\":3,\"successful_parts\":1,\"failed_parts\":0,\"late\":true",
        AMOUNT.0
    );
    let known = "\"fee_msat\":7,\"successful_parts\":2,\"failed_parts\":1";
    let claimed_msat = claim().claim.amount_msat.0;
    let group = |group: u64| format!("\"payment_hash\":\"HASH\",\"groupid\":{group},");
    let all = vec![
        success(2, 1, &format!("\"amount_msat\":5,{known}")),
        failure(3, "", told),
        failure(7, &group(2), told),
        success(8, 2, &late),
        success(11, 3, &format!("\"amount_msat\":{claimed_msat},{known}")),
        failure(13, &group(4), untold),
    ];
    assert_eq!(page(&reader(&ends(), true), 0, 100), (all, 13));
}

#[test]
fn pages_of_any_size_from_any_cursor_add_up_to_all_that_is_behind_it() {
    let reader = reader(&ends(), true);
    let (all, last) = page(&reader, 0, 100);
    let cursors = [2, 3, 7, 8, 11, 13];
    for since in 0..=last {
        let behind: Vec<String> =
            (cursors.iter().zip(&all)).filter(|it| *it.0 > since).map(|it| it.1.clone()).collect();
        for limit in 1..8 {
            let (mut heard, mut cursor) = (Vec::new(), since);
            loop {
                let (events, next) = page(&reader, cursor, limit);
                assert!(events.len() <= limit && next >= cursor, "{since} {limit}");
                if events.is_empty() {
                    assert_eq!(next, last);
                    break;
                }
                heard.extend(events);
                cursor = next;
            }
            assert_eq!(heard, behind, "{since} {limit}");
        }
    }
}

#[test]
fn the_ends_of_one_entry_stay_together() {
    let both =
        vec![complete(1, Some(Msat(5))), LedgerEntry::FailDraft { hash: None, answer: None }];
    let reader = reader(&[(US, vec![complete(2, Some(Msat(5)))]), (US, both)], false);
    for (since, limit, count, cursor) in [(0, 2, 1, 1), (0, 1, 1, 1), (1, 1, 2, 2), (0, 3, 3, 2)] {
        let (events, next) = page(&reader, since, limit);
        assert_eq!((events.len(), next), (count, cursor), "{since} {limit}");
    }
}

#[test]
fn only_what_an_entry_does_not_tell_waits_for_the_index() {
    let reader = reader(&ends(), false);
    let (events, cursor) = page(&reader, 0, 3);
    assert_eq!((events.len(), cursor), (3, 7));
    let opening = HistoryError::Opening { done: 0, of: 13 };
    assert_eq!(behind(&reader, cursor, 3, &Wanted::default()), Err(opening));
}

#[test]
fn a_receipt_that_is_paid_is_told_from_its_entry_alone() {
    let told = |cursor: u64, event: &str, more: &str| {
        format!(
            "{{\"cursor\":{cursor},\"event\":\"{event}\",\"payment_hash\":\"HASH\",\
             \"amount_msat\":9,\"paid_at\":1700000000{more}}}"
        )
    };
    let all = vec![
        told(1, "invoice_payment", ",\"label\":\"own\",\"to_self\":true"),
        told(2, "invoice_payment", ",\"label\":\"tea\""),
        told(3, "paycode_payment", ""),
        told(4, "paycode_payment", ",\"circular\":true"),
    ];
    assert_eq!(page(&reader(&receipts(), false), 0, 100), (all, 7));
}

#[test]
fn of_some_kinds_no_others_are_told_and_nothing_is_looked_up_for_them() {
    let both: Vec<_> = receipts().into_iter().chain(ends()).collect();
    let wanted = |kinds: &str| Wanted::read(&Json::parse(kinds).unwrap());
    let (last, open) = (both.len() as u64, reader(&both, true));
    let (all, _) = page(&open, 0, 100);
    for kinds in [
        "\"pay_success\"",
        "\"pay_failure\"",
        "\"paycode_payment\"",
        "\"invoice_payment\"",
        "[\"pay_failure\",\"paycode_payment\"]",
        "[\"pay_success\",\"pay_success\"]",
    ] {
        let is_named = |event: &&String| {
            let event = Json::parse(event).unwrap().fields().unwrap()["event"].clone();
            kinds.contains(event.text())
        };
        let named: Vec<String> = all.iter().filter(is_named).cloned().collect();
        assert!(named.len() > 1, "{kinds}");
        let wanted = wanted(kinds).unwrap();
        assert_eq!(page_of(&open, (0, 100), &wanted), (named.clone(), last), "{kinds}");
        let (first, cursor) = page_of(&open, (0, 1), &wanted);
        assert_eq!(first, named[..1]);
        assert_eq!(page_of(&open, (cursor, 100), &wanted).0, named[1..], "{kinds}");
    }
    let received = wanted("[\"paycode_payment\",\"invoice_payment\"]").unwrap();
    assert_eq!(page_of(&reader(&both, false), (0, 100), &received), (all[..4].to_vec(), last));
    for nothing in
        ["[]", "\"\"", "\"paid\"", "[\"pay_success\",1]", "[[\"pay_success\"]]", "{}", "1"]
    {
        assert!(wanted(nothing).is_none(), "{nothing}");
    }
}

#[test]
fn what_is_told_of_is_what_those_who_wait_are_woken_for() {
    for (_, lines) in ends().iter().chain(&receipts()) {
        for line in lines {
            assert_eq!(EventKind::of(line).is_some(), line.is_end(), "{line:?}");
        }
    }
}
