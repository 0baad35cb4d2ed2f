//! An engine with everything a payment needs.

use crate::flow::DEFAULT_FLOW;
use ecs_core::{Engine, Error, Plugin};
use ecs_systems::{
    PaymentSystems,
    policy::Policy,
    port::{Books, Ledger, Receipts, ReceiptsBook},
};
use payecs_rebalance::Rebalance;

/// What an engine is made of.
pub struct Parts {
    /// What the operator allows.
    pub policy: Policy,
    /// The books.
    pub ledger: Box<dyn Ledger>,
    /// What we wait to be paid for.
    pub receipts: Box<dyn Receipts>,
    /// Third parties' plugins, added in this order.
    pub plugins: Vec<Box<dyn Plugin>>,
}

/// The plugins that our binaries have: built on the traits that third parties build on.
#[must_use]
pub fn bundled() -> Vec<Box<dyn Plugin>> {
    vec![Box::new(Rebalance)]
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plugins: Vec<&str> = self.plugins.iter().map(|plugin| plugin.name()).collect();
        out.debug_struct("Parts").field("plugins", &plugins).finish_non_exhaustive()
    }
}

/// Puts an engine together: Components and Systems of the default flow, then the plugins'.
///
/// # Errors
/// A plugin's name is taken or no name.
pub fn engine(parts: Parts) -> Result<Engine, Error> {
    let mut app = Engine::new();
    app.add_plugin(&PaymentSystems { policy: parts.policy, ..PaymentSystems::default() })?;
    app.set_default_systems(DEFAULT_FLOW)?;
    app.insert_resource(Books(parts.ledger));
    app.insert_resource(ReceiptsBook(parts.receipts));
    for plugin in &parts.plugins {
        app.add_plugin(&**plugin)?;
    }
    Ok(app)
}
