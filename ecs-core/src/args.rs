//! Parameters, bound to the names a method declares.

use crate::{
    EntityId, ErrorObject, Json,
    method::{Caller, Method},
    names::did_you_mean,
};
use serde::de::DeserializeOwned;
use std::{borrow::Cow, collections::BTreeSet};

/// The fields of an object in the order of its text, no name twice.
pub type Fields = Vec<(String, Json)>;

/// The parameters of one call: every one that a method requires, none that it doesn't declare.
#[derive(Debug)]
pub struct Args<'a> {
    method: &'static Method,
    values: Vec<Option<Json>>,
    caller: &'a Caller,
}

impl<'a> Args<'a> {
    /// Binds params by position (an array; `null` is not given) or by name (an object).
    ///
    /// # Errors
    /// −32602, naming the parameter: surplus, unknown, given twice, missing, or of another kind.
    pub fn bind(
        method: &'static Method,
        params: Option<&Json>,
        caller: &'a Caller,
    ) -> Result<Self, ErrorObject> {
        let values = match params {
            None => vec![None; method.params.len()],
            Some(params) => {
                by_position(method, params).or_else(|| by_name(method, params)).unwrap_or_else(
                    || Err(ErrorObject::invalid("params must be an array or an object")),
                )?
            }
        };
        let missing = method
            .params
            .iter()
            .zip(&values)
            .find(|(param, value)| param.required && value.is_none());
        if let Some((param, _)) = missing {
            let (name, shape) = (param.name, param.kind.shape);
            let what = format!("missing required parameter: `{name}`, {shape}");
            return Err(ErrorObject::invalid(what));
        }
        let args = Self { method, values, caller };
        let mut given = args.method.params.iter().zip(&args.values);
        let misfit = given.find_map(|(param, value)| {
            let value = value.as_ref()?;
            (!(param.kind.fits)(value)).then_some(param.name)
        });
        misfit.map_or(Ok(()), |name| Err(args.misshapen(name)))?;
        Ok(args)
    }

    /// Whoever calls.
    #[must_use]
    pub fn caller(&self) -> &'a Caller {
        self.caller
    }

    /// A parameter as it came, if it was given.
    ///
    /// # Panics
    /// If the method doesn't declare it: our own mistake.
    #[must_use]
    pub fn given(&self, name: &str) -> Option<&Json> {
        let declared = self.method.params.iter().position(|param| param.name == name);
        self.values[declared.expect("the method declares it")].as_ref()
    }

    /// A parameter as a Rust value, if it was given.
    ///
    /// # Errors
    /// It has another shape.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, ErrorObject> {
        let value = self.given(name).map(Json::decode).transpose();
        value.map_err(|_| self.misshapen(name))
    }

    /// A required parameter as a Rust value.
    ///
    /// # Errors
    /// It has another shape.
    pub fn need<T: DeserializeOwned>(&self, name: &str) -> Result<T, ErrorObject> {
        self.read(name)?.ok_or_else(|| self.misshapen(name))
    }

    /// A required parameter that is the number of an Entity.
    ///
    /// # Errors
    /// It is none.
    pub fn entity(&self, name: &str) -> Result<EntityId, ErrorObject> {
        self.need(name)
    }

    /// An array of strings, or one string; empty if not given.
    ///
    /// # Errors
    /// It is something else.
    pub fn strings(&self, name: &str) -> Result<Vec<String>, ErrorObject> {
        Ok(self.texts(name)?.into_iter().map(Cow::into_owned).collect())
    }

    /// The same, where they stand in the params.
    ///
    /// # Errors
    /// It is something else.
    pub fn texts(&self, name: &str) -> Result<Vec<Cow<'_, str>>, ErrorObject> {
        let Some(json) = self.given(name) else { return Ok(Vec::new()) };
        let texts = json.as_str().map(|one| vec![one]).or_else(|| json.texts());
        texts.ok_or_else(|| self.misshapen(name))
    }

    /// An array of objects, or one object; empty if not given.
    ///
    /// # Errors
    /// It is something else, or an object has a field twice.
    pub fn objects(&self, name: &str) -> Result<Vec<Fields>, ErrorObject> {
        let Some(json) = self.given(name) else { return Ok(Vec::new()) };
        let objects = match json.items() {
            Some(items) => items.iter().map(Json::entries).collect(),
            None => json.entries().map(|one| vec![one]),
        };
        let objects: Vec<Fields> = objects.ok_or_else(|| self.misshapen(name))?;
        match objects.iter().find_map(|fields| named_twice(fields)) {
            None => Ok(objects),
            Some(field) => {
                let what = format!("`{name}`: `{}` is given twice", field.escape_debug());
                Err(ErrorObject::invalid(what))
            }
        }
    }

    /// Refuses a parameter, naming the shape it should have.
    ///
    /// # Panics
    /// If the method doesn't declare it: our own mistake.
    #[must_use]
    pub fn misshapen(&self, name: &str) -> ErrorObject {
        let declared = self.method.params.iter().find(|param| param.name == name);
        let shape = declared.expect("the method declares it").kind.shape;
        ErrorObject::invalid(format!("`{name}`: expected {shape}"))
    }
}

type Bound = Result<Vec<Option<Json>>, ErrorObject>;

