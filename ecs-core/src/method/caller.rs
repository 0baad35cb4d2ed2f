//! Who calls, and what is allowed.

use crate::{ErrorObject, OWN_PREFIX};
use std::{collections::BTreeSet, sync::Arc};

/// What a caller may do. Each method asks for one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Looks, and changes nothing.
    Read,
    /// Makes what others pay to.
    Receive,
    /// Pays.
    Pay,
    /// Writes Components, advances, adds Systems: whoever may do this can also pay.
    Flow,
    /// Answers what was held for approval.
    Approve,
    /// Looks after the engine itself.
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Read, Self::Receive, Self::Pay, Self::Flow, Self::Approve, Self::Admin];
}

/// Whoever calls, after the transport has made out who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// Whether it may read Components that are never shown.
    pub secrets: bool,
    /// What the names of the Components begin with that it may read and write, and those of the
    /// Systems that it may register; it may call only methods that keep to them. `None`: all
    /// Components, all methods.
    pub components: Option<BTreeSet<String>>,
    /// What the names of the Components begin with that it may write, and those of the Systems that
    /// it may register; it may write what is documented for callers besides. `None`: all.
    pub writes: Option<BTreeSet<String>>,
    /// The name of the token that it came with. `None`: it came without, as the owner's programs
    /// do.
    pub token: Option<Arc<str>>,
}

impl Caller {
    /// The owner: everything.
    #[must_use]
    pub fn owner() -> Self {
        Self {
            scopes: Scope::ALL.into(),
            secrets: true,
            components: None,
            writes: None,
            token: None,
        }
    }

    /// Someone with these scopes, who may read no secrets.
    /// ```
    /// # use ecs_core::{Caller, Scope};
    /// assert!(Caller::with([Scope::Read]).may(Scope::Read));
    /// assert!(!Caller::with([Scope::Read]).may(Scope::Pay));
    /// ```
    #[must_use]
    pub fn with(scopes: impl IntoIterator<Item = Scope>) -> Self {
        let scopes = scopes.into_iter().collect();
        Self { scopes, secrets: false, components: None, writes: None, token: None }
    }

    /// Whether it has that scope.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Whether it may read and write a Component of that name, as far as names go.
    /// ```
    /// # use ecs_core::Caller;
    /// let shop = Caller { components: Some(["shop:".to_owned()].into()), ..Caller::owner() };
    /// assert!(shop.may_touch("shop:order") && !shop.may_touch("lightningd:amount"));
    /// ```
    #[must_use]
    pub fn may_touch(&self, component: &str) -> bool {
        self.components.as_ref().is_none_or(|prefixes| begins(component, prefixes))
    }

    /// Whether it may write a Component of that name, as far as names go.
    /// ```
    /// # use ecs_core::Caller;
    /// let tip = Caller { writes: Some(["tip:".to_owned()].into()), ..Caller::owner() };
    /// assert!(tip.may_write("tip:done") && tip.may_write("lightningd:amount"));
    /// assert!(tip.may_touch("shop:order") && !tip.may_write("shop:order"));
    /// ```
    #[must_use]
    pub fn may_write(&self, component: &str) -> bool {
        let may = |prefixes| component.starts_with(OWN_PREFIX) || begins(component, prefixes);
        self.may_touch(component) && self.writes.as_ref().is_none_or(may)
    }

    /// Whether it may register a System of that name, as far as names go.
    /// ```
    /// # use ecs_core::Caller;
    /// let shop = Caller { components: Some(["shop:".to_owned()].into()), ..Caller::owner() };
    /// assert!(shop.may_name("shop:tip") && !shop.may_name("acme:tip"));
    /// ```
    #[must_use]
    pub fn may_name(&self, system: &str) -> bool {
        let bounds = [&self.components, &self.writes];
        bounds.into_iter().flatten().all(|prefixes| begins(system, prefixes))
    }
}

fn begins(name: &str, prefixes: &BTreeSet<String>) -> bool {
    prefixes.iter().any(|prefix| name.starts_with(prefix.as_str()))
}

/// The code where a caller lacks a scope; Core Lightning's for a rune that does not permit a call.
pub const NOT_PERMITTED: i32 = 1502;

/// Refuses what a caller lacks the scope for.
pub(crate) fn permit(caller: &Caller, scope: Scope, what: &str) -> Result<(), ErrorObject> {
    if caller.may(scope) {
        return Ok(());
    }
    let scope = format!("{scope:?}").to_lowercase();
    Err(ErrorObject::new(NOT_PERMITTED, format!("Not permitted: {what} needs scope `{scope}`.")))
}

/// Refuses a Component that the caller is not for.
pub(crate) fn permit_component(caller: &Caller, name: &str) -> Result<(), ErrorObject> {
    if caller.may_touch(name) {
        return Ok(());
    }
    let what = format!("Not permitted: the caller is not for Component `{name}`.");
    Err(ErrorObject::new(NOT_PERMITTED, what))
}

/// Refuses a Component that the caller may not write.
pub(crate) fn permit_write(caller: &Caller, name: &str) -> Result<(), ErrorObject> {
    permit_component(caller, name)?;
    if caller.may_write(name) {
        return Ok(());
    }
    let what = format!("Not permitted: the caller may not write Component `{name}`.");
    Err(ErrorObject::new(NOT_PERMITTED, what))
}

/// Refuses `exact` where the caller is not for all Components: it concerns all that are attached.
pub(crate) fn permit_exact(caller: &Caller, exact: bool) -> Result<(), ErrorObject> {
    if !exact || (caller.components.is_none() && caller.writes.is_none()) {
        return Ok(());
    }
    let what = "Not permitted: `exact` needs a caller who is for all Components.";
    Err(ErrorObject::new(NOT_PERMITTED, what))
}
