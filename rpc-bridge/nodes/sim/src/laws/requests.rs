//! Laws of requests, and of the HTLCs that are offered to us.

use super::{
    LawWorld, QUIET_WAITS,
    tools::{draft, next_incoming, next_resolution, ours_in_all, reply, submit, until},
};
use ecs_systems::{
    port::{
        FailureCode, HtlcId, IncomingHtlc, NodeEvent, NodeReply, NodeRequest, Preapproval,
        RequestId,
    },
    units::{Msat, Preimage, ShortChannelId},
};

/// Every request that is answered gets one reply; the others get none.
///
/// # Panics
/// Where the law is broken.
pub fn every_request_gets_exactly_one_reply(world: &mut dyn LawWorld) {
    let htlc = HtlcId { short_channel_id: ShortChannelId(1), id: 9 };
    let part = world.payable();
    let wish = Preapproval {
        payment_hash: part.key.payment_hash,
        destination: part.route.hops.last().expect("a route has hops").to,
        amount_msat: Msat(1_000),
        invoice: None,
    };
    let failcode = FailureCode::IncorrectOrUnknownPaymentDetails;
    let answered = vec![
        NodeRequest::ListParts { after: 0, limit: 1 },
        NodeRequest::ListIncoming,
        NodeRequest::SettleHtlc { htlc, preimage: Preimage([1; 32]) },
        NodeRequest::FailHtlc { htlc, failcode },
        NodeRequest::ContinueHtlc(htlc),
        NodeRequest::SignInvoice(draft(world)),
        NodeRequest::Decode("lno1".to_owned()),
        NodeRequest::Preapprove(wish),
        NodeRequest::Balances,
    ];
    let key = part.key;
    let silent = [NodeRequest::SendPart(part), NodeRequest::AskPart(key)];
    let count = answered.len();
    let mut replies = vec![0_u32; count + silent.len()];
    for (id, request) in (0..).zip(answered.into_iter().chain(silent)) {
        submit(world, id, request);
    }
    for _ in 0..QUIET_WAITS {
        for event in world.wait() {
            if let NodeEvent::Reply { id, .. } = event {
                replies[usize::try_from(id.0).expect("it is one of ours")] += 1;
            }
        }
    }
    assert!(replies[..count].iter().all(|replies| *replies == 1), "one reply each");
    assert!(replies[count..].iter().all(|replies| *replies == 0), "none for the others");
}

/// An HTLC that waits for our word is offered again to whoever connects, marked as such.
///
/// # Panics
/// Where the law is broken.
pub fn incoming_htlcs_come_again_after_a_crash_until_answered(world: &mut dyn LawWorld) {
    let preimage = Preimage([21; 32]);
    world.offer(preimage);
    let first = next_incoming(world);
    assert_eq!((first.payment_hash, first.replayed), (preimage.hash(), false));
    world.crash();
    let again = next_incoming(world);
    assert_eq!(again, IncomingHtlc { replayed: true, ..first });
    submit(world, 1, NodeRequest::ListIncoming);
    let mut listed = None;
    until(world, |event| {
        if let NodeEvent::Incoming(htlc) = event {
            listed = Some(htlc.htlc);
        }
        matches!(event, NodeEvent::Reply { id: RequestId(1), .. }).then_some(())
    });
    assert_eq!(listed, Some(again.htlc), "before the reply");
    let htlc = again.htlc;
    assert_eq!(reply(world, 2, NodeRequest::SettleHtlc { htlc, preimage }), NodeReply::Done);
    world.crash();
    submit(world, 3, NodeRequest::ListIncoming);
    for _ in 0..QUIET_WAITS {
        assert!(!world.wait().iter().any(|event| matches!(event, NodeEvent::Incoming(_))));
    }
}

/// Settling twice is one settlement; our balances grow by exactly the HTLC.
///
/// # Panics
/// Where the law is broken.
pub fn an_htlc_is_settled_once_however_often_it_is_asked(world: &mut dyn LawWorld) {
    let before = ours_in_all(world);
    let preimage = Preimage([22; 32]);
    world.offer(preimage);
    let IncomingHtlc { htlc, amount_msat, .. } = next_incoming(world);
    submit(world, 7, NodeRequest::SettleHtlc { htlc, preimage });
    submit(world, 8, NodeRequest::SettleHtlc { htlc, preimage });
    assert!(next_resolution(world, htlc), "the money is ours");
    assert_eq!(reply(world, 9, NodeRequest::SettleHtlc { htlc, preimage }), NodeReply::Done);
    world.crash();
    submit(world, 10, NodeRequest::SettleHtlc { htlc, preimage });
    assert!(next_resolution(world, htlc), "it is confirmed as often as it is asked");
    assert_eq!(before.checked_add(amount_msat), Some(ours_in_all(world)));
}

/// Failing twice is one failure; nothing moves.
///
/// # Panics
/// Where the law is broken.
pub fn an_htlc_is_failed_once_however_often_it_is_asked(world: &mut dyn LawWorld) {
    let before = ours_in_all(world);
    world.offer(Preimage([23; 32]));
    let htlc = next_incoming(world).htlc;
    let failcode = FailureCode::IncorrectOrUnknownPaymentDetails;
    submit(world, 7, NodeRequest::FailHtlc { htlc, failcode });
    submit(world, 8, NodeRequest::FailHtlc { htlc, failcode });
    assert!(!next_resolution(world, htlc), "the money is not ours");
    assert_eq!(reply(world, 9, NodeRequest::FailHtlc { htlc, failcode }), NodeReply::Done);
    world.crash();
    submit(world, 10, NodeRequest::FailHtlc { htlc, failcode });
    assert!(!next_resolution(world, htlc), "it is confirmed as often as it is asked");
    assert_eq!(before, ours_in_all(world));
}

/// The invoice parses, names the node as payee and carries hash, secret, amount and currency.
///
/// # Panics
/// Where the law is broken.
pub fn an_invoice_is_signed_by_the_node_and_says_what_the_draft_said(world: &mut dyn LawWorld) {
    let draft = draft(world);
    let NodeReply::Invoice(text) = reply(world, 4, NodeRequest::SignInvoice(draft.clone())) else {
        panic!("an invoice was asked for");
    };
    let view = world.node().view().clone();
    let invoice: lightning_invoice::Bolt11Invoice = text.parse().expect("it is BOLT 11");
    let hash: &[u8; 32] = invoice.payment_hash().as_ref();
    assert!(text.starts_with(&format!("ln{}", view.network.currency())));
    assert_eq!(invoice.get_payee_pub_key().serialize(), view.identity.0);
    assert_eq!(*hash, draft.payment_hash.0);
    assert_eq!(invoice.payment_secret().0, draft.payment_secret.0);
    assert_eq!(invoice.amount_milli_satoshis(), draft.amount_msat.map(|amount| amount.0));
    assert_eq!(invoice.duration_since_epoch().as_secs(), draft.created_at.unix_seconds());
    assert_eq!(invoice.min_final_cltv_expiry_delta(), u64::from(draft.min_final_cltv.0));
}