/// `None`: no array.
fn by_position(method: &Method, params: &Json) -> Option<Bound> {
    let items = params.items()?;
    let (given, declared) = (items.len(), method.params.len());
    if given > declared {
        let name = method.name;
        let what = format!("too many parameters: `{name}` takes {declared}, got {given}");
        return Some(Err(ErrorObject::invalid(what)));
    }
    let mut values: Vec<Option<Json>> = items.into_iter().map(not_null).collect();
    values.resize(declared, None);
    Some(Ok(values))
}

/// `None`: no object.
fn by_name(method: &Method, params: &Json) -> Option<Bound> {
    let entries = params.entries()?;
    if let Some(name) = named_twice(&entries) {
        let what = format!("parameter `{}` is given twice", name.escape_debug());
        return Some(Err(ErrorObject::invalid(what)));
    }
    let mut values = vec![None; method.params.len()];
    for (name, value) in entries {
        let Some(at) = method.params.iter().position(|param| param.name == name) else {
            let hint = did_you_mean(method.params.iter().map(|param| param.name), &name);
            let what = format!("unknown parameter: `{}`{hint}", name.escape_debug());
            return Some(Err(ErrorObject::invalid(what)));
        };
        values[at] = not_null(value);
    }
    Some(Ok(values))
}

fn not_null(value: Json) -> Option<Json> {
    Some(value).filter(|value| !value.is_null())
}

fn named_twice(fields: &Fields) -> Option<&str> {
    let mut seen = BTreeSet::new();
    fields.iter().map(|(name, _)| name.as_str()).find(|name| !seen.insert(*name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::{CHECK_KINDS, Kind, Scope, optional, required};

    const ANY: Kind = Kind { shape: "anything", schema: "{}", fits: |_| true };
    const ONE: Kind = Kind { shape: "an integer", fits: |json| json.as_str().is_none(), ..ANY };

    const METHOD: Method = Method {
        name: "acme_do",
        params: &[required("one", ONE), optional("two", ANY.saying("strings"))],
        scope: Scope::Read,
        errors: &[],
        result: "{}",
        doc: "Does it.",
        handle: |_, _| Ok(Json::yes().into()),
        check: CHECK_KINDS,
    };

    fn bind(params: &str) -> Result<[Option<String>; 2], String> {
        let caller = Caller::owner();
        let params = Json::parse(params).unwrap();
        let args = Args::bind(&METHOD, Some(&params), &caller).map_err(|error| error.message)?;
        Ok(["one", "two"].map(|name| args.given(name).map(ToString::to_string)))
    }

    #[test]
    fn params_are_bound_by_position_or_by_name() {
        for (params, one, two) in [
            ("[1]", Some("1"), None),
            ("[1, null]", Some("1"), None),
            ("[1, [\"a\"]]", Some("1"), Some("[\"a\"]")),
            ("{\"two\":2,\"one\":1}", Some("1"), Some("2")),
            ("{\"one\":false,\"two\":null}", Some("false"), None),
        ] {
            let wanted = [one, two].map(|text| text.map(ToOwned::to_owned));
            assert_eq!(bind(params), Ok(wanted), "{params}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_and_named() {
        for (params, said) in [
            ("[]", "missing required parameter: `one`, an integer"),
            ("[null, 2]", "missing required parameter: `one`, an integer"),
            ("{\"two\":2}", "missing required parameter: `one`, an integer"),
            ("[\"a\", 2]", "`one`: expected an integer"),
            ("[1, 2, null]", "too many parameters: `acme_do` takes 2, got 3"),
            ("{\"one\":1,\"tow\":2}", "unknown parameter: `tow`; `two`?"),
            ("{\"one\":1,\"sideways\":2}", "unknown parameter: `sideways`"),
            ("{\"one\":1,\"two\":2,\"one\":1}", "parameter `one` is given twice"),
            ("{\"one\":1,\"\\u006fne\":1}", "parameter `one` is given twice"),
            ("7", "params must be an array or an object"),
            ("null", "params must be an array or an object"),
            ("\"one\"", "params must be an array or an object"),
        ] {
            assert_eq!(bind(params), Err(said.to_owned()), "{params}");
        }
    }

    #[test]
    fn one_stands_for_an_array_of_one() {
        let caller = Caller::owner();
        let strings = |two: &str| {
            let params = Json::parse(&format!("[1,{two}]")).unwrap();
            Args::bind(&METHOD, Some(&params), &caller).unwrap().strings("two").ok()
        };
        assert_eq!(strings("\"a\""), Some(vec!["a".to_owned()]));
        assert_eq!(strings("[\"a\",\"b\"]").map(|all| all.len()), Some(2));
        assert_eq!(strings("null"), Some(vec![]));
        assert_eq!(strings("[1]"), None);
        assert_eq!(strings("{}"), None);
        let objects = |two: &str| {
            let params = Json::parse(&format!("[1,{two}]")).unwrap();
            let args = Args::bind(&METHOD, Some(&params), &caller).unwrap();
            args.objects("two").map(|all| all.len()).map_err(|error| error.message)
        };
        assert_eq!(objects("{\"a\":1}"), Ok(1));
        assert_eq!(objects("[{},{}]"), Ok(2));
        assert_eq!(objects("[{},1]"), Err("`two`: expected strings".to_owned()));
        assert_eq!(objects("{\"a\":1,\"a\":1}"), Err("`two`: `a` is given twice".to_owned()));
    }
}
