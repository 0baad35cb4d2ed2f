//! How much callers may use up, as it is said in options and files.

use ecs_core::{Quota, Quotas, did_you_mean};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::collections::BTreeMap;

/// Quotas that were set.
type Set = Vec<(Quota, u64)>;

/// Reads `entities=50000`.
///
/// # Errors
/// There is no such quota, or it can't be so much.
pub(crate) fn one(text: &str) -> Result<(Quota, u64), String> {
    let wrong = || format!("expected a quota and a number, as in `entities=50000`, got `{text}`");
    let (name, max) = text.split_once('=').ok_or_else(wrong)?;
    checked(name.trim(), max.trim().parse().map_err(|_| wrong())?)
}

/// Reads several of them, with commas between.
///
/// # Errors
/// As for one.
pub(crate) fn several(text: &str) -> Result<Quotas, String> {
    let set = text.split(',').map(one).collect::<Result<Set, _>>()?;
    Ok(all(set))
}

/// Reads a table of names and numbers.
pub(super) fn table<'de, D: Deserializer<'de>>(from: D) -> Result<Set, D::Error> {
    let table = BTreeMap::<String, u64>::deserialize(from)?;
    let set = table.into_iter().map(|(name, max)| checked(&name, max));
    set.collect::<Result<_, _>>().map_err(D::Error::custom)
}

/// All quotas; of two for the same the later counts.
pub(super) fn all(set: impl IntoIterator<Item = (Quota, u64)>) -> Quotas {
    set.into_iter().fold(Quotas::default(), |all, (quota, max)| {
        all.with(quota, max).expect("judged when it was read")
    })
}

fn checked(name: &str, max: u64) -> Result<(Quota, u64), String> {
    let Some(quota) = Quota::named(name) else {
        let hint = did_you_mean(Quota::ALL.into_iter().map(Quota::name), name);
        return Err(format!("there is no quota `{name}`{hint}"));
    };
    Quotas::default().with(quota, max).map_err(|high| high.to_string())?;
    Ok((quota, max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quota_stands_in_the_manual_with_what_it_is_unless_it_is_set() {
        let manual = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/OPERATING.md");
        let manual = std::fs::read_to_string(manual).unwrap();
        for quota in Quota::ALL {
            let name = format!("`{}`", quota.name());
            let row = manual.lines().find(|line| line.starts_with('|') && line.contains(&name));
            let cells: Vec<&str> = row.expect(&name).split('|').map(str::trim).collect();
            let at = cells[1].split(", ").position(|it| it == name).expect(&name);
            let most = cells[3].split("; ").nth(at);
            assert_eq!(most, Some(&*quota.default_max().to_string()), "{name}");
        }
    }

    #[test]
    fn a_quota_is_a_name_and_a_number_that_it_can_be() {
        assert_eq!(one("entities=7"), Ok((Quota::Entities, 7)));
        assert_eq!(one("token-bytes = 0"), Ok((Quota::TokenBytes, 0)));
        let both = several("entities=7,entities=8,names=9").unwrap();
        assert_eq!((both.max(Quota::Entities), both.max(Quota::Names)), (8, 9));
        for (text, said) in [
            ("entities", "as in `entities=50000`, got `entities`"),
            ("entities=many", "as in `entities=50000`"),
            ("entities=-1", "as in `entities=50000`"),
            ("entitis=7", "there is no quota `entitis`; `entities`?"),
            ("systems=1025", "systems: at most 1024, got 1025"),
            ("", "got ``"),
        ] {
            let refused = several(text).unwrap_err();
            assert!(refused.contains(said), "{text}: {refused}");
        }
    }
}
