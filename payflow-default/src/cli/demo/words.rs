//! Numbers and ways as people read them.

use super::world::World;
use ecs_systems::{
    planner::{Hop, Route},
    port::Failure,
    units::Msat,
};

/// An amount in satoshi, in groups of three digits, with the rest as decimals.
pub(crate) fn sat(amount: Msat) -> String {
    let (sat, rest) = (amount.0 / 1_000, amount.0 % 1_000);
    let whole = grouped(sat);
    if rest == 0 { format!("{whole} sat") } else { format!("{whole}.{rest:03} sat") }
}

/// A number in groups of three digits.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// `count` of something, with an s unless it is one.
pub(crate) fn counted(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// The nodes of a route by name.
pub(crate) fn way(world: &World, route: &Route) -> String {
    let first = route.hops.first().map(|hop| world.name(hop.from));
    let rest = route.hops.iter().map(|hop| world.name(hop.to));
    first.into_iter().chain(rest).collect::<Vec<_>>().join(" → ")
}

/// What the node that offers this hop keeps: what came in less what goes on. Nothing on our own.
pub(crate) fn fee_at(route: &Route, index: usize) -> Msat {
    let hops: &[Hop] = &route.hops;
    let came = index.checked_sub(1).and_then(|before| hops.get(before));
    let goes = hops.get(index);
    came.zip(goes)
        .map_or(Msat::ZERO, |(came, goes)| came.amount_msat.saturating_sub(goes.amount_msat))
}

/// Who failed a part, where, and why.
pub(crate) fn failure(world: &World, route: &Route, failure: &Failure) -> String {
    let name = failure.failcode.name();
    let Some(index) = failure.erring_index.map(|index| index as usize) else {
        return format!("{name}: nobody can say where");
    };
    match (route.hops.get(index), failure.erring_node) {
        (Some(hop), _) => {
            let (from, to) = (world.name(hop.from), world.name(hop.to));
            format!("{name} at {from}, on the channel {} to {to}", hop.short_channel_id_dir.scid)
        }
        (None, Some(node)) => format!("{name}, says {}", world.name(node)),
        (None, None) => name.to_owned(),
    }
}

/// The text in lines of at most `chars_max` characters where its words allow that, all but the
/// first indented by `indent`.
pub(crate) fn wrapped(text: &str, chars_max: usize, indent: usize) -> String {
    let (mut out, mut length) = (String::new(), 0);
    for word in text.split_whitespace() {
        let word_length = word.chars().count();
        if length > 0 && length + 1 + word_length > chars_max {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
            length = 0;
        } else if length > 0 {
            out.push(' ');
            length += 1;
        }
        out.push_str(word);
        length += word_length;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_counts_read_well() {
        for (msat, text) in [
            (0, "0 sat"),
            (1, "0.001 sat"),
            (999_000, "999 sat"),
            (1_000_000, "1 000 sat"),
            (6_000_000_250, "6 000 000.250 sat"),
        ] {
            assert_eq!(sat(Msat(msat)), text);
        }
        assert_eq!((counted(0, "part"), counted(1, "part")), ("0 parts".into(), "1 part".into()));
    }
    #[test]
    fn text_is_wrapped_between_words() {
        assert_eq!(wrapped("a bc  def", 4, 2), "a bc\n  def");
        assert_eq!(wrapped("abcdef g", 4, 0), "abcdef\ng");
        assert_eq!(wrapped("", 4, 2), "");
    }
}
