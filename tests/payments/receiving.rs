//! Others pay us over channels: sets are complete, held, or given back.

use crate::{
    books::Audited,
    harness::{Payer, START, signed_by_us},
    nets,
};
use ecs_core::{EntityId, ErrorObject, Failing, On, Systems, Write, system};
use ecs_systems::{
    components::{Held, Hold, Htlc, Refused, Reject, Set, SetHeld, Settled},
    port::{FailureCode, InvoiceDescription, InvoiceDraft, PartStatus, PayeeFailure},
    units::{Blocks, Msat, PaymentHash, PaymentSecret, Preimage, Seconds},
};
use ledger_store::{Account, NewReceipt, Terms};
use node_sim::{Fact, RemoteId, RemotePart, Settings, SimNetwork};

pub(crate) const PREIMAGE: Preimage = Preimage([7; 32]);
pub(crate) const SECRET: PaymentSecret = PaymentSecret([8; 32]);
pub(crate) const AMOUNT: Msat = Msat(100_000);

/// What everything here is locked to.
pub(crate) fn hash() -> PaymentHash {
    PREIMAGE.hash()
}

pub(crate) fn terms() -> Terms {
    Terms::default()
}

/// A node with a receipt of the usual amount, and its invoice.
pub(crate) fn receiver(network: &SimNetwork, terms: Terms) -> (Payer, String) {
    with_amount(network, terms, Some(AMOUNT))
}

/// The same of that amount, or of any.
pub(crate) fn with_amount(
    network: &SimNetwork,
    terms: Terms,
    amount_msat: Option<Msat>,
) -> (Payer, String) {
    let draft = InvoiceDraft {
        payment_hash: hash(),
        payment_secret: SECRET,
        amount_msat,
        description: InvoiceDescription::Text("to ourselves".to_owned()),
        fallbacks: Vec::new(),
        created_at: START,
        expiry: Seconds(3_600),
        min_final_cltv: Blocks(18),
        hints: Vec::new(),
        payment_metadata: None,
    };
    let invoice = signed_by_us(network, draft);
    let payer = Payer::new(network);
    let receipt = NewReceipt {
        preimage: PREIMAGE,
        payment_secret: Some(SECRET),
        amount_msat,
        expires_at: START.after(Seconds(3_600)),
        terms,
    };
    payer.receipts.lock().add(&receipt).expect("a first receipt");
    (payer, invoice)
}

/// How many HTLCs that came in went back.
pub(crate) fn refused_all(payer: &Payer) -> usize {
    let truth = payer.network.truth(0);
    let back = |fact: &Fact| matches!(fact, Fact::IncomingResolved { settled: false, .. });
    truth.iter().filter(|record| back(&record.fact)).count()
}

fn whole() -> RemotePart {
    RemotePart::whole(hash(), SECRET, AMOUNT)
}

/// Carol sends us a part, and two seconds pass.
pub(crate) fn carol_sends(payer: &mut Payer, part: RemotePart) -> RemoteId {
    let id = payer.network.pay_us(payer.node("carol"), part, payer.now).expect("a way to us");
    payer.run_for(2_000);
    id
}

pub(crate) fn status(payer: &Payer, id: RemoteId) -> PartStatus {
    payer.network.remote_status(id).expect("it was sent")
}

pub(crate) fn told(payer: &Payer, id: RemoteId) -> FailureCode {
    let PartStatus::Failed(failure) = status(payer, id) else { panic!("it did not fail") };
    failure.failcode
}

pub(crate) fn set_of(payer: &Payer) -> EntityId {
    let engine = payer.driver.engine();
    let sets = engine.entities().into_iter().filter(|id| engine.get::<Set>(*id).is_some());
    sets.last().expect("there is a set")
}

fn paid(payer: &Payer) -> Option<Msat> {
    payer.receipts.lock().paid(&hash()).map(|paid| paid.0)
}

fn income(payer: &Payer) -> i128 {
    -payer.books.posted(Account::IncomeInvoice)
}

#[test]
fn what_another_pays_is_income_in_one_part_or_several() {
    for shares in [vec![100_000], vec![60_000, 40_000], vec![50_000, 60_000]] {
        let (mut payer, _) = receiver(&nets::diamond(nets::HALF), terms());
        let ids: Vec<RemoteId> =
            shares.iter().map(|msat| carol_sends(&mut payer, whole().of_it(Msat(*msat)))).collect();
        for id in ids {
            assert!(matches!(status(&payer, id), PartStatus::Paid { preimage: PREIMAGE, .. }));
        }
        let sum: u64 = shares.iter().sum();
        assert_eq!((paid(&payer), income(&payer)), (Some(Msat(sum)), i128::from(sum)));
        payer.assert_books_agree();
        let engine = payer.driver.engine();
        assert!(engine.get::<Settled>(set_of(&payer)).is_some());
        let live = engine.entities().into_iter().filter(|id| engine.get::<Systems>(*id).is_some());
        assert_eq!(live.count(), 0, "everything has ended");
    }
}

