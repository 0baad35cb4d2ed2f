//! Brings a channel of ours to the share that is wanted, by a payment to ourselves that leaves
//! through one channel and comes back through another.
//!
//! It is built as any third party would build it: on the public traits, with Systems and Components
//! of its own, and no part in the flow or the books. An order is an Entity. `rebalance:begin` makes
//! a circular payment of it, a paycode of ours, and joins it; `rebalance:judge` looks at what came
//! of it, and has half as much tried where the network had no way for all of it. All of that are
//! Components, so that an order goes on after a restart.

#![expect(clippy::needless_pass_by_value, reason = "bevy gives a System its parameters by value")]

mod aim;
mod components;
mod method;
mod systems;

pub use aim::{Aim, AimError, LEVEL_PERCENT, Way, aim};
pub use components::{Moved, Order, Tried, Trying};
pub use systems::TRIES_MAX;

use ecs_core::{Engine, Error, Plugin};

/// The plugin: the method `rebalance`, and the Systems behind it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rebalance;

impl Plugin for Rebalance {
    fn name(&self) -> &'static str {
        "rebalance"
    }

    fn build(&self, app: &mut Engine) -> Result<(), Error> {
        components::register(app);
        systems::register(app)?;
        app.add_method(&method::REBALANCE);
        Ok(())
    }
}
