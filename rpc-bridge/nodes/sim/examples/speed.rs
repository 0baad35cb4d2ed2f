//! What a simulated network takes: to start, in memory, and for each payment of an invoice, one
//! part, its outcome.
//!
//! `cargo run --release --package node-sim --example speed -- COUNT NODES [DIRECTORY]`: so many
//! payments in a network of so many nodes, above a thousand of the public network's shape; in
//! memory, and on a disk where a directory is given, which is opened once more then. In place of
//! NODES there may be the path of a Core Lightning gossip store.

#![expect(clippy::disallowed_methods, reason = "it measures, and replays nothing")]

use ecs_systems::{
    port::{Node, NodeEvent, NodeRequest, PartKey, PartStatus, RequestId, SendPart},
    units::{Blocks, GroupId, Msat, PartId, PaymentHash, PaymentSecret, Timestamp},
};
use lightning_invoice::Bolt11Invoice;
use node_sim::{
    InvoiceRequest, Options, OurChannels, OverGraph, Place, SimConfig, SimNetwork, SimNode,
    Syncing, open_there,
};
use payecs_journal::{Disk, LogId, OsDisk};
use payecs_planner::{Graph, Route, generate_public};
use std::{
    error::Error,
    fs,
    io::Write as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// Payments under way at once.
const WINDOW: usize = 400;
/// Payees that are paid in turns.
const PAYEES: usize = 300;
/// Networks of more nodes are made over a graph.
const GENERATED_MAX: u32 = 1_000;
const START: Timestamp = Timestamp(1_700_000_000_000);

/// What the steps took.
#[derive(Debug, Default)]
struct Spent {
    invoices: Duration,
    submits: Duration,
    polls: Duration,
    paid: u64,
    failed: u64,
    htlcs: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let count: u32 = arguments.next().map_or(Ok(10_000), |count| count.parse())?;
    let size = arguments.next().unwrap_or_else(|| "1000".to_owned());
    let disk = arguments.next().map(OsDisk::open).transpose()?;
    let disk = disk.map(|disk| Arc::new(disk) as Arc<dyn Disk>);
    let options = Options::new(LogId([1; 16]), Syncing::Thread);
    let graph = graph(&size)?;
    let before = resident_mb()?;
    let begun = Instant::now();
    let network = made(&size, graph.as_ref(), disk.as_ref().map(|disk| (disk, &options)))?;
    let mut node = network.connect(START);
    let started = begun.elapsed();
    let routes = routes(&network);
    let begun = Instant::now();
    let spent = pay(&network, &mut node, &routes, u64::from(count))?;
    let each = |spent: Duration| spent.as_secs_f64() * 1e6 / f64::from(count);
    let Spent { invoices, submits, polls, paid, failed, htlcs } = spent;
    let whole = invoices + submits + polls;
    let htlcs = u32::try_from(htlcs)?;
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{} nodes, {} channels: started in {:.2} s; {before} MB before, {} MB after; {paid} \
         paid, {failed} failed in {:.1} s; for each payment: invoice {:.1} µs, submit {:.1} µs, \
         poll {:.1} µs: {:.1} µs; {:.0} HTLCs/s",
        node.graph().nodes_count(),
        node.graph().channels_count(),
        started.as_secs_f64(),
        resident_mb()?,
        begun.elapsed().as_secs_f64(),
        each(invoices),
        each(submits),
        each(polls),
        each(whole),
        f64::from(htlcs) / (submits + polls).as_secs_f64(),
    )?;
    network.audit()?;
    let Some(disk) = disk else { return Ok(()) };
    network.sync()?;
    drop((node, network));
    let begun = Instant::now();
    let opened = open_there(&disk, &options)?.ok_or("it was there")?;
    let (took, replayed) = (begun.elapsed().as_secs_f64(), opened.replayed);
    writeln!(out, "opened again in {took:.2} s, {replayed} inputs replayed")?;
    Ok(opened.network.audit()?)
}

