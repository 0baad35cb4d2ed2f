use super::*;
use crate::laws::fixture::preimage;
use ecs_core::Json;
use ecs_systems::{
    port::{Chosen, GivenSecrets, IssuedReceipt, ReceiptKey, ReceiptRequest, Terms, Verdict},
    records::ReceiptLine,
    units::{ReceiptId, RequestHash},
};

fn open(made: &[NewReceipt]) -> MemoryReceipts {
    let mut receipts = MemoryReceipts::default();
    for receipt in made {
        receipts.add(receipt).unwrap();
    }
    receipts
}

mod memory {
    crate::receipts_laws!(super::open);
}

fn seed() -> Seed {
    Seed::new(&zeroize::Zeroizing::new([5; 32]))
}

/// The receipt that a command would issue for the same.
fn issued(made: &NewReceipt) -> IssuedReceipt {
    let mut app = ecs_core::Engine::new();
    app.insert_resource(ecs_systems::port::ReceiptsBook(Box::new(open_issued(&[]))));
    app.set_keeper(|_, _, _| Ok(None));
    app.record_changes(true);
    let NewReceipt { preimage, payment_secret, amount_msat, expires_at, terms } = made.clone();
    let chosen = Chosen::Secrets(GivenSecrets { preimage, payment_secret });
    let request = ReceiptRequest { terms, chosen, ..ReceiptRequest::of(amount_msat, expires_at) };
    Issuer::new(seed()).issue(&mut app, &request).unwrap();
    let delta = app.take_delta().unwrap();
    let [ecs_core::Change::Lines(None, lines)] = &delta.changes[..] else { panic!("{delta:?}") };
    let ReceiptLine::Issue(issued) = lines[0].body.decode().unwrap() else { panic!("no issue") };
    *issued
}

/// Receipts with a seed, once through an image.
fn open_issued(made: &[NewReceipt]) -> MemoryReceipts {
    let mut receipts = MemoryReceipts::with_seed(seed());
    for receipt in made {
        receipts.issue(&issued(receipt), Timestamp(0)).unwrap();
    }
    through_image(&receipts)
}

fn through_image(receipts: &MemoryReceipts) -> MemoryReceipts {
    let image = receipts.image().json();
    let mut others = MemoryReceipts::with_seed(seed());
    others.take_back(&image).unwrap();
    assert_eq!(others.image().json(), image);
    assert_eq!((&others.unpaid, &others.ended), (&receipts.unpaid, &receipts.ended));
    others
}

mod invoices;
mod ages;

mod kept {
    crate::receipts_laws!(super::open_issued);
}

fn receipt() -> NewReceipt {
    NewReceipt {
        preimage: preimage(1),
        payment_secret: Some(PaymentSecret([9; 32])),
        amount_msat: Some(Msat(100)),
        expires_at: Timestamp(2_000),
        terms: Terms::default(),
    }
}

fn htlc() -> Offered {
    Offered {
        payment_hash: preimage(1).hash(),
        amount_msat: Msat(100),
        total_msat: Msat(100),
        payment_secret: Some(PaymentSecret([9; 32])),
    }
}

#[test]
fn each_refusal_says_why() {
    let wrong = Some(PaymentSecret([8; 32]));
    for (htlc, now, words) in [
        (Offered { payment_hash: preimage(2).hash(), ..htlc() }, 0, "no receipt of this hash"),
        (htlc(), 2_000, "the receipt expired at 1970-01-01T00:00:02.000Z"),
        (Offered { payment_secret: wrong, ..htlc() }, 0, "the payment secret is wrong"),
        (Offered { payment_secret: None, ..htlc() }, 0, "the payment secret is wrong"),
        (Offered { amount_msat: Msat(0), ..htlc() }, 0, "the HTLC is worth nothing"),
        (
            Offered { amount_msat: Msat(99), ..htlc() },
            0,
            "the set is incomplete: 99msat of 100msat",
        ),
        (
            Offered { amount_msat: Msat(99), total_msat: Msat(99), ..htlc() },
            0,
            "the total of 99msat does not fit the 100msat asked for",
        ),
        (
            Offered { amount_msat: Msat(201), total_msat: Msat(201), ..htlc() },
            0,
            "the total of 201msat does not fit the 100msat asked for",
        ),
    ] {
        let verdict = open(&[receipt()]).judge(&htlc, Timestamp(now));
        assert_eq!(verdict, Verdict::Refuse(words.to_owned()));
    }
}

