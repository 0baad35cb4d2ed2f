//! Paycodes by name: asked for, paid, looked at, decided about.

mod issue;
mod list;
mod wait;
mod delete;
pub(crate) mod clean;
mod decide;
mod edges;
mod hooks;

use crate::{
    calls::{field, json},
    harness::Payer,
    nets,
};
use ecs_core::Json;
use ecs_systems::units::{Msat, PaymentHash, PaymentSecret, Preimage};
use ledger_store::{MemoryReceipts, Seed};
use node_sim::{RemotePart, SimNetwork};

/// A preimage of a caller.
const PREIMAGE: Preimage = Preimage([7; 32]);

/// Our node of a network with two ways to us, with a seed for its receipts.
pub(crate) fn merchant() -> Payer {
    merchant_on(&nets::diamond(nets::HALF))
}

/// The same of that network.
pub(crate) fn merchant_on(network: &SimNetwork) -> Payer {
    let payer = Payer::new(network);
    let seed = Seed::new(&zeroize::Zeroizing::new([5; 32]));
    payer.receipts.set(&MemoryReceipts::with_seed(seed));
    payer
}

/// What whoever makes a paycode learns.
pub(crate) struct Paycode {
    pub(crate) hash: PaymentHash,
    pub(crate) secret: PaymentSecret,
}

impl Paycode {
    pub(crate) fn of(answer: &Json) -> Self {
        let read = |name| json(&field(answer, name));
        let hash = read("payment_hash").decode().expect("a hash");
        Self { hash, secret: read("payment_secret").decode().expect("a secret") }
    }

    /// One part that is all.
    pub(crate) fn whole(&self, msat: u64) -> RemotePart {
        RemotePart::whole(self.hash, self.secret, Msat(msat))
    }
}

/// Makes a paycode.
pub(crate) fn paycode(payer: &mut Payer, params: &str) -> Paycode {
    Paycode::of(&payer.call("paycode", params).expect(params))
}

/// The params of a method for that hash, by name, with more of them.
fn asked_for(hash: PaymentHash, more: &str) -> String {
    format!("{{\"payment_hash\":\"{hash}\"{more}}}")
}

/// A paycode as it is listed.
fn listed(payer: &mut Payer, paycode: &Paycode) -> Json {
    let answer = payer.call("listpaycodes", &asked_for(paycode.hash, "")).expect("a list");
    let found = json(&field(&answer, "paycodes")).items().expect("an array");
    let [found] = &found[..] else { panic!("{answer}") };
    found.clone()
}

/// Where a paycode stands.
fn status_of(payer: &mut Payer, paycode: &Paycode) -> String {
    field(&listed(payer, paycode), "status").trim_matches('"').to_owned()
}