/// The graph of the network, where it is made over one.
fn graph(size: &str) -> Result<Option<Graph>, Box<dyn Error>> {
    Ok(match size.parse::<u32>() {
        Ok(nodes) if nodes <= GENERATED_MAX => None,
        Ok(nodes) => Some(generate_public(nodes - 1, 1)),
        Err(_) => Some(payecs_gossip::load(Path::new(size))?.graph),
    })
}

/// A network of that size, in memory or on a disk.
fn made(
    size: &str,
    graph: Option<&Graph>,
    disk: Option<(&Arc<dyn Disk>, &Options)>,
) -> Result<SimNetwork, Box<dyn Error>> {
    let ours = OurChannels {
        count: 50,
        capacity_msat: Msat(500_000_000_000),
        slots: 483,
        ..SimConfig::default().ours
    };
    let Some(graph) = graph else {
        let config = SimConfig { nodes: size.parse()?, ours, ..SimConfig::default() };
        return Ok(match disk {
            Some((disk, options)) => config.open(disk, options)?.network,
            None => SimNetwork::new(config)?,
        });
    };
    let place = Place::Joins { channels: ours, peers: Vec::new() };
    let config = OverGraph { place, ..OverGraph::default() };
    Ok(match disk {
        Some((disk, options)) => config.open(graph, disk, options)?.network,
        None => SimNetwork::over(graph, &config)?,
    })
}

/// How much of the memory is the process's, in MB.
fn resident_mb() -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().split(' ').next()).ok_or("no VmRSS")?;
    Ok(kilobytes.parse::<u64>()? / 1_000)
}

/// Ways to some of the others.
fn routes(network: &SimNetwork) -> Vec<Route> {
    let (us, others) = (network.us(), network.others());
    let payees = (0..PAYEES).map(|number| others[number * 7_919 % others.len()]);
    let route = |payee| network.route(us, payee, Msat(1_000_000), Blocks(20), START);
    payees.filter_map(route).collect()
}

/// Pays so many invoices.
fn pay(
    network: &SimNetwork,
    node: &mut SimNode,
    routes: &[Route],
    count: u64,
) -> Result<Spent, Box<dyn Error>> {
    let mut now = START;
    let (mut spent, mut begun_count, mut open) = (Spent::default(), 0, 0);
    while begun_count < count || open > 0 {
        while open < WINDOW && begun_count < count {
            let route = &routes[usize::try_from(begun_count)? % routes.len()];
            send(network, node, route, begun_count, now, &mut spent)?;
            open += 1;
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

/// Pays an invoice of the node at the end of a route.
fn send(
    network: &SimNetwork,
    node: &mut SimNode,
    route: &Route,
    number: u64,
    now: Timestamp,
    spent: &mut Spent,
) -> Result<(), Box<dyn Error>> {
    let (amount, payee) = (route.amount(), route.hops.last().ok_or("a route has a hop")?.to);
    let begun = Instant::now();
    let invoice = network.invoice(payee, InvoiceRequest::of(amount), now)?;
    spent.invoices += begun.elapsed();
    let read: Bolt11Invoice = invoice.parse()?;
    let hash: &[u8; 32] = read.payment_hash().as_ref();
    let payment_hash = PaymentHash(*hash);
    spent.htlcs += route.hops.len() as u64;
    let part = SendPart {
        key: PartKey { payment_hash, group_id: GroupId(1), part_id: PartId(1) },
        route: route.clone(),
        height: network.height(now),
        total_msat: amount,
        payment_secret: Some(PaymentSecret(read.payment_secret().0)),
        payment_metadata: None,
        invoice: Some(invoice),
    };
    let begun = Instant::now();
    node.submit(RequestId(number), NodeRequest::SendPart(part), now);
    spent.submits += begun.elapsed();
    Ok(())
}