#[test]
fn a_receipt_that_is_over_is_refused_before_its_secret_is_looked_at() {
    let hash = preimage(1).hash();
    let shown = Offered { payment_secret: None, ..htlc() };
    let mut paid = open(&[receipt()]);
    paid.settle(&hash, Msat(100), Timestamp(1_000)).unwrap();
    let words = "the receipt was paid at 1970-01-01T00:00:01.000Z".to_owned();
    assert_eq!(paid.judge(&shown, Timestamp(0)), Verdict::Refuse(words));
    assert_eq!(paid.paid(&hash), Some((Msat(100), Timestamp(1_000))));
    let mut cancelled = open(&[receipt()]);
    cancelled.cancel(&hash).unwrap();
    let words = "the receipt was cancelled".to_owned();
    assert_eq!(cancelled.judge(&shown, Timestamp(0)), Verdict::Refuse(words));
    assert_eq!(cancelled.paid(&hash), None);
}

#[test]
fn a_receipt_is_cancelled_unless_it_is_paid() {
    let payment_hash = preimage(1).hash();
    let mut receipts = open(&[receipt()]);
    receipts.cancel(&payment_hash).unwrap();
    receipts.cancel(&payment_hash).unwrap();
    let error = receipts.settle(&payment_hash, Msat(100), Timestamp(0)).unwrap_err();
    assert!(error.ends_with("was cancelled"), "{error}");
    assert_eq!(receipts.find(&payment_hash).unwrap().state, ReceiptState::Cancelled);

    let mut receipts = open(&[receipt()]);
    receipts.settle(&payment_hash, Msat(150), Timestamp(0)).unwrap();
    let paid = CancelReceiptError::Paid { payment_hash, received_msat: Msat(150) };
    assert_eq!(receipts.cancel(&payment_hash), Err(paid));

    let mut receipts = open(&[receipt()]);
    receipts.release(&payment_hash).unwrap();
    let settling = CancelReceiptError::Settling { payment_hash };
    assert_eq!(receipts.cancel(&payment_hash), Err(settling));

    let payment_hash = preimage(2).hash();
    let unknown = CancelReceiptError::Unknown { payment_hash };
    assert_eq!(receipts.cancel(&payment_hash), Err(unknown));
}

#[test]
fn a_hash_has_one_receipt() {
    let payment_hash = preimage(1).hash();
    let mut receipts = open(&[receipt()]);
    assert_eq!(receipts.add(&receipt()), Ok(payment_hash), "the same again");
    for other in [
        NewReceipt { amount_msat: None, ..receipt() },
        NewReceipt { payment_secret: None, ..receipt() },
        NewReceipt { expires_at: Timestamp(1), ..receipt() },
        NewReceipt { terms: Terms { hold: true, ..Terms::default() }, ..receipt() },
    ] {
        assert_eq!(receipts.add(&other), Err(AddReceiptError::HashTaken { payment_hash }));
    }
    let nothing = NewReceipt { amount_msat: Some(Msat(0)), ..receipt() };
    assert_eq!(receipts.add(&nothing), Err(AddReceiptError::ZeroAmount));
    let cltv = Blocks(CLTV_BLOCKS_MIN.0 - 1);
    let hasty = NewReceipt { terms: Terms { cltv, ..Terms::default() }, ..receipt() };
    assert_eq!(receipts.add(&hasty), Err(AddReceiptError::CltvTooShort { cltv }));
}

#[test]
fn receipts_that_ended_go_after_a_while_and_what_was_paid_is_never_payable_again() {
    let template = issued(&receipt());
    let numbered = |number: u64| {
        let mut payment_hash = template.payment_hash;
        payment_hash.0[..8].copy_from_slice(&number.to_be_bytes());
        IssuedReceipt { payment_hash, ..template.clone() }
    };
    let mut receipts = open_issued(&[]);
    let paid_before = ENDED_RECEIPTS_MAX as u64;
    for number in 0..paid_before + 2 {
        let issued = numbered(number);
        receipts.issue(&issued, Timestamp(0)).unwrap();
        if number > 0 {
            receipts.settle(&issued.payment_hash, Msat(100), Timestamp(number)).unwrap();
        }
    }
    assert_eq!(receipts.count(), ENDED_RECEIPTS_MAX + 1);
    let gone = numbered(1);
    assert_eq!(receipts.find(&gone.payment_hash), None);
    let mut receipts = through_image(&receipts);
    let payment_hash = gone.payment_hash;
    assert_eq!(receipts.check(&gone), Err(AddReceiptError::WasPaid { payment_hash }));
    let kept = numbered(2).payment_hash;
    assert_eq!(receipts.paid(&kept), Some((Msat(100), Timestamp(2))));
    receipts.withdraw(&numbered(0).payment_hash, Timestamp(0)).unwrap();
    assert_eq!(receipts.find(&numbered(0).payment_hash), None, "the first that ended");
    assert_eq!(receipts.check(&numbered(0)), Ok(()), "nobody knows its preimage");
}

