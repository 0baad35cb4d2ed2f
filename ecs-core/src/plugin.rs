//! Plugins: crates that add Components, Systems and Resources to an engine.

use crate::{Engine, Error, registry::Owner};

/// Something that adds to an engine. The default flow is one; a third party's crate is another.
/// ```
/// # use ecs_core::{Engine, Error, Json, On, Plugin, Step, system};
/// struct Greeter;
/// impl Plugin for Greeter {
///     fn name(&self) -> &'static str {
///         "acme"
///     }
///     fn build(&self, app: &mut Engine) -> Result<(), Error> {
///         let hello = system("acme:hello").requires(["acme:wave"]).disallows(["acme:greeted"]);
///         app.add_payment_system(hello, |_: On| {
///             Ok(Step::advance().attach_json("acme:greeted", Json::yes()))
///         })
///     }
/// }
/// let mut app = Engine::new();
/// app.add_plugin(&Greeter).unwrap();
/// assert!(app.has_system("acme:hello"));
/// ```
pub trait Plugin {
    /// What to call it in messages.
    fn name(&self) -> &'static str;

    /// Adds what it has.
    ///
    /// # Errors
    /// A name is taken or no name.
    fn build(&self, app: &mut Engine) -> Result<(), Error>;
}

impl Engine {
    /// Adds a plugin.
    ///
    /// # Errors
    /// See [`Plugin::build`]; the engine is then of no use.
    pub fn add_plugin(&mut self, plugin: &dyn Plugin) -> Result<(), Error> {
        tracing::debug!(target: "payecs::plugin", plugin = plugin.name(), "plugin added");
        plugin.build(self)
    }
}

/// Whose a System is, by its name.
pub(crate) fn owner_of(name: &str) -> Result<Owner, Error> {
    let Some((prefix, _)) = name.split_once(':') else {
        return Err(Error::Invalid(format!("System `{name}` needs a prefix, as in `acme:{name}`")));
    };
    if prefix.is_empty() {
        return Err(Error::Invalid(format!("System `{name}`: the prefix before `:` is empty")));
    }
    if matches!(prefix, "lightningd" | "ledger" | "payecs") {
        return Err(Error::Invalid(format!("System `{name}`: the prefix `{prefix}:` is ours")));
    }
    Ok(Owner::Plugin(format!("{prefix}:")))
}
