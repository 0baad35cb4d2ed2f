//! Invoices to be paid, bought ahead.

use crate::cli::demo::DemoError;
use ecs_systems::units::{Msat, NodeId, Timestamp};
use node_sim::{InvoiceRequest, SimError, SimNetwork};
use std::collections::VecDeque;
use tokio::task::JoinHandle;

/// What is paid: one satoshi to so many, in turns.
const AMOUNT_SAT_MAX: u64 = 100;

/// Invoices that their payees know for ever: none is paid before the network has it durably.
#[derive(Debug)]
pub(super) struct Stock {
    network: SimNetwork,
    payees: Vec<NodeId>,
    /// How many are bought at once.
    lot: u64,
    /// How many may still be bought.
    left: u64,
    bought: u64,
    ready: VecDeque<String>,
    coming: Option<JoinHandle<Result<Vec<String>, SimError>>>,
}

impl Stock {
    /// A stock of `lot` invoices and more, `most` in all.
    pub(super) fn new(network: SimNetwork, lot: u64, most: u64) -> Self {
        let payees = network.others();
        let (ready, coming) = (VecDeque::new(), None);
        Self { network, payees, lot, left: most, bought: 0, ready, coming }
    }

    /// An invoice; `None` while none is there.
    pub(super) fn take(&mut self) -> Option<String> {
        if self.coming.is_none() && (self.ready.len() as u64) < self.lot {
            self.buy();
        }
        self.ready.pop_front()
    }

    /// Comes when more are there; never where none are bought.
    pub(super) async fn more(&mut self) -> Result<(), DemoError> {
        let Some(coming) = &mut self.coming else { return std::future::pending().await };
        let bought = coming.await.expect("buying does not panic");
        self.coming = None;
        self.ready.extend(bought?);
        Ok(())
    }

    fn buy(&mut self) {
        let lot = self.lot.min(self.left);
        if lot == 0 {
            return;
        }
        let (network, payees) = (self.network.clone(), self.payees.clone());
        let numbers = self.bought..self.bought.saturating_add(lot);
        self.left -= lot;
        self.bought = numbers.end;
        self.coming = Some(tokio::task::spawn_blocking(move || {
            let buy = |number: u64| {
                let payee = payees[usize::try_from(number).unwrap_or(0) % payees.len()];
                let amount = Msat((1 + number % AMOUNT_SAT_MAX) * 1_000);
                network.invoice(payee, InvoiceRequest::of(amount), Timestamp(0))
            };
            let bought = numbers.map(buy).collect();
            network.sync()?;
            bought
        }));
    }
}
