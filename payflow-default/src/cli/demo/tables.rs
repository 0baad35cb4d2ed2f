//! Tables, in plain text.

use super::{
    story::{PartState, Story},
    words::{fee_at, grouped},
    world::World,
};
use ecs_systems::{
    port::{BalanceObject, Posting, PostingState},
    units::{Msat, ShortChannelId},
};
use node_sim::OUR_NAME;
use tabled::{
    builder::Builder,
    settings::{Alignment, Style, object::Columns},
};

/// What is ours in a channel, before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChannelChange {
    pub(crate) channel: ShortChannelId,
    pub(crate) peer: String,
    pub(crate) before_msat: Msat,
    pub(crate) after_msat: Msat,
}

/// Rows under a head, indented by two; the columns named in `right` are aligned to the right.
pub(super) fn table(head: &[&str], rows: Vec<Vec<String>>, right: &[usize]) -> String {
    let mut builder = Builder::default();
    builder.push_record(head.iter().copied());
    for row in rows {
        builder.push_record(row);
    }
    let mut table = builder.build();
    table.with(Style::rounded());
    for column in right {
        table.modify(Columns::one(*column), Alignment::right());
    }
    let lines: Vec<String> = table.to_string().lines().map(|line| format!("  {line}")).collect();
    lines.join("\n")
}

/// The ways of the parts that arrived, channel by channel.
pub(crate) fn routes(world: &World, story: &Story) -> String {
    let mut rows = Vec::new();
    for part in story.parts_in(PartState::Paid) {
        for (index, hop) in part.route.hops.iter().enumerate() {
            let name = if index == 0 { part.id.to_string() } else { String::new() };
            rows.push(vec![
                name,
                hop.short_channel_id_dir.scid.to_string(),
                format!("{} → {}", world.name(hop.from), world.name(hop.to)),
                grouped(hop.amount_msat.0),
                grouped(fee_at(&part.route, index).0),
                hop.cltv_blocks.0.to_string(),
            ]);
        }
    }
    let head = ["part", "channel", "from → to", "HTLC (msat)", "fee (msat)", "delay (blocks)"];
    table(&head, rows, &[3, 4, 5])
}

/// Postings: each pending one with what resolved it.
pub(crate) fn postings(postings: &[Posting]) -> String {
    let prefix = format!("{OUR_NAME}:");
    let account = |full: &str| full.strip_prefix(&prefix).unwrap_or(full).to_owned();
    let first = postings.iter().filter(|posting| posting.pending_id.is_none());
    let rows = first.map(|posting| {
        let resolves = |other: &&Posting| other.pending_id.as_ref() == Some(&posting.entry_id);
        vec![
            posting.code.clone(),
            posting.part_id.map_or_else(String::new, |part| part.to_string()),
            account(&posting.debit_account),
            account(&posting.credit_account),
            grouped(posting.amount_msat.0),
            state(posting, postings.iter().find(resolves)),
        ]
    });
    table(&["why", "part", "debit", "credit", "amount (msat)", "state"], rows.collect(), &[4])
}

/// The state of a posting, and what it came to where that is another amount.
fn state(posting: &Posting, resolution: Option<&Posting>) -> String {
    let last = resolution.unwrap_or(posting);
    let name = match last.state {
        PostingState::Pending => "pending",
        PostingState::Posted => "posted",
        PostingState::Voided => "voided",
    };
    if last.amount_msat == posting.amount_msat {
        return name.to_owned();
    }
    format!("{name} {}", grouped(last.amount_msat.0))
}

/// What is ours in each channel.
pub(crate) fn channels(changes: &[ChannelChange]) -> String {
    let rows = changes.iter().map(|change| {
        let (before, after) = (change.before_msat.0, change.after_msat.0);
        let sign = if after < before { "−" } else { "" };
        vec![
            change.channel.to_string(),
            change.peer.clone(),
            grouped(before),
            grouped(after),
            format!("{sign}{}", grouped(before.abs_diff(after))),
        ]
    });
    let head = ["channel", "peer", "before (msat)", "after (msat)", "change (msat)"];
    table(&head, rows.collect(), &[2, 3, 4])
}

/// The balance as wallets know it.
pub(crate) fn balance(balance: &BalanceObject) -> String {
    let rows = [
        ("came in", balance.incoming_total_msat),
        ("went out", balance.outgoing_total_msat),
        ("fees paid", balance.fees_paid_msat),
        ("set aside for payments", balance.pending_outgoing_msat),
        ("set aside for fees", balance.reserved_fees_msat),
        ("can be spent", balance.spendable_msat),
    ];
    let rows = rows.map(|(name, amount)| vec![name.to_owned(), grouped(amount.0)]);
    table(&["balance", "msat"], rows.into(), &[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_left_a_channel_is_a_change_with_a_minus() {
        let change = |channel: u64, peer: &str, before, after| ChannelChange {
            channel: ShortChannelId(channel << 40),
            peer: peer.to_owned(),
            before_msat: Msat(before),
            after_msat: Msat(after),
        };
        let shown = channels(&[change(7, "bob", 12_000, 1_500), change(8, "carol", 5, 5)]);
        let expected = "  \
  ╭─────────┬───────┬───────────────┬──────────────┬───────────────╮
  │ channel │ peer  │ before (msat) │ after (msat) │ change (msat) │
  ├─────────┼───────┼───────────────┼──────────────┼───────────────┤
  │ 7x0x0   │ bob   │        12 000 │        1 500 │       −10 500 │
  │ 8x0x0   │ carol │             5 │            5 │             0 │
  ╰─────────┴───────┴───────────────┴──────────────┴───────────────╯";
        assert_eq!(shown.trim_start(), expected.trim_start());
    }
}
