//! How laws ask and wait.

use super::{LawWorld, WAITS_MAX};
use ecs_systems::{
    port::{
        HtlcId, IncomingHtlc, InvoiceDescription, InvoiceDraft, NodeEvent, NodeReply, NodeRequest,
        PartKey, PartRecord, PartStatus, RequestId, SendPart,
    },
    units::{Blocks, Msat, PaymentSecret, Preimage, Seconds},
};

pub(crate) fn is_final(status: &PartStatus) -> bool {
    match status {
        PartStatus::Paid { .. } | PartStatus::Failed(_) => true,
        PartStatus::InFlight | PartStatus::NeverArrived | PartStatus::Unknown => false,
    }
}

pub(crate) fn submit(world: &mut dyn LawWorld, id: u64, request: NodeRequest) {
    let now = world.now();
    world.node().submit(RequestId(id), request, now);
}

pub(crate) fn send(world: &mut dyn LawWorld, part: &SendPart) {
    submit(world, 0, NodeRequest::SendPart(part.clone()));
}

/// Lets time pass until an event is what is looked for.
pub(crate) fn until<T>(
    world: &mut dyn LawWorld,
    mut found: impl FnMut(&NodeEvent) -> Option<T>,
) -> T {
    for _ in 0..WAITS_MAX {
        if let Some(found) = world.wait().iter().find_map(&mut found) {
            return found;
        }
    }
    panic!("what was waited for {WAITS_MAX} times did not come");
}

/// The next status of a part that is told.
pub(crate) fn next_status(world: &mut dyn LawWorld, key: PartKey) -> PartStatus {
    until(world, |event| {
        let NodeEvent::Part { key: part, status } = event else { return None };
        (*part == key).then(|| status.clone())
    })
}

pub(crate) fn ask(world: &mut dyn LawWorld, key: PartKey) -> PartStatus {
    submit(world, 1, NodeRequest::AskPart(key));
    next_status(world, key)
}

/// Waits for a part's final status, asking for it as often as it takes.
pub(crate) fn outcome(world: &mut dyn LawWorld, key: PartKey) -> PartStatus {
    for _ in 0..WAITS_MAX {
        let status = ask(world, key);
        assert_ne!(status, PartStatus::NeverArrived, "said of a part that was submitted");
        if is_final(&status) {
            return status;
        }
        world.wait();
    }
    panic!("a part did not become final");
}

pub(crate) fn reply(world: &mut dyn LawWorld, id: u64, request: NodeRequest) -> NodeReply {
    submit(world, id, request);
    let reply = until(world, |event| {
        let NodeEvent::Reply { id: to, reply } = event else { return None };
        (*to == RequestId(id)).then(|| reply.clone())
    });
    reply.expect("the node does what it is asked")
}

pub(crate) fn ours_in_all(world: &mut dyn LawWorld) -> Msat {
    let NodeReply::Balances { channels, .. } = reply(world, 2, NodeRequest::Balances) else {
        panic!("balances were asked for");
    };
    Msat::sum(channels.into_iter().map(|channel| channel.1)).expect("it fits 64 bits")
}

pub(crate) fn list(world: &mut dyn LawWorld, after: u64, limit: u32) -> Vec<PartRecord> {
    let NodeReply::Parts(parts) = reply(world, 3, NodeRequest::ListParts { after, limit }) else {
        panic!("parts were asked for");
    };
    parts
}

pub(crate) fn next_incoming(world: &mut dyn LawWorld) -> IncomingHtlc {
    until(world, |event| {
        let NodeEvent::Incoming(htlc) = event else { return None };
        Some(htlc.clone())
    })
}

pub(crate) fn next_resolution(world: &mut dyn LawWorld, htlc: HtlcId) -> bool {
    until(world, |event| {
        let NodeEvent::HtlcResolved { htlc: which, settled } = event else { return None };
        (*which == htlc).then_some(*settled)
    })
}

pub(crate) fn draft(world: &dyn LawWorld) -> InvoiceDraft {
    InvoiceDraft {
        payment_hash: Preimage([7; 32]).hash(),
        payment_secret: PaymentSecret([8; 32]),
        amount_msat: Some(Msat(123_000)),
        description: InvoiceDescription::Text("a law".to_owned()),
        fallbacks: Vec::new(),
        created_at: world.now(),
        expiry: Seconds(600),
        min_final_cltv: Blocks(18),
        hints: Vec::new(),
        payment_metadata: None,
    }
}
