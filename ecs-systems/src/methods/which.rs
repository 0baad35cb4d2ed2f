//! Which payment a caller means.

use super::decode;
use crate::port::Books;
use ecs_core::{Args, Engine, Entities, EntityId, Error, ErrorObject};
use payecs_units::PaymentHash;

/// How a caller names a payment.
#[derive(Clone, Copy, Debug)]
pub(super) enum Which {
    Hash(PaymentHash),
    Entity(EntityId),
}

impl Which {
    /// Reads the params `payment_hash`, `entity`, and `bolt11` where the method has it.
    ///
    /// # Errors
    /// None of them is given, or several; the invoice can't be read.
    pub(super) fn of(args: &Args<'_>, with_bolt11: bool) -> Result<Self, ErrorObject> {
        let hash = args.read::<PaymentHash>("payment_hash")?.map(Self::Hash);
        let entity = args.read::<EntityId>("entity")?.map(Self::Entity);
        let invoice = if with_bolt11 { args.read::<String>("bolt11")? } else { None };
        let names = if with_bolt11 { "`bolt11`, `payment_hash`" } else { "`payment_hash`" };
        match (hash, entity, invoice) {
            (Some(one), None, None) | (None, Some(one), None) => Ok(one),
            (None, None, Some(invoice)) => {
                let hash = decode::read(&invoice)?.payment_hash();
                let none = || ErrorObject::invalid("`bolt11` has no payment hash");
                hash.map(Self::Hash).ok_or_else(none)
            }
            _ => {
                let what = format!("give exactly one of {names} and `entity`");
                Err(ErrorObject::invalid(what))
            }
        }
    }

    /// The Entity of a payment that runs, or the one that was named.
    ///
    /// # Errors
    /// There is no Entity of that number (2204).
    pub(super) fn entity(self, engine: &Engine) -> Result<Option<EntityId>, ErrorObject> {
        match self {
            Self::Hash(hash) => {
                let claim = engine.resource::<Books>().and_then(|books| books.0.running(&hash));
                Ok(claim.map(|claim| claim.entity))
            }
            Self::Entity(id) => {
                let exists = engine.resource::<Entities>().is_some_and(|all| all.get(id).is_some());
                if exists { Ok(Some(id)) } else { Err(Error::UnknownEntity(id).into()) }
            }
        }
    }
}
