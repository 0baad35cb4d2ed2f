//! Where the secrets of receipts are not.

use crate::{
    journal::{Death, Durable, seed},
    nets,
    receiving::{AMOUNT, PREIMAGE, SECRET, invoice, request},
};
use ecs_core::{Json, Write};
use ecs_systems::{
    components::{Circular, HtlcJoined},
    port::{Offered, ReceiptState, Receipts, Verdict},
    units::{Msat, PaymentSecret},
};
use ledger_store::{Chosen, Issued, ReceiptRequest};
use node_sim::{RemotePart, Script};
use payecs_journal::{Disk, Open};
use std::{cell::RefCell, io};
use tracing::Level;
use tracing_subscriber::{filter::dynamic_filter_fn, layer::SubscriberExt};

thread_local! {
    /// What was logged on this thread, if it is listened to.
    static LOGGED: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Everything that is logged on a thread that is listened to.
struct Logged;

impl io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.with_borrow_mut(|logged| logged.iter_mut().for_each(|all| all.extend(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Listens to this thread from now on. A subscriber of this thread alone would miss events whose
/// first occurrence is on another thread: `tracing` then notes that nobody wants them.
fn listen() {
    let fmt = tracing_subscriber::fmt().with_max_level(Level::TRACE).with_ansi(false);
    let listened = dynamic_filter_fn(|_, _| LOGGED.with_borrow(Option::is_some));
    let subscriber = fmt.with_writer(|| Logged).finish().with(listened);
    tracing::subscriber::set_global_default(subscriber).expect("the only one here");
    tracing::callsite::rebuild_interest_cache();
    LOGGED.set(Some(Vec::new()));
}

/// All bytes of the files in a directory.
fn files(durable: &Durable, dir: &str) -> Vec<u8> {
    let mut all = Vec::new();
    for name in durable.disk.list(dir).expect("it is there") {
        let file = durable.disk.open(&format!("{dir}/{name}"), Open::Read).expect("it is there");
        let length = file.len_bytes().expect("it is read");
        let mut bytes = vec![0; usize::try_from(length).expect("it is small")];
        file.read_at(0, &mut bytes).expect("it is read");
        all.extend(bytes);
    }
    all
}

/// Whether a secret is somewhere, as it is, in digits, or as an array of numbers.
fn tells(place: &[u8], secret: &[u8; 32]) -> bool {
    let contains = |text: &[u8]| place.windows(text.len()).any(|part| part == text);
    let digits = PaymentSecret(*secret).reveal();
    let numbers = [Json::of(secret).text().to_owned(), format!("{secret:?}")];
    let upper = digits.to_uppercase();
    let texts = [digits, upper].into_iter().chain(numbers);
    contains(secret) || texts.into_iter().any(|text| contains(text.as_bytes()))
}

fn preimage_of(durable: &Durable, issued: &Issued) -> [u8; 32] {
    let Issued { payment_hash, payment_secret } = *issued;
    let (amount_msat, total_msat) = (AMOUNT, AMOUNT);
    let offered = Offered { payment_hash, amount_msat, total_msat, payment_secret };
    match durable.payer.receipts.judge(&offered, durable.payer.now) {
        Verdict::Settle(preimage) => preimage.0,
        Verdict::Refuse(why) => panic!("{why}"),
    }
}

/// Receipts that are not released, of which one is being paid around and one by somebody else.
fn unreleased(durable: &mut Durable, invoice: &str) -> [Issued; 3] {
    let chosen = durable.issue(&request()).expect("it lives");
    let derived = ReceiptRequest { chosen: Chosen::Nothing, ..request() };
    let [waiting, part_paid] = [(); 2].map(|()| durable.issue(&derived).expect("it lives"));
    let until = durable.payer.now.after_ms(60_000);
    durable.payer.script(Script::KeepNext { node: durable.payer.node("bob"), until });
    durable.pay_with(invoice, Write::here().attach(&Circular)).expect("it lives");
    durable.run_for(3_000).expect("it lives");
    let secret = part_paid.payment_secret.expect("it was derived");
    let part = RemotePart::whole(part_paid.payment_hash, secret, AMOUNT);
    let (carol, now) = (durable.payer.node("carol"), durable.payer.now);
    durable.payer.network.pay_us(carol, part.of_it(Msat(1_000)), now).expect("a way to us");
    durable.run_for(5_000).expect("it lives");
    [chosen, waiting, part_paid]
}

#[test]
fn no_secret_of_an_unreleased_receipt_is_in_the_ledger_or_in_a_trace() {
    listen();
    let network = nets::diamond(nets::HALF);
    let invoice = invoice(&network);
    let mut durable = Durable::new(&network);
    let now = durable.payer.now;
    durable.payer.driver.command(now, |engine| engine.announce_all(true));
    let receipts = unreleased(&mut durable, &invoice);
    let joined = |durable: &Durable| {
        let engine = durable.payer.driver.engine();
        let all = engine.entities().into_iter();
        all.filter(|id| engine.get::<HtlcJoined>(*id).is_some()).count()
    };
    assert_eq!(joined(&durable), 2, "an HTLC of ours and one of another's wait");
    for receipt in &receipts {
        let found = durable.payer.receipts.find(&receipt.payment_hash);
        assert_eq!(found.map(|it| it.state), Some(ReceiptState::Unpaid));
    }
    let mut secrets: Vec<[u8; 32]> =
        receipts.iter().map(|receipt| preimage_of(&durable, receipt)).collect();
    assert_eq!(secrets[0], PREIMAGE.0);
    durable.snapshot();
    let state = files(&durable, "state");
    assert!(!secrets.iter().any(|secret| tells(&state, secret)), "a preimage is in the state");
    secrets.extend(receipts.iter().map(|it| it.payment_secret.expect("it has one").0));
    assert!(secrets.contains(&SECRET.0));
    let engine = durable.payer.driver.engine();
    let traces = engine.entities().into_iter().flat_map(|id| engine.trace(id));
    let mut shown: Vec<String> = traces.map(|entry| Json::of(&entry).to_string()).collect();
    shown.push(format!("{:?} {:?} {:?}", durable.payer.driver, durable.payer.receipts, seed()));
    let notices = durable.payer.driver.take_notices();
    shown.extend(notices.iter().map(|notice| Json::of(notice).to_string()));
    let (ledger, log) =
        (files(&durable, "ledger"), LOGGED.take().expect("this thread was listened to"));
    let sizes = [ledger.len(), log.len(), shown.len()];
    assert!(sizes.iter().zip([1_000, 1_000, 30]).all(|(size, least)| *size > least), "{sizes:?}");
    for (place, bytes) in
        [("ledger", &ledger), ("log", &log), ("traces", &shown.join("\n").into_bytes())]
    {
        let told = secrets.iter().position(|secret| tells(bytes, secret));
        assert_eq!(told, None, "the {place} tell a secret");
    }
    // They are looked for rightly: what a payer showed is in the state.
    assert!(tells(&state, &SECRET.0));
    durable.die(Death::Kill);
    durable.run_for(600_000).expect("it lives");
    durable.assert_books_agree();
}
