//! What is cleaned by itself, as lightningd's configuration says: at the start, and while we run.

use super::options::{ALL, Given, Wrong};
use ecs_core::{ErrorObject, INVALID_PARAMS, Json};
use ecs_systems::{policy::Autoclean, port::OverKind, units::Seconds};
use std::collections::BTreeMap;

/// The option for how often it is looked.
pub(super) const CYCLE: &str = "payecs-autoclean-cycle";

/// The option for the age of that kind.
pub(super) const fn age(kind: OverKind) -> &'static str {
    match kind {
        OverKind::PaidInvoices => "payecs-autoclean-paidinvoices-age",
        OverKind::ExpiredInvoices => "payecs-autoclean-expiredinvoices-age",
        OverKind::PaidPaycodes => "payecs-autoclean-paidpaycodes-age",
        OverKind::ExpiredPaycodes => "payecs-autoclean-expiredpaycodes-age",
    }
}

/// What these options say.
///
/// # Errors
/// One of them has a value that it can't have.
pub(super) fn of(given: &Given) -> Result<Autoclean, Wrong> {
    let mut autoclean = Autoclean::default();
    change(&mut autoclean, given)?;
    Ok(autoclean)
}

fn change(autoclean: &mut Autoclean, given: &Given) -> Result<(), Wrong> {
    match given.int(CYCLE)? {
        Some(0) => {
            return Err(Wrong { name: CYCLE, why: "expected 1 second or more".to_owned() });
        }
        Some(cycle) => autoclean.cycle = Seconds(cycle),
        None => {}
    }
    for kind in OverKind::ALL {
        if let Some(seconds) = given.int(age(kind))? {
            autoclean.ages.insert(kind, Seconds(seconds));
        }
    }
    Ok(())
}

/// What lightningd's `setconfig` changes: `config` and `val` by name. It keeps the value itself,
/// and says it in the next `init`.
#[derive(Debug)]
pub(super) struct Change(Given);

impl Change {
    /// Reads the params of `setconfig`.
    ///
    /// # Errors
    /// −32602: no option of ours that may change while we run, or a value that it can't have.
    pub(super) fn of(params: Option<&Json>) -> Result<Self, ErrorObject> {
        let refused = |what: String| ErrorObject::new(INVALID_PARAMS, what);
        let mut fields = params.and_then(Json::fields).unwrap_or_default();
        let text = |json: &Json| json.as_str().map(std::borrow::Cow::into_owned);
        let name = fields.get("config").and_then(text);
        let name = name.ok_or_else(|| refused("`config` must be the name of an option".into()))?;
        if !ALL.iter().any(|known| known.dynamic && known.name == name) {
            let mut shown: Vec<&str> = Vec::new();
            shown.extend(ALL.iter().filter(|known| known.dynamic).map(|known| known.name));
            let shown = shown.join(", ");
            return Err(refused(format!("these options may change while it runs: {shown}")));
        }
        let value = fields.remove("val").filter(|value| !value.is_null());
        let value = value.ok_or_else(|| refused(format!("{name}: `val` is missing")))?;
        let given = Given(BTreeMap::from([(name, value)]));
        of(&given).map_err(|wrong| refused(wrong.to_string()))?;
        Ok(Self(given))
    }

    /// Changes it.
    pub(super) fn apply(&self, autoclean: &mut Autoclean) {
        // It was read before.
        let _read = change(autoclean, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(params: &str) -> Result<Autoclean, String> {
        let change = Change::of(Some(&Json::parse(params).unwrap()));
        let change = change.map_err(|error| format!("{}: {}", error.code, error.message))?;
        let ages = BTreeMap::from([(OverKind::PaidInvoices, Seconds(9))]);
        let mut autoclean = Autoclean { cycle: Seconds(8), ages };
        change.apply(&mut autoclean);
        Ok(autoclean)
    }

    #[test]
    fn one_option_is_changed_and_the_others_are_as_they_were() {
        for value in ["7", "\"7\""] {
            let cycle = format!(r#"{{"config":"{CYCLE}","val":{value}}}"#);
            let changed = changed(&cycle).unwrap();
            assert_eq!(
                (changed.cycle, changed.age(OverKind::PaidInvoices)),
                (Seconds(7), Some(Seconds(9)))
            );
        }
        for kind in OverKind::ALL {
            let name = age(kind);
            let changed = changed(&format!(r#"{{"config":"{name}","val":"5"}}"#)).unwrap();
            assert_eq!((changed.cycle, changed.age(kind)), (Seconds(8), Some(Seconds(5))));
        }
        let never = format!(r#"{{"config":"{}","val":0}}"#, age(OverKind::PaidInvoices));
        assert_eq!(changed(&never).unwrap().age(OverKind::PaidInvoices), None);
    }

    #[test]
    fn what_is_no_option_or_no_value_changes_nothing_and_is_named() {
        for (params, said) in [
            ("{}".to_owned(), "`config` must be"),
            ("[]".to_owned(), "`config` must be"),
            (r#"{"config":7,"val":1}"#.to_owned(), "`config` must be"),
            (r#"{"config":"payecs-nodes","val":9}"#.to_owned(), CYCLE),
            (r#"{"config":"autoclean-cycle","val":9}"#.to_owned(), CYCLE),
            (format!(r#"{{"config":"{CYCLE}"}}"#), "`val` is missing"),
            (format!(r#"{{"config":"{CYCLE}","val":null}}"#), "`val` is missing"),
            (format!(r#"{{"config":"{CYCLE}","val":"0"}}"#), "expected 1 second or more"),
            (format!(r#"{{"config":"{CYCLE}","val":"soon"}}"#), "expected an integer from 0"),
            (format!(r#"{{"config":"{CYCLE}","val":-1}}"#), "expected an integer from 0"),
        ] {
            let refused = changed(&params).unwrap_err();
            assert!(refused.starts_with("-32602: ") && refused.contains(said), "{refused}");
        }
        assert_eq!(Change::of(None).unwrap_err().code, INVALID_PARAMS);
    }
}