#[test]
fn what_is_wrong_with_an_htlc_is_told_to_nobody() {
    let other = RemotePart { payment_secret: Some(PaymentSecret([9; 32])), ..whole() };
    let total = |msat| RemotePart { total_msat: Msat(msat), ..whole() };
    let wrong = [
        other,
        RemotePart { payment_secret: None, ..whole() },
        RemotePart { payment_hash: Preimage([1; 32]).hash(), ..whole() },
        RemotePart { final_cltv: Blocks(17), ..whole() },
        total(99_999),
        RemotePart { amount_msat: Msat(200_001), ..total(200_001) },
    ];
    for part in wrong {
        let (mut payer, _) = receiver(&nets::diamond(nets::HALF), terms());
        let id = carol_sends(&mut payer, part);
        assert_eq!(told(&payer, id), FailureCode::IncorrectOrUnknownPaymentDetails);
        assert_eq!((paid(&payer), income(&payer)), (None, 0));
        let good = carol_sends(&mut payer, whole());
        assert!(matches!(status(&payer, good), PartStatus::Paid { .. }), "it stays payable");
        payer.assert_books_agree();
    }
}

#[test]
fn a_second_payer_is_refused_and_an_incomplete_set_goes_back_in_time() {
    let (mut payer, _) = receiver(&nets::diamond(nets::HALF), terms());
    let half = carol_sends(&mut payer, whole().of_it(Msat(50_000)));
    let other = carol_sends(&mut payer, RemotePart { total_msat: Msat(100_001), ..whole() });
    assert_eq!(told(&payer, other), FailureCode::IncorrectOrUnknownPaymentDetails, "other total");
    payer.run_for(60_000);
    assert_eq!(status(&payer, half), PartStatus::InFlight);
    payer.run_for(10_000);
    assert_eq!(told(&payer, half), FailureCode::MppTimeout);
    assert_eq!((refused_all(&payer), paid(&payer)), (2, None));
    carol_sends(&mut payer, whole());
    let second = carol_sends(&mut payer, whole());
    assert_eq!(told(&payer, second), FailureCode::IncorrectOrUnknownPaymentDetails);
    assert_eq!(paid(&payer), Some(AMOUNT));
    payer.assert_books_agree();
}

#[test]
fn an_open_set_outlives_the_expiry_of_its_receipt_and_no_new_one_is_opened() {
    let (mut payer, _) = receiver(&nets::diamond(nets::HALF), terms());
    payer.run_for(3_590_000);
    carol_sends(&mut payer, whole().of_it(Msat(50_000)));
    payer.run_for(30_000);
    let rest = carol_sends(&mut payer, whole().of_it(Msat(50_000)));
    assert!(matches!(status(&payer, rest), PartStatus::Paid { .. }), "judged by its first HTLC");
    assert_eq!(paid(&payer), Some(AMOUNT));

    let (mut payer, _) = receiver(&nets::diamond(nets::HALF), terms());
    payer.run_for(3_600_000);
    let late = carol_sends(&mut payer, whole());
    assert_eq!(told(&payer, late), FailureCode::IncorrectOrUnknownPaymentDetails);
    payer.assert_books_agree();
}

#[test]
fn a_set_that_loses_an_htlc_is_given_back_whole() {
    let settings = Settings { block_interval: Seconds(2), ..Settings::default() };
    let (mut payer, _) = receiver(&nets::diamond_with(nets::HALF, settings), terms());
    let part = |blocks, msat| {
        let long = RemotePart { final_cltv: Blocks(blocks), ..whole() };
        long.of_it(Msat(msat))
    };
    carol_sends(&mut payer, part(25, 30_000));
    let long = carol_sends(&mut payer, part(90, 30_000));
    assert_eq!(status(&payer, long), PartStatus::InFlight);
    payer.run_for(55_000);
    assert_eq!(told(&payer, long), FailureCode::IncorrectOrUnknownPaymentDetails, "before 70 s");
    assert!(payer.driver.engine().get::<Refused>(set_of(&payer)).is_some());
    let good = carol_sends(&mut payer, part(90, 100_000));
    assert!(matches!(status(&payer, good), PartStatus::Paid { .. }), "it stays payable");
    payer.run_for(600_000);
    payer.assert_books_agree();
}

fn holding() -> Terms {
    Terms { hold: true, ..terms() }
}

#[test]
fn a_held_set_is_settled_or_refused_as_somebody_decides() {
    let failure = PayeeFailure::try_from("temporary_node_failure".to_owned()).unwrap();
    for accept in [true, false] {
        let (mut payer, _) = receiver(&nets::diamond(nets::HALF), holding());
        let id = carol_sends(&mut payer, whole());
        payer.run_for(600_000);
        let set = set_of(&payer);
        assert_eq!(status(&payer, id), PartStatus::InFlight);
        assert!(payer.driver.engine().get::<SetHeld>(set).is_some());
        assert_eq!(
            ecs_systems::port::Ledger::balance_object(&payer.books).pending_incoming_msat,
            AMOUNT
        );
        payer.crash();
        let release = || Write::here().detach::<Hold>();
        let reject = || Write::here().attach(&Reject(failure));
        let decision = if accept { release() } else { reject() };
        payer.tell(set, decision);
        payer.run_for(5_000);
        if accept {
            assert!(matches!(status(&payer, id), PartStatus::Paid { .. }));
            assert_eq!((paid(&payer), income(&payer)), (Some(AMOUNT), i128::from(AMOUNT.0)));
        } else {
            assert_eq!(told(&payer, id), failure.code());
            assert_eq!((paid(&payer), income(&payer)), (None, 0));
        }
        payer.assert_books_agree();
    }
}

