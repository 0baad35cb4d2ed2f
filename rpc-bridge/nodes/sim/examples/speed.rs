//! How much of a processor one simulated payment takes: an invoice, one part, its outcome.
//!
//! `cargo run --release --package node-sim --example speed -- COUNT [DIRECTORY]`: in memory, and on
//! a disk where a directory is given.

#![expect(clippy::disallowed_methods, reason = "it measures, and replays nothing")]

use ecs_systems::{
    port::{Node, NodeEvent, NodeRequest, PartKey, PartStatus, RequestId, SendPart},
    units::{Blocks, GroupId, Msat, PartId, PaymentHash, PaymentSecret, Timestamp},
};
use lightning_invoice::Bolt11Invoice;
use node_sim::{InvoiceRequest, Options, OurChannels, SimConfig, SimNetwork, SimNode, Syncing};
use payecs_journal::{Disk, LogId, OsDisk};
use std::{
    error::Error,
    io::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

/// Payments under way at once.
const WINDOW: usize = 400;
const START: Timestamp = Timestamp(1_700_000_000_000);

/// What the steps took.
#[derive(Debug, Default)]
struct Spent {
    invoices: Duration,
    routes: Duration,
    submits: Duration,
    polls: Duration,
    paid: u64,
    failed: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let count: u32 = arguments.next().map_or(Ok(10_000), |count| count.parse())?;
    let ours = OurChannels {
        count: 50,
        capacity_msat: Msat(500_000_000_000),
        slots: 483,
        ..SimConfig::default().ours
    };
    let config = SimConfig { nodes: 1_000, ours, ..SimConfig::default() };
    let network = match arguments.next() {
        None => SimNetwork::new(config)?,
        Some(directory) => {
            let disk: Arc<dyn Disk> = Arc::new(OsDisk::open(directory)?);
            config.open(&disk, &Options::new(LogId([1; 16]), Syncing::Thread))?.network
        }
    };
    let begun = Instant::now();
    let spent = pay(&network, u64::from(count))?;
    let each = |spent: Duration| spent.as_secs_f64() * 1e6 / f64::from(count);
    let Spent { invoices, routes, submits, polls, paid, failed } = spent;
    let whole = invoices + submits + polls;
    writeln!(
        std::io::stdout(),
        "{paid} paid, {failed} failed in {:.1} s; for each payment: invoice {:.1} µs, submit {:.1} \
         µs, poll {:.1} µs: {:.1} µs (routes besides: {:.1} µs)",
        begun.elapsed().as_secs_f64(),
        each(invoices),
        each(submits),
        each(polls),
        each(whole),
        each(routes),
    )?;
    Ok(network.audit()?)
}

/// Pays so many invoices of the nodes around us.
fn pay(network: &SimNetwork, count: u64) -> Result<Spent, Box<dyn Error>> {
    let mut now = START;
    let mut node = network.connect(now);
    let (mut spent, mut begun_count, mut open) = (Spent::default(), 0, 0);
    let others = network.others();
    while begun_count < count || open > 0 {
        while open < WINDOW && begun_count < count {
            let payee = others[usize::try_from(begun_count * 7_919)? % others.len()];
            if send(network, &mut node, payee, begun_count, now, &mut spent)? {
                open += 1;
            }
            begun_count += 1;
        }
        now = now.after_ms(2);
        let begun = Instant::now();
        let events = node.poll(now);
        spent.polls += begun.elapsed();
        for event in events {
            let NodeEvent::Part { status, .. } = event else { continue };
            open -= 1;
            match status {
                PartStatus::Paid { .. } => spent.paid += 1,
                PartStatus::Failed(_)
                | PartStatus::InFlight
                | PartStatus::NeverArrived
                | PartStatus::Unknown => spent.failed += 1,
            }
        }
        if let Some(failure) = network.failure() {
            return Err(failure.into());
        }
    }
    Ok(spent)
}

/// Pays an invoice of a node; false where there is no way to it.
fn send(
    network: &SimNetwork,
    node: &mut SimNode,
    payee: ecs_systems::units::NodeId,
    number: u64,
    now: Timestamp,
    spent: &mut Spent,
) -> Result<bool, Box<dyn Error>> {
    let amount = Msat(1_000_000);
    let begun = Instant::now();
    let invoice = network.invoice(payee, InvoiceRequest::of(amount), now)?;
    spent.invoices += begun.elapsed();
    let begun = Instant::now();
    let route = network.route(network.us(), payee, amount, Blocks(20), now);
    spent.routes += begun.elapsed();
    let Some(route) = route else { return Ok(false) };
    let read: Bolt11Invoice = invoice.parse()?;
    let hash: &[u8; 32] = read.payment_hash().as_ref();
    let payment_hash = PaymentHash(*hash);
    let part = SendPart {
        key: PartKey { payment_hash, group_id: GroupId(1), part_id: PartId(1) },
        route,
        height: network.height(now),
        total_msat: amount,
        payment_secret: Some(PaymentSecret(read.payment_secret().0)),
        payment_metadata: None,
        invoice: Some(invoice),
    };
    let begun = Instant::now();
    node.submit(RequestId(number), NodeRequest::SendPart(part), now);
    spent.submits += begun.elapsed();
    Ok(true)
}
