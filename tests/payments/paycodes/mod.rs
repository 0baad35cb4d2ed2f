//! Paycodes by name: asked for, paid, looked at, decided about.

mod issue;

use crate::{
    calls::{field, json},
    harness::Payer,
    nets,
};
use ecs_core::Json;
use ecs_systems::units::{Msat, PaymentHash, PaymentSecret, Preimage};
use ledger_store::{MemoryReceipts, Seed};
use node_sim::RemotePart;

/// A preimage of a caller.
const PREIMAGE: Preimage = Preimage([7; 32]);

/// Our node of a network with two ways to us, with a seed for its receipts.
fn merchant() -> Payer {
    let payer = Payer::new(&nets::diamond(nets::HALF));
    let seed = Seed::new(&zeroize::Zeroizing::new([5; 32]));
    payer.receipts.set(&MemoryReceipts::with_seed(seed));
    payer
}

/// What whoever makes a paycode learns.
struct Paycode {
    hash: PaymentHash,
    secret: PaymentSecret,
}

impl Paycode {
    fn of(answer: &Json) -> Self {
        let read = |name| json(&field(answer, name));
        let hash = read("payment_hash").decode().expect("a hash");
        Self { hash, secret: read("payment_secret").decode().expect("a secret") }
    }

    /// One part that is all.
    fn whole(&self, msat: u64) -> RemotePart {
        RemotePart::whole(self.hash, self.secret, Msat(msat))
    }
}

/// Makes a paycode.
fn paycode(payer: &mut Payer, params: &str) -> Paycode {
    Paycode::of(&payer.call("paycode", params).expect(params))
}
