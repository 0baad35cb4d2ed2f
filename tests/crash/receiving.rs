//! A crash between any two steps of what is paid to us, by others and by ourselves.

use crate::{
    books::Audited,
    harness::{START, signed_by_us},
    journal::{Death, Durable},
    nets,
};
use ecs_core::Write;
use ecs_systems::{
    components::Circular,
    port::{InvoiceDescription, InvoiceDraft, PartStatus, ReceiptState, Receipts},
    units::{Blocks, Msat, PaymentHash, PaymentSecret, Preimage, Seconds},
};
use ledger_store::{Account, Chosen, GivenSecrets, ReceiptRequest, Terms};
use node_sim::{Fact, RemotePart, SimNetwork};

pub(crate) const PREIMAGE: Preimage = Preimage([7; 32]);
pub(crate) const SECRET: PaymentSecret = PaymentSecret([8; 32]);
/// More than goes one way: one part each way round.
pub(crate) const AMOUNT: Msat = Msat(600_000_000);
const LIFE: Seconds = Seconds(3_600);

fn hash() -> PaymentHash {
    PREIMAGE.hash()
}

pub(crate) fn invoice(network: &SimNetwork) -> String {
    let draft = InvoiceDraft {
        payment_hash: hash(),
        payment_secret: SECRET,
        amount_msat: Some(AMOUNT),
        description: InvoiceDescription::Text("to ourselves".to_owned()),
        fallbacks: Vec::new(),
        created_at: START,
        expiry: LIFE,
        min_final_cltv: Blocks(18),
        hints: Vec::new(),
        payment_metadata: None,
    };
    signed_by_us(network, draft)
}

pub(crate) fn request() -> ReceiptRequest {
    let given = GivenSecrets { preimage: PREIMAGE, payment_secret: Some(SECRET) };
    let (expires_at, terms) = (START.after(LIFE), Terms::default());
    let chosen = Chosen::Secrets(given);
    ReceiptRequest { terms, chosen, ..ReceiptRequest::of(Some(AMOUNT), expires_at) }
}

fn state(durable: &Durable) -> Option<ReceiptState> {
    durable.payer.receipts.find(&hash()).map(|receipt| receipt.state)
}

/// How many HTLCs that came in are ours.
fn settled(durable: &Durable) -> usize {
    let ours = |fact: &Fact| matches!(fact, Fact::IncomingResolved { settled: true, .. });
    durable.payer.network.truth(0).iter().filter(|record| ours(&record.fact)).count()
}

/// Dies: whatever is lost, a preimage that left is known to have left, and a receipt that was
/// acknowledged is there.
fn die(durable: &mut Durable, deaths: &[Death], acknowledged: bool) {
    let left = durable.payer.troubles.read().preimages > 0;
    for death in deaths {
        durable.die(*death);
        let state = state(durable);
        assert!(state.is_some() || !acknowledged, "a receipt is gone");
        let known = matches!(state, Some(ReceiptState::Settling | ReceiptState::Paid));
        assert!(known || !left, "a preimage left, and its receipt is {state:?}");
    }
    if state(durable).is_none() {
        durable.issue(&request()).expect("it lives");
    }
}

fn assert_paid(durable: &Durable) {
    let paid = durable.payer.receipts.lock().paid(&hash()).map(|paid| paid.0);
    assert_eq!((paid, settled(durable)), (Some(AMOUNT), 2));
}

/// Pays itself around, and dies after so many steps. `false`: it was over before.
fn goes_around_although_it_dies(after: u64, deaths: &[Death], snapshot: bool) -> bool {
    let network = nets::diamond(nets::HALF);
    let invoice = invoice(&network);
    let mut durable = Durable::new(&network);
    durable.fuel = Some(after);
    let issued = durable.issue(&request()).is_ok();
    let around = || Write::here().attach(&Circular);
    let acknowledged = issued && durable.pay_with(&invoice, around()).is_ok();
    let died = !acknowledged || durable.run_for(60_000).is_err();
    if snapshot && !died {
        durable.snapshot();
    }
    die(&mut durable, deaths, issued);
    let id = if let Some(id) = durable.known(&invoice) {
        id
    } else {
        assert!(!acknowledged, "step {after}: the payment is gone");
        durable.pay_with(&invoice, around()).expect("it lives")
    };
    durable.payer.started.retain(|started| started.id == id);
    let outcome = durable.finish(id);
    assert_eq!(outcome.status, "complete", "step {after}\n{}", durable.payer.story(id));
    durable.assert_books_agree();
    assert_paid(&durable);
    assert_eq!(durable.payer.books.posted(Account::IncomeInvoice), 0, "step {after}");
    died
}

#[test]
fn a_payment_around_goes_on_after_a_death_between_any_two_steps() {
    for power in [false, true] {
        let deaths = |after| {
            if power { vec![Death::PowerLoss(after), Death::Kill] } else { vec![Death::Kill] }
        };
        let mut after = 0;
        while goes_around_although_it_dies(after, &deaths(after), power) {
            after += 1;
        }
        assert!(after > 25, "it had {after} steps only");
    }
}

/// Carol pays us in two parts, and the engine dies after so many steps. `false`: it was over.
fn is_paid_although_it_dies(after: u64, deaths: &[Death]) -> bool {
    let mut durable = Durable::new(&nets::diamond(nets::HALF));
    durable.issue(&request()).expect("it lives");
    durable.fuel = Some(after);
    let carol = durable.payer.node("carol");
    let part = || RemotePart::whole(hash(), SECRET, AMOUNT).of_it(Msat(AMOUNT.0 / 2));
    let now = durable.payer.now;
    let sent =
        [(); 2].map(|()| durable.payer.network.pay_us(carol, part(), now).expect("a way to us"));
    let died = durable.run_for(20_000).is_err();
    die(&mut durable, deaths, true);
    durable.run_for(60_000).expect("it lives");
    for id in sent {
        let status = durable.payer.network.remote_status(id);
        let paid = matches!(status, Some(PartStatus::Paid { preimage: PREIMAGE, .. }));
        assert!(paid, "step {after}: {status:?}");
    }
    durable.assert_books_agree();
    assert_paid(&durable);
    let income = -durable.payer.books.posted(Account::IncomeInvoice);
    assert_eq!(income, i128::from(AMOUNT.0), "step {after}");
    died
}

#[test]
fn what_others_pay_is_ours_after_a_death_between_any_two_steps() {
    for power in [false, true] {
        let deaths = |after| {
            if power { vec![Death::PowerLoss(after), Death::Kill] } else { vec![Death::Kill] }
        };
        let mut after = 0;
        while is_paid_although_it_dies(after, &deaths(after)) {
            after += 1;
        }
        assert!(after > 10, "it had {after} steps only");
    }
}
