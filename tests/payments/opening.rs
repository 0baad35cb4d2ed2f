//! Channels open in the books once, whenever the node first tells of them.

use crate::{
    books::Audited,
    difficult::Trouble,
    harness::{Payer, Setup},
    nets,
};
use ecs_systems::{
    port::Ledger,
    units::{Msat, ShortChannelId},
};
use ledger_store::Account;
use node_sim::{InvoiceRequest, SimNetwork};

/// Our channels, and a payer whose node doesn't tell of the first one yet.
fn one_is_hidden(network: &SimNetwork) -> (Vec<ShortChannelId>, Payer) {
    let channels: Vec<_> = network.our_balance().into_iter().map(|(channel, _)| channel).collect();
    let trouble = Trouble { hidden: Some(channels[0]), ..Trouble::default() };
    (channels, Payer::with(network, Setup { trouble, ..Setup::default() }))
}

/// What each channel opened with, by the books.
fn opened(payer: &Payer) -> Vec<u64> {
    let opened = payer.books.all().into_iter().filter(|posting| posting.code == "opening");
    opened.map(|posting| posting.amount_msat.0).collect()
}

fn pay(payer: &mut Payer, amount: Msat) {
    let invoice = payer.invoice("carol", InvoiceRequest::of(amount));
    let outcome = payer.pay_plainly(&invoice);
    assert_eq!(outcome.status, "complete", "{outcome:?}");
}

#[test]
fn balances_are_asked_for_again_until_the_node_says_them() {
    let trouble = Trouble { failed_balances: 3, ..Trouble::default() };
    let mut payer = Payer::with(&nets::line(), Setup { trouble, ..Setup::default() });
    assert_eq!(payer.books.all(), []);
    payer.run_for(10_000);
    assert_eq!(opened(&payer), [nets::HALF.0]);
    pay(&mut payer, nets::SMALL);
    payer.assert_books_agree();
}

#[test]
fn a_channel_that_opens_later_is_booked_with_what_is_ours_in_it_then_and_used() {
    for restarts in [false, true] {
        let network = nets::diamond(nets::HALF);
        let (channels, mut payer) = one_is_hidden(&network);
        pay(&mut payer, nets::SMALL);
        assert_eq!(opened(&payer), [nets::HALF.0]);
        assert!(!payer.books.has_channel(channels[0]));
        payer.troubles.open().hidden = None;
        if restarts {
            payer.crash();
        }
        payer.run_for(1);
        payer.run_for(5_000);
        assert_eq!(opened(&payer), [nets::HALF.0; 2], "the other one is not opened again");
        let most = Msat(nets::HALF.0 / 10 * 17);
        pay(&mut payer, most);
        assert!(payer.books.posted(Account::Channel(channels[0])) < i128::from(nets::HALF.0));
        payer.assert_books_agree();
        let postings = opened(&payer).len();
        payer.crash();
        payer.run_for(60_000);
        assert_eq!(opened(&payer).len(), postings);
        payer.assert_books_agree();
    }
}