#[test]
fn a_receipt_that_expired_goes_when_no_htlc_can_be_left_and_one_that_settles_never() {
    let stay_ms = EXPIRED_RECEIPTS_STAY.0 * 1_000;
    let other = NewReceipt { preimage: preimage(2), ..receipt() };
    let expires_at = Timestamp(u64::MAX);
    let third = issued(&NewReceipt { preimage: preimage(3), expires_at, ..receipt() });
    for (at_ms, left) in [(2_000 + stay_ms - 1, 3), (2_000 + stay_ms, 2)] {
        let mut receipts = open_issued(&[receipt(), other.clone()]);
        receipts.release(&preimage(2).hash()).unwrap();
        receipts = through_image(&receipts);
        receipts.issue(&third, Timestamp(at_ms)).unwrap();
        assert_eq!(receipts.count(), left);
        assert!(receipts.find(&preimage(2).hash()).is_some());
    }
}

#[test]
fn an_image_of_something_else_or_over_receipts_in_use_is_refused() {
    let receipts = open_issued(&[receipt()]);
    let image = receipts.image().json();
    assert!(receipts.clone().take_back(&image).unwrap_err().contains("in use"));
    let mut none = MemoryReceipts::default();
    assert!(none.take_back(&Json::of("x")).unwrap_err().contains("no image of receipts"));
    let mut receipts = receipts;
    assert_eq!(receipts.add(&receipt()), Err(AddReceiptError::Kept));
}

#[test]
fn secrets_do_not_print() {
    let shown = format!("{:?} {:?}", open(&[receipt()]), open_issued(&[receipt()]));
    for secret in [preimage(1).0, [9; 32]] {
        assert!(!shown.contains(&format!("{secret:?}")), "{shown}");
    }
    assert!(!shown.contains(&preimage(1).reveal()), "{shown}");
}

#[test]
fn secrets_are_equal_only_in_all_bytes() {
    let secret = PaymentSecret([9; 32]);
    for place in 0..32 {
        let mut other = secret;
        other.0[place] ^= 1;
        assert!(!same_secret(Some(&secret), Some(&other)), "byte {place}");
    }
    assert!(same_secret(Some(&secret), Some(&secret)) && same_secret(None, None));
    assert!(!same_secret(None, Some(&secret)) && !same_secret(Some(&secret), None));
}

#[test]
fn a_draft_is_what_is_issued_and_needs_a_seed() {
    let request = ReceiptRequest::of(Some(Msat(100)), Timestamp(2_000));
    let id = ReceiptId([3; 32]);
    let none = MemoryReceipts::default();
    assert_eq!(none.draft(&request, id), Err(AddReceiptError::NoSeed));
    let hash = preimage(3).hash();
    for (chosen, hold, known) in [
        (Chosen::Nothing, false, true),
        (Chosen::Preimage(preimage(3)), false, true),
        (Chosen::Hash(hash), true, false),
    ] {
        let mut receipts = open_issued(&[]);
        let issued = receipts.draft(&ReceiptRequest { chosen, ..request.clone() }, id).unwrap();
        receipts.issue(&issued, Timestamp(1)).unwrap();
        let receipts = through_image(&receipts);
        let found = receipts.find(&issued.payment_hash).unwrap();
        assert_eq!((found.hold, found.preimage_known), (hold, known), "{chosen:?}");
        let secret = receipts.payment_secret(&issued.payment_hash).unwrap();
        assert!(receipts.shows_secret(&issued.payment_hash, Some(&secret)));
        assert!(chosen == Chosen::Nothing || issued.payment_hash == hash);
        let offered =
            Offered { payment_hash: issued.payment_hash, payment_secret: Some(secret), ..htlc() };
        match receipts.judge(&offered, Timestamp(1)) {
            Verdict::Settle(preimage) => assert!(known && preimage.hash() == issued.payment_hash),
            Verdict::Refuse(why) => assert!(!known && why.contains("not here yet"), "{why}"),
        }
    }
}

