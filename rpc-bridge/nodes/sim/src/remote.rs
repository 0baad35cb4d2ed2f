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
    port::{CustomTlv, InvoiceDescription, InvoiceDraft, PartStatus},
    units::{Blocks, Msat, NodeId, PaymentHash, PaymentSecret, Preimage, Timestamp},
};
use lightning_invoice::Bolt11Invoice;
use payecs_planner::Route;
use serde::{Deserialize, Serialize};

/// A part that a remote node sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// What else is told to the payee, in the order of the types.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tlvs: Vec<CustomTlv>,
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
            tlvs: Vec::new(),
            final_cltv: Blocks(40),
        }
    }

    /// This part, but only `amount` of the total.
    #[must_use]
    pub fn of_it(self, amount: Msat) -> Self {
        Self { amount_msat: amount, ..self }
    }
}

/// How many numbers of invoices an opening passes over.
const OPENING_STRIDE: u64 = 1 << 32;

/// An invoice that was handed out, as it is written down: its secrets come from its number.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sale {
    payee: usize,
    amount: Option<Msat>,
    expires_at: Timestamp,
    min_final_cltv: Blocks,
    basic_mpp: bool,
    metadata: Option<String>,
}

impl State {
    /// Passes over the numbers of invoices that were handed out and forgotten at a power cut: a
    /// hash is never handed out twice.
    pub(crate) fn skip_invoices(&mut self) {
        self.next_invoice = (self.next_invoice / OPENING_STRIDE + 1) * OPENING_STRIDE;
    }

    /// The secrets of an invoice.
    fn secrets(&self, number: u64) -> (Preimage, PaymentSecret) {
        let derive = |purpose| keys::derive(purpose, self.seed, number);
        (Preimage(derive("preimage")), PaymentSecret(derive("payment secret")))
    }

    /// The payee of an invoice will take what is paid to it.
    pub(crate) fn note_sale(&mut self, sale: Sale) {
        let (preimage, secret) = self.secrets(self.next_invoice);
        self.next_invoice += 1;
        let sold = SoldInvoice {
            payee: sale.payee,
            preimage,
            secret,
            amount: sale.amount,
            expires_at: sale.expires_at,
            min_final_cltv: sale.min_final_cltv,
            basic_mpp: sale.basic_mpp,
            metadata: sale.metadata,
            paid: false,
        };
        self.invoices.insert(preimage.hash(), sold);
        self.forget_expired();
    }

    /// The invoice that node number `payee` would hand out, and its hash; [`State::note_sale`]
    /// makes it one.
    pub(crate) fn sell(
        &self,
        payee: usize,
        request: InvoiceRequest,
    ) -> Result<(String, PaymentHash, Sale), SimError> {
        if payee == self.ours.node {
            return Err(SimError::OurOwnNode);
        }
        let (preimage, secret) = self.secrets(self.next_invoice);
        let draft = InvoiceDraft {
            payment_hash: preimage.hash(),
            payment_secret: secret,
            amount_msat: request.amount_msat,
            description: if request.description_hash_only {
                InvoiceDescription::hash_of(&request.description)
            } else {
                InvoiceDescription::Text(request.description)
            },
            fallbacks: Vec::new(),
            created_at: self.now,
            expiry: request.expiry,
            min_final_cltv: request.min_final_cltv,
            hints: request.hints,
            payment_metadata: request.payment_metadata,
        };
        let key = &self.peers[payee].key.secret;
        let network = self.settings.network;
        let text = invoice::sign(&draft, request.basic_mpp, network, &self.secp, key)?;
        let sale = Sale {
            payee,
            amount: draft.amount_msat,
            expires_at: draft.created_at.after(draft.expiry),
            min_final_cltv: draft.min_final_cltv,
            basic_mpp: request.basic_mpp,
            metadata: draft.payment_metadata,
        };
        Ok((text, draft.payment_hash, sale))
    }

    /// Lets the first node of `route` send a part along it. A route that isn't sound, or refused by
    /// the payer's own channel, is a part that has failed.
    pub(crate) fn send_remote(&mut self, part: RemotePart, route: Route) -> RemoteId {
        let id = RemoteId(self.next_remote);
        self.next_remote += 1;
        self.remotes.insert(id, PartStatus::InFlight);
        let flight = Flight {
            origin: Origin::Remote(id),
            onion: Onion {
                hash: part.payment_hash,
                total: part.total_msat,
                secret: part.payment_secret,
                metadata: part.payment_metadata,
                tlvs: part.tlvs,
            },
            hops: route.hops,
            height: self.height,
            locked: Vec::new(),
            open: 0,
            stage: Stage::Outward,
        };
        if let Err(failure) = self.launch(flight) {
            self.remotes.insert(id, PartStatus::Failed(*failure));
            self.forget_remotes(id);
        }
        id
    }

    /// Lets a node send us a part along the cheapest route that works now.
    pub(crate) fn pay_us(&mut self, from: NodeId, part: RemotePart) -> Result<RemoteId, SimError> {
        let (from, us) = (self.number(from)?, self.ours.node);
        self.send_remote_somehow(from, us, part)
    }

    /// Lets the first node of a route, not ours, send a part along it.
    pub(crate) fn send_along(
        &mut self,
        part: RemotePart,
        route: Route,
    ) -> Result<RemoteId, SimError> {
        let first = route.hops.first().map_or(NodeId([0; 33]), |hop| hop.from);
        if self.number(first)? == self.ours.node {
            return Err(SimError::OurOwnNode);
        }
        Ok(self.send_remote(part, route))
    }

    /// Lets a node pay an invoice in equal parts; the last one takes what is left over.
    pub(crate) fn pay_invoice(
        &mut self,
        from: NodeId,
        invoice: &str,
        parts: u32,
    ) -> Result<Vec<RemoteId>, SimError> {
        let from = self.number(from)?;
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
