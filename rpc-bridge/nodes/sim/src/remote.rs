//! The others: what they sell, and what they pay.

use crate::{
    error::SimError,
    flight::{Flight, Onion, Origin, RemoteId, Stage},
    invoice::{self, InvoiceRequest},
    keys,
    payee::SoldInvoice,
    state::State,
};
use ecs_systems::{
    port::{InvoiceDraft, PartStatus},
    units::{Blocks, Msat, NodeId, PaymentHash, PaymentSecret, Preimage},
};
use lightning_invoice::Bolt11Invoice;
use payecs_planner::Route;

/// A part that a remote node sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemotePart {
    /// What it is locked to.
    pub payment_hash: PaymentHash,
    /// What the payee gets of it.
    pub amount_msat: Msat,
    /// What all parts are said to sum to.
    pub total_msat: Msat,
    /// The secret shown to the payee.
    pub payment_secret: Option<PaymentSecret>,
    /// The metadata shown to the payee, as hexadecimal digits.
    pub payment_metadata: Option<String>,
    /// Blocks that the last HTLC has left when it leaves the payer.
    pub final_cltv: Blocks,
}

impl RemotePart {
    /// The whole of `amount` in one part, with 40 blocks.
    #[must_use]
    pub fn whole(payment_hash: PaymentHash, secret: PaymentSecret, amount: Msat) -> Self {
        Self {
            payment_hash,
            amount_msat: amount,
            total_msat: amount,
            payment_secret: Some(secret),
            payment_metadata: None,
            final_cltv: Blocks(40),
        }
    }

    /// This part, but only `amount` of the total.
    #[must_use]
    pub fn of_it(self, amount: Msat) -> Self {
        Self { amount_msat: amount, ..self }
    }
}

impl State {
    /// Lets node number `payee` hand out an invoice.
    pub(crate) fn sell(
        &mut self,
        payee: usize,
        request: InvoiceRequest,
    ) -> Result<String, SimError> {
        if payee == self.ours.node {
            return Err(SimError::OurOwnNode);
        }
        let number = u64::try_from(self.invoices.len()).expect("a length fits 64 bits");
        let preimage = Preimage(keys::derive("preimage", self.seed, number));
        let secret = PaymentSecret(keys::derive("payment secret", self.seed, number));
        let draft = InvoiceDraft {
            payment_hash: preimage.hash(),
            payment_secret: secret,
            amount_msat: request.amount_msat,
            description: request.description,
            description_hash_only: request.description_hash_only,
            created_at: self.now,
            expiry: request.expiry,
            min_final_cltv: request.min_final_cltv,
            hints: request.hints,
            payment_metadata: request.payment_metadata,
        };
        let key = &self.peers[payee].key.secret;
        let network = self.settings.network;
        let text = invoice::sign(&draft, request.basic_mpp, network, &self.secp, key)?;
        let sold = SoldInvoice {
            payee,
            preimage,
            secret,
            amount: draft.amount_msat,
            expires_at: draft.created_at.after(draft.expiry),
            min_final_cltv: draft.min_final_cltv,
            basic_mpp: request.basic_mpp,
            metadata: draft.payment_metadata,
            paid: false,
        };
        self.invoices.insert(draft.payment_hash, sold);
        Ok(text)
    }

    /// Lets the first node of `route` send a part along it. A route that isn't sound, or refused by
    /// the payer's own channel, is a part that has failed.
    pub(crate) fn send_remote(&mut self, part: RemotePart, route: Route) -> RemoteId {
        let id = RemoteId(u64::try_from(self.remotes.len()).expect("a length fits 64 bits") + 1);
        self.remotes.insert(id, PartStatus::InFlight);
        let flight = Flight {
            origin: Origin::Remote(id),
            onion: Onion {
                hash: part.payment_hash,
                total: part.total_msat,
                secret: part.payment_secret,
                metadata: part.payment_metadata,
            },
            hops: route.hops,
            height: self.height,
            locked: Vec::new(),
            open: 0,
            stage: Stage::Outward,
        };
        if let Err(failure) = self.launch(flight) {
            self.remotes.insert(id, PartStatus::Failed(*failure));
        }
        id
    }

    /// Lets a node pay an invoice in equal parts; the last one takes what is left over.
    pub(crate) fn pay_invoice(
        &mut self,
        from: usize,
        invoice: &str,
        parts: u32,
    ) -> Result<Vec<RemoteId>, SimError> {
        let parsed: Bolt11Invoice = invoice.parse().map_err(|why| unreadable(&format!("{why}")))?;
        let total = parsed.amount_milli_satoshis().ok_or_else(|| unreadable("no amount"))?;
        let payee = NodeId(parsed.get_payee_pub_key().serialize());
        let to = *self.by_id.get(&payee).ok_or(SimError::UnknownNode { node: payee })?;
        let blocks = u32::try_from(parsed.min_final_cltv_expiry_delta()).unwrap_or(u32::MAX);
        let parts = u64::from(parts.max(1));
        let hash: &[u8; 32] = parsed.payment_hash().as_ref();
        let secret = PaymentSecret(parsed.payment_secret().0);
        let whole = RemotePart {
            payment_metadata: parsed.payment_metadata().map(hex::encode),
            final_cltv: Blocks(blocks.saturating_add(2)),
            ..RemotePart::whole(PaymentHash(*hash), secret, Msat(total))
        };
        let mut ids = Vec::new();
        for index in 0..parts {
            let share = total / parts + if index + 1 == parts { total % parts } else { 0 };
            ids.push(self.send_remote_somehow(from, to, whole.clone().of_it(Msat(share)))?);
        }
        Ok(ids)
    }

    /// Lets a node send a part along the cheapest route that would work now.
    pub(crate) fn send_remote_somehow(
        &mut self,
        from: usize,
        to: usize,
        part: RemotePart,
    ) -> Result<RemoteId, SimError> {
        let amount = part.amount_msat;
        let route = self.path(from, to, amount, part.final_cltv);
        let route = route.ok_or_else(|| SimError::NoRoute {
            from: self.peers[from].key.id,
            to: self.peers[to].key.id,
            amount,
        })?;
        Ok(self.send_remote(part, route))
    }
}

fn unreadable(message: &str) -> SimError {
    SimError::Invoice { message: message.to_owned() }
}