#[test]
fn an_htlc_or_set_that_a_third_party_fails_goes_back() {
    for requires in [
        "lightningd:htlc",
        "lightningd:htlc:matched",
        "lightningd:check_cltv:ran",
        "lightningd:set:enough",
        "lightningd:set:complete",
    ] {
        let (mut payer, _) = receiver(&nets::diamond(nets::HALF), terms());
        let now = payer.now;
        payer.driver.command(now, |engine| {
            let no = |_: On| Err(ErrorObject::new(1, "no"));
            engine.add_payment_system(system("acme:no").requires([requires]), no).unwrap();
            let mut names: Vec<String> = vec!["acme:no".to_owned()];
            names.extend(engine.default_systems().iter().map(ToString::to_string));
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            engine.set_default_systems(&names).unwrap();
        });
        let id = carol_sends(&mut payer, whole());
        let code = FailureCode::IncorrectOrUnknownPaymentDetails;
        assert_eq!((told(&payer, id), paid(&payer)), (code, None), "{requires}");
        payer.assert_books_agree();
    }
}

#[test]
fn a_set_that_is_being_settled_is_neither_held_nor_rejected() {
    let failure = PayeeFailure::try_from("temporary_node_failure".to_owned()).unwrap();
    for verdict in [Write::here().attach(&Hold), Write::here().attach(&Reject(failure))] {
        let (mut payer, _) = receiver(&nets::diamond(nets::HALF), terms());
        payer.troubles.open().lost_words = 1;
        let id = carol_sends(&mut payer, whole());
        payer.tell(set_of(&payer), verdict);
        payer.run_for(70_000);
        assert!(payer.driver.engine().get::<Failing>(set_of(&payer)).is_none());
        assert!(matches!(status(&payer, id), PartStatus::Paid { .. }));
        assert_eq!((paid(&payer), income(&payer)), (Some(AMOUNT), i128::from(AMOUNT.0)));
        payer.assert_books_agree();
    }
}

#[test]
fn a_hold_that_nobody_ends_goes_back_18_blocks_before_it_expires() {
    for crash in [false, true] {
        let settings = Settings { block_interval: Seconds(600), ..Settings::default() };
        let network = nets::diamond_with(nets::HALF, settings);
        let (mut payer, _) = receiver(&network, holding());
        let id = carol_sends(&mut payer, RemotePart { final_cltv: Blocks(200), ..whole() });
        let until = payer.driver.engine().get::<Held>(set_of(&payer)).unwrap().0.until_height;
        if crash {
            payer.crash();
        }
        let height = |payer: &Payer| payer.network.height(payer.now);
        while height(&payer).0 + 1 < until.0 {
            payer.run_for(600_000);
        }
        assert_eq!(status(&payer, id), PartStatus::InFlight, "a day and more");
        payer.run_for(602_000);
        assert_eq!(told(&payer, id), FailureCode::IncorrectOrUnknownPaymentDetails);
        assert_eq!(paid(&payer), None);
        payer.assert_books_agree();
    }
}

#[test]
fn an_htlc_that_was_judged_is_answered_as_before_however_often_it_is_shown() {
    let (mut payer, _) = receiver(&nets::diamond(nets::HALF), terms());
    payer.troubles.open().lost_words = u32::MAX;
    let other = RemotePart { payment_secret: None, ..whole() };
    let refused = carol_sends(&mut payer, other);
    let taken = carol_sends(&mut payer, whole());
    let count = |payer: &Payer| {
        let engine = payer.driver.engine();
        let all = engine.entities().into_iter().filter(|id| engine.get::<Htlc>(*id).is_some());
        let entities: Vec<EntityId> = all.collect();
        let refused = entities.iter().filter(|id| engine.get::<Refused>(**id).is_some()).count();
        (entities.len(), refused)
    };
    assert_eq!(count(&payer), (2, 1));
    for _ in 0..3 {
        payer.network.restart(payer.now);
        payer.run_for(1_000);
        payer.crash();
        payer.run_for(1_000);
    }
    assert_eq!((count(&payer), status(&payer, taken)), ((2, 1), PartStatus::InFlight));
    payer.troubles.open().lost_words = 0;
    payer.run_for(600_000);
    assert_eq!(told(&payer, refused), FailureCode::IncorrectOrUnknownPaymentDetails);
    assert!(matches!(status(&payer, taken), PartStatus::Paid { .. }), "said until it is heard");
    assert_eq!((count(&payer), paid(&payer)), ((2, 1), Some(AMOUNT)));
    payer.assert_books_agree();
}
