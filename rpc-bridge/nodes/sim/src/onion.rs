//! Whether an onion has room for a part (BOLT 4).

use ecs_systems::{port::SendPart, units::PaymentSecret};

/// Most hops of a route, however little each is told.
const HOPS_MAX: usize = 20;
/// All payloads together.
const ROOM: usize = 1_300;
const HMAC: usize = 32;
const CHANNEL: usize = 8;

/// Whether the route has hops, and what each is told fits.
pub(crate) fn fits(part: &SendPart) -> bool {
    let hops = &part.route.hops;
    let onward = |hop: &ecs_systems::planner::Hop| {
        let expiry = part.height.checked_add(hop.cltv_blocks).map_or(u32::MAX, |at| at.0);
        record(digits(hop.amount_msat.0)) + record(digits(expiry.into()))
    };
    // Each node is told what it offers over the next hop, the last one what it is to get.
    let between = hops.iter().skip(1).map(|hop| payload(onward(hop) + record(CHANNEL)));
    let secret = |_: PaymentSecret| record(size_of::<PaymentSecret>() + digits(part.total_msat.0));
    let metadata = part.payment_metadata.as_ref().map_or(0, |hex| record(hex.len() / 2));
    let told = part.payment_secret.map_or(0, secret) + metadata;
    let last = hops.last().map_or(0, |hop| payload(onward(hop) + told));
    (1..=HOPS_MAX).contains(&hops.len()) && between.sum::<usize>() + last <= ROOM
}

fn payload(records: usize) -> usize {
    length(records) + records + HMAC
}

fn record(value: usize) -> usize {
    1 + length(value) + value
}

/// Of a length below 65 536.
fn length(value: usize) -> usize {
    if value < 0xfd { 1 } else { 3 }
}

fn digits(number: u64) -> usize {
    number.to_be_bytes().iter().skip_while(|byte| **byte == 0).count()
}