#[test]
fn a_key_finds_its_receipt_while_that_is_here_and_is_given_once() {
    let key =
        |key: &str| ReceiptKey { idempotency_key: key.to_owned(), request: RequestHash([7; 32]) };
    let request = |name: &str| {
        let metadata = Some(Json::parse(r#"{"order":9007199254740993}"#).unwrap());
        let key = Some(key(name));
        ReceiptRequest { metadata, key, ..ReceiptRequest::of(None, Timestamp(2_000)) }
    };
    let mut receipts = open_issued(&[]);
    let first = receipts.draft(&request("a"), ReceiptId([1; 32])).unwrap();
    receipts.issue(&first, Timestamp(0)).unwrap();
    let mut receipts = through_image(&receipts);
    assert_eq!(receipts.of_key("a"), Some((first.payment_hash, RequestHash([7; 32]))));
    assert_eq!(receipts.of_key("b"), None);
    let facts = receipts.facts(&first.payment_hash).unwrap();
    assert_eq!(facts.metadata.unwrap().text(), r#"{"order":9007199254740993}"#);
    let again = receipts.draft(&request("a"), ReceiptId([2; 32])).unwrap();
    let taken = AddReceiptError::KeyTaken { idempotency_key: "a".to_owned() };
    assert_eq!(receipts.issue(&again, Timestamp(0)), Err(taken));
    // Another one is issued when the first has expired for long, and that is gone.
    let gone_at = Timestamp(2_000 + EXPIRED_RECEIPTS_STAY.0 * 1_000);
    let later = ReceiptRequest { expires_at: Timestamp(u64::MAX), ..request("b") };
    let second = receipts.draft(&later, ReceiptId([3; 32])).unwrap();
    receipts.issue(&second, gone_at).unwrap();
    assert_eq!((receipts.of_key("a"), receipts.unpaid()), (None, 1));
    receipts.issue(&again, Timestamp(0)).unwrap();
    assert_eq!(receipts.of_key("a").map(|it| it.0), Some(again.payment_hash));
}

#[test]
fn an_image_without_places_is_read_and_its_receipts_are_counted() {
    let image = open_issued(&[receipt(), NewReceipt { preimage: preimage(2), ..receipt() }]);
    let mut fields = image.image().json().fields().unwrap();
    let pairs: Vec<(Json, Json, Json, Json)> = fields["receipts"].decode().unwrap();
    let pairs: Vec<(Json, Json)> = pairs.into_iter().map(|it| (it.0, it.1)).collect();
    fields.insert("receipts".to_owned(), Json::of(&pairs));
    fields.remove("last");
    let mut others = MemoryReceipts::with_seed(seed());
    others.take_back(&Json::of(&fields)).unwrap();
    let places: Vec<u64> = others.shelf.from(0).map(|held| held.places.created).collect();
    assert_eq!(places, [1, 2]);
}

#[test]
fn a_preimage_that_comes_later_is_sealed_and_pays() {
    let chosen = Chosen::Hash(preimage(3).hash());
    let request =
        ReceiptRequest { chosen, ..ReceiptRequest::of(Some(Msat(100)), Timestamp(2_000)) };
    let mut receipts = open_issued(&[receipt()]);
    let issued = receipts.draft(&request, ReceiptId([5; 32])).unwrap();
    receipts.issue(&issued, Timestamp(1)).unwrap();
    let hash = issued.payment_hash;
    assert_eq!((receipts.seal(&preimage(4)), receipts.proof(&hash)), (None, None));
    let sealed = receipts.seal(&preimage(3)).unwrap();
    assert_ne!(sealed.0, preimage(3).0);
    let other = receipts.seal(&preimage(1)).unwrap();
    assert!(receipts.reveal(&hash, &other).unwrap_err().contains("not the preimage"));
    let known = receipts.reveal(&preimage(1).hash(), &other).unwrap_err();
    assert!(known.contains("waits for no preimage"), "{known}");
    for _ in 0..2 {
        receipts.reveal(&hash, &sealed).unwrap();
        receipts = through_image(&receipts);
        assert!(receipts.find(&hash).unwrap().preimage_known);
        assert_eq!(receipts.facts(&hash).unwrap().updated_index, 3, "one change");
        let payment_secret = receipts.payment_secret(&hash);
        let offered = Offered { payment_hash: hash, payment_secret, ..htlc() };
        assert_eq!(receipts.judge(&offered, Timestamp(1)), Verdict::Settle(preimage(3)));
    }
    let text = receipts.image().json();
    assert!(!text.text().contains(&preimage(3).reveal()));
}

#[test]
fn a_hash_that_was_deleted_is_free_again_only_unpaid_and_without_a_tombstone() {
    let payment_hash = preimage(1).hash();
    for (pays, keep, refused) in [
        (false, false, None),
        (false, true, Some(AddReceiptError::WasDeleted { payment_hash })),
        (true, false, Some(AddReceiptError::WasPaid { payment_hash })),
        (true, true, Some(AddReceiptError::WasPaid { payment_hash })),
    ] {
        let mut receipts = open_issued(&[receipt()]);
        if pays {
            receipts.settle(&payment_hash, Msat(100), Timestamp(0)).unwrap();
        }
        receipts.delete(&payment_hash, keep).unwrap();
        let receipts = through_image(&receipts);
        assert_eq!(receipts.check(&issued(&receipt())).err(), refused, "{pays} {keep}");
    }
}
