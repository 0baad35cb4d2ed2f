//! The plugin that makes an engine one of payments.

use crate::{
    bolt11::DecodedInvoices,
    components::{
        self, Approval, Cancel, Deadline, PaidPreimage, Parent, Part, PartSent, Planning, SameAs,
        SetHeld,
    },
    flow, kin, methods,
    policy::{Intake, Policy},
    port::{KnowledgeDesk, PlansAsked},
    receive::sets::Sets,
    records, rest, spans,
};
use bevy_ecs::{entity::Entity, world::World};
use ecs_core::{Engine, Entities, Error, Failing, Plugin, Scope, WireComponent};
use std::{fmt, sync::Arc};

/// Adds the documented Components and the Systems of the default flow.
///
/// The Systems read `NodeView`, `GraphView`, `Books` and `ReceiptsBook`, which the driver inserts;
/// a payment that needs one of them before it is there fails with 2203.
#[derive(Clone)]
pub struct PaymentSystems {
    /// What the operator allows.
    pub policy: Policy,
    /// Changes what Systems match; leaves them as they are by default.
    pub amend: flow::Amend,
}

impl fmt::Debug for PaymentSystems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("PaymentSystems").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl Default for PaymentSystems {
    fn default() -> Self {
        Self { policy: Policy::default(), amend: Arc::new(|def| def) }
    }
}

/// The payment that an Entity works for.
fn payment_of(world: &World, entity: Entity) -> Option<Entity> {
    world.get::<Parent>(entity).and_then(|parent| world.resource::<Entities>().get(parent.0))
}

/// No external System has longer than the deadline of the payment it works for.
fn deadline_ms(world: &World, entity: Entity) -> Option<u64> {
    let payment = payment_of(world, entity).unwrap_or(entity);
    world.get::<Deadline>(payment).map(|deadline| deadline.0.0)
}

/// A plan, and a part that has not left, are of no use to a payment that is over.
fn is_unwanted(world: &World, entity: Entity) -> bool {
    let Some(payment) = payment_of(world, entity).map(|payment| world.entity(payment)) else {
        return false;
    };
    let here = world.entity(entity);
    let waits_part = here.contains::<Part>() && !here.contains::<PartSent>();
    (waits_part || here.contains::<Planning>())
        && (payment.contains::<Cancel>()
            || payment.contains::<Failing>()
            || payment.contains::<PaidPreimage>())
}

impl Plugin for PaymentSystems {
    fn name(&self) -> &'static str {
        "lightningd"
    }

    fn build(&self, app: &mut Engine) -> Result<(), Error> {
        components::register(app);
        flow::register(app, &self.amend)?;
        app.add_epilogue(crate::pay::settle::finish_error::FINISH_ERROR.name)?;
        app.set_keeper(records::keep);
        app.set_at_rest(rest::at_rest);
        app.set_deadline(deadline_ms);
        app.set_unwanted(is_unwanted);
        app.set_kin(kin::kin);
        app.set_span_facts(spans::begin, spans::end);
        // Its bound is the height at which it is refused.
        app.lift_life_bounds::<SetHeld>();
        // Its bound is that of the payment it waits for.
        app.lift_life_bounds::<SameAs>();
        app.guard_component(Approval::SPEC.name, Scope::Approve);
        let replaceable: Vec<&str> = flow::replaceable_systems().collect();
        app.set_replaceable_systems(&replaceable)?;
        app.insert_resource(self.policy.clone());
        app.insert_resource(Intake::default());
        app.insert_resource(DecodedInvoices::default());
        app.insert_resource(PlansAsked::default());
        app.insert_resource(KnowledgeDesk::default());
        app.insert_resource(Sets::default());
        app.insert_resource(methods::Cleaning::default());
        for method in methods::all() {
            app.add_method(method);
        }
        app.add_explainer(&methods::PAYMENT);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::{Books, NodeView};
    use ecs_core::{Json, Systems, Write, Writer};

    #[test]
    fn a_payment_that_needs_what_is_not_there_fails_with_2203() {
        for (system, required) in [
            ("lightningd:check_currency", vec!["lightningd:invoice:currency"]),
            (
                "lightningd:claim_hash",
                vec![
                    "lightningd:main-payment",
                    "lightningd:payment_hash",
                    "lightningd:destination",
                    "lightningd:amount",
                    "lightningd:feebudget",
                ],
            ),
        ] {
            let mut app = Engine::new();
            PaymentSystems::default().build(&mut app).unwrap();
            assert!(app.resource::<NodeView>().is_none() && app.resource::<Books>().is_none());
            let entity = app.new_entity();
            let draft = Write::to(entity).attach(&Systems::listing([system]));
            let write = required
                .into_iter()
                .fold(draft, |write, name| write.attach_json(name, crate::fixture::sample(name)));
            app.set_components(&Writer::Engine, &[write], &[]).unwrap();
            app.advance(entity, None).unwrap();
            let error = app.component(entity, "lightningd:error").unwrap().fields().unwrap();
            assert_eq!(error["code"], Json::of(&2203), "{system}");
        }
    }

    #[test]
    fn a_plugin_is_added_once() {
        let mut app = Engine::new();
        let plugin = PaymentSystems::default();
        assert_eq!(plugin.name(), "lightningd");
        plugin.build(&mut app).unwrap();
        assert_eq!(app.resource::<Policy>(), Some(&Policy::default()));
        assert!(app.has_system(crate::pay::settle::finish_error::FINISH_ERROR.name));
    }
}
