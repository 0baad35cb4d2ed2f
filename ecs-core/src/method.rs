//! The method table: what can be called by name, whatever the transport.

mod caller;
pub mod explainer;
mod kind;
mod reply;

pub use caller::{Caller, NOT_PERMITTED, Scope};
pub(crate) use caller::{permit, permit_component, permit_exact, permit_write};
pub use kind::{Kind, Param, TEXTS_MAX, optional, required};
pub use reply::{Later, Look, Reply, WAIT_TIMEOUT, timed_out};

use crate::{
    Engine, ErrorObject, Inputs, Json,
    args::Args,
    error::METHOD_NOT_FOUND,
    methods::{CHECK, KEEP_TO_COMPONENTS},
    names::did_you_mean,
};

/// Answers a call whose parameters are of the kinds that are declared.
pub type Handle = fn(&mut Engine, &Args<'_>) -> Result<Reply, ErrorObject>;
/// Refuses what [`Handle`] would, as far as that can be told without doing anything.
pub type Check = fn(&mut Engine, &Args<'_>) -> Result<(), ErrorObject>;

/// For methods that refuse nothing but parameters of another kind.
pub const CHECK_KINDS: Check = |_, _| Ok(());

/// A method: the one source of server, command line and reference.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// Its parameters, in the order in which they are given by position.
    pub params: &'static [Param],
    /// What a caller needs.
    pub scope: Scope,
    /// The codes it fails with besides −32602, in order of precedence.
    pub errors: &'static [i32],
    /// The shape of its answer.
    pub result: &'static str,
    /// What it does.
    pub doc: &'static str,
    /// Does it.
    pub handle: Handle,
    /// Looks whether it could be done, and leaves everything as it is.
    pub check: Check,
}

impl Engine {
    /// Adds a method to the table.
    ///
    /// # Panics
    /// If one of that name is in it.
    pub fn add_method(&mut self, method: &'static Method) {
        let earlier = self.methods.insert(method.name, method);
        assert!(earlier.is_none(), "method {} added twice", method.name);
    }

    /// All methods, by name.
    pub fn methods(&self) -> impl Iterator<Item = &'static Method> + '_ {
        self.methods.values().copied()
    }

    /// Calls a method by name, with params as they came: an array, an object, or none.
    /// ```
    /// # use ecs_core::{Caller, Engine, Inputs, Json};
    /// let mut app = Engine::new();
    /// let owner = Caller::owner();
    /// let new = app.call(&owner, Inputs::default(), "payecs_newentity", None).unwrap();
    /// assert_eq!(new.now().unwrap().text(), r#"{"entity":1}"#);
    /// let params = Json::parse(r#"[1, {"surplus":true}, [], 1, 2]"#).unwrap();
    /// let refused = app.call(&owner, Inputs::default(), "payecs_advance", Some(&params));
    /// assert_eq!(refused.unwrap_err().code, -32602);
    /// ```
    ///
    /// # Errors
    /// No such method (−32601), the caller lacks its scope (1502), params that don't fit (−32602,
    /// naming the one), or what the method refuses.
    pub fn call(
        &mut self,
        caller: &Caller,
        inputs: Inputs,
        name: &str,
        params: Option<&Json>,
    ) -> Result<Reply, ErrorObject> {
        let method = self.permitted(caller, name)?;
        if method.name == CHECK.name {
            return self.check(caller, inputs, params).map(Into::into);
        }
        let args = Args::bind(method, params, caller)?;
        self.begin(inputs);
        self.calling.clone_from(&caller.token);
        let reply = (method.handle)(self, &args);
        self.calling = None;
        reply
    }

    /// Judges a call: its command is the first of the params, or named `command_to_check`; the
    /// others are that command's.
    fn check(
        &mut self,
        caller: &Caller,
        inputs: Inputs,
        params: Option<&Json>,
    ) -> Result<Json, ErrorObject> {
        let (name, params) = command_to_check(caller, params)?;
        let method = self.permitted(caller, &name)?;
        let args = Args::bind(method, Some(&params), caller)?;
        self.begin(inputs);
        self.calling.clone_from(&caller.token);
        let checked = (method.check)(self, &args);
        self.calling = None;
        checked?;
        Ok(Json::object([("command_to_check", Json::of(&name))]))
    }

    /// The method of that name.
    fn permitted(&self, caller: &Caller, name: &str) -> Result<&'static Method, ErrorObject> {
        let Some(method) = self.methods.get(name).copied() else {
            if name.is_empty() {
                let what = "The command has no name; `rpc.discover` lists those there are";
                return Err(ErrorObject::new(METHOD_NOT_FOUND, what));
            }
            let hint = did_you_mean(self.methods.keys().copied(), name);
            let shown: String = name.chars().take(NAME_SHOWN_CHARS_MAX).collect();
            let what = format!("Unknown command `{shown}`{hint}");
            return Err(ErrorObject::new(METHOD_NOT_FOUND, what));
        };
        permit(caller, method.scope, method.name)?;
        if caller.components.is_some() && !KEEP_TO_COMPONENTS.contains(&method.name) {
            let what = format!(
                "Not permitted: the caller is for some Components only, and {name} doesn't keep to \
                 them."
            );
            return Err(ErrorObject::new(NOT_PERMITTED, what));
        }
        Ok(method)
    }
}

/// Takes the command out of the params of `check`.
fn command_to_check(caller: &Caller, params: Option<&Json>) -> Result<(String, Json), ErrorObject> {
    let declared = CHECK.params[0].name;
    let (first, rest) = match params {
        Some(params) if let Some(mut items) = params.items() => {
            let rest = Json::array(items.split_off(items.len().min(1)));
            (Json::array(items), rest)
        }
        Some(params) if let Some(fields) = params.entries() => {
            let (named, rest): (Vec<_>, Vec<_>) =
                fields.into_iter().partition(|(name, _)| name == declared);
            (Json::object(named), Json::object(rest))
        }
        Some(other) => (other.clone(), Json::array([])),
        None => (Json::array([]), Json::array([])),
    };
    let args = Args::bind(&CHECK, Some(&first), caller)?;
    Ok((args.need(declared)?, rest))
}

/// Longest part of an unknown name that is repeated.
const NAME_SHOWN_CHARS_MAX: usize = 64;
