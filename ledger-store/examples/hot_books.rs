//! Measures books that leave their history to others: what a payment costs, what stays of it, how
//! large an image is and how long a restart takes. Arguments: payments (166667), directory.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "it measures time and prints what it measured"
)]

use ecs_core::{Engine, Inputs};
use ecs_systems::{
    port::{Books, History, HistoryError, Ledger, LedgerEntry, PastEntry, PaymentRef},
    records::{keep, ledger_record},
    units::{GroupId, Msat, PaymentHash, Preimage, Timestamp},
};
use ledger_store::laws::fixture::{claimed, dispatch, opening, post, reserve};
use ledger_store::store::{Image, Store};
use ledger_store::{LATE_PAYMENTS_MAX, MemoryLedger};
use payecs_journal::{Disk, LogId, Options, OsDisk};
use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

/// Has everything, and is never asked.
#[derive(Debug)]
struct Unasked;

impl History for Unasked {
    fn known(&self) -> u64 {
        u64::MAX
    }

    fn lines_of(&self, _: &PaymentHash) -> Result<Vec<PastEntry>, HistoryError> {
        Ok(Vec::new())
    }

    fn payment_of_key(&self, _: &str) -> Result<Option<PaymentRef>, HistoryError> {
        Ok(None)
    }
}

fn books() -> MemoryLedger {
    MemoryLedger::over("sim", Arc::new(Unasked), LATE_PAYMENTS_MAX)
}

/// The six entries of a payment in two parts.
fn entries(number: u64) -> [LedgerEntry; 6] {
    let mut preimage = [0; 32];
    preimage[..8].copy_from_slice(&number.to_be_bytes());
    let preimage = Preimage(preimage);
    let payment = PaymentRef { payment_hash: preimage.hash(), group_id: GroupId(1) };
    let mut claim = claimed(0, 1, 1_000);
    claim.payment = payment;
    [
        LedgerEntry::Claim(claim),
        reserve(payment, 1_000, 50),
        dispatch(payment, &[(1, 1, 600, 10), (2, 2, 400, 10)]),
        post(payment, 1, 5),
        post(payment, 2, 5),
        LedgerEntry::Complete {
            payment,
            preimage,
            fee_msat: Msat(10),
            successful_parts: 1,
            failed_parts: 1,
            amount_msat: Some(Msat(1_000)),
        },
    ]
}

/// What of this process is in memory, in KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn alone(payments: u64) -> Result<(), Box<dyn Error>> {
    let mut books = books();
    let channels = [opening(1, u64::MAX / 4), opening(2, u64::MAX / 4)];
    books.commit(&channels, None, Timestamp(0))?;
    let mut marked = (0, 0);
    let started = Instant::now();
    for number in 0..payments {
        if number == payments / 4 {
            marked = (number, resident_kib());
        }
        // Half a minute apart, so that spends leave the longest window.
        for entry in entries(number) {
            books.commit(&[entry], None, Timestamp(number * 30_000))?;
        }
    }
    let spent = started.elapsed().as_micros();
    println!("books alone: {} ns per payment", spent * 1_000 / u128::from(payments));
    let bytes = resident_kib().saturating_sub(marked.1) * 1_024;
    println!("a payment that is cold: {} bytes", bytes / (payments - marked.0));
    let started = Instant::now();
    let image = books.image();
    println!("taking the image: {} us", started.elapsed().as_micros());
    let started = Instant::now();
    let json = image.json();
    println!("writing it: {} ms, {} KiB", started.elapsed().as_millis(), json.text().len() / 1_024);
    let mut other = self::books();
    let started = Instant::now();
    other.restore(&json)?;
    println!("restoring it: {} ms", started.elapsed().as_millis());
    Ok(())
}

fn engine() -> Engine {
    let mut app = Engine::new();
    app.insert_resource(Books(Box::new(books())));
    app.insert_resource(ecs_systems::port::ReceiptsBook(Box::new(
        ledger_store::MemoryReceipts::default(),
    )));
    app.set_keeper(keep);
    app.record_changes(true);
    app
}

fn stored(payments: u64, directory: &str) -> Result<(), Box<dyn Error>> {
    let disk: Arc<dyn Disk> = Arc::new(OsDisk::open(directory)?);
    let options = Options::new(LogId([7; 16]));
    let mut app = engine();
    let (mut store, _) = Store::open(&disk, options.clone(), &mut app, &mut |_| {})?;
    let mut write =
        |store: &mut Store, lines: &[LedgerEntry], at: u64| -> Result<(), Box<dyn Error>> {
            app.begin(Inputs { now_ms: at, ..Inputs::default() });
            let records: Vec<_> = lines.iter().map(ledger_record).collect();
            app.keep_records(&records)?;
            store.append(&app.take_delta().ok_or("no change")?)?;
            Ok(())
        };
    write(&mut store, &[opening(1, u64::MAX / 4), opening(2, u64::MAX / 4)], 0)?;
    for number in 0..payments {
        for entry in entries(number) {
            write(&mut store, &[entry], number * 30_000)?;
        }
        if number % 1_000 == 0 {
            store.sync()?;
        }
    }
    let started = Instant::now();
    store.snapshot(Image::of(&app))?;
    println!("snapshot: {} ms", started.elapsed().as_millis());
    store.close()?;
    let mut other = engine();
    let started = Instant::now();
    let (_, restored) = Store::open(&disk, options, &mut other, &mut |_| {})?;
    let taken = started.elapsed().as_millis();
    println!("opening the store of {} entries: {taken} ms", restored.entries);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let payments = arguments.next().map_or(Ok(166_667), |it| it.parse())?;
    alone(payments)?;
    arguments.next().map_or(Ok(()), |directory| stored(payments, &directory))
}
