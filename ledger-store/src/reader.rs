//! The past of the books, told on any thread.

use crate::dossier::Dossier;
use crate::entry::Writer;
use crate::journal::{Circumstances, Journal};
use crate::past::Past;
use crate::state::State;
use ecs_systems::port::{
    BooksReader, History, HistoryError, LedgerEntry, LedgerError, LinesOf, PastEntry, Posting,
};
use ecs_systems::units::PaymentHash;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A reader of what these books were told until now.
pub(crate) fn of(state: &State) -> BooksReader {
    let past: Arc<dyn History> = match &state.past {
        Past::Memory(memory) => Arc::new(memory.clone()),
        Past::Elsewhere { history, .. } => Arc::clone(history),
    };
    let node = state.journal.node().to_owned();
    BooksReader::new(past, move |entry, lines_of| postings(&node, entry, lines_of))
}

/// What an entry came to when it was taken.
fn postings(
    node: &str,
    entry: &PastEntry,
    lines_of: &mut LinesOf<'_>,
) -> Result<Vec<Posting>, HistoryError> {
    let failed = |what| HistoryError::Failed { what };
    let hashes: BTreeSet<PaymentHash> =
        entry.lines.iter().filter_map(LedgerEntry::payment_hash).collect();
    let mut postings = of_no_hash(node, entry).map_err(|error| failed(error.to_string()))?;
    for hash in hashes {
        let dossier = Dossier::of(node, hash, lines_of(&hash)?).map_err(failed)?;
        let tx_id = entry.index.saturating_add(1);
        let own = dossier.postings().iter().filter(|posting| posting.tx_id == tx_id);
        postings.extend(own.map(|booked| booked.posting(node)));
    }
    Ok(postings)
}

/// The postings of lines about channels.
fn of_no_hash(node: &str, entry: &PastEntry) -> Result<Vec<Posting>, LedgerError> {
    let journal = Journal::new(node);
    let circumstances = Circumstances { entity: entry.entity, at: entry.at };
    // Such lines ask for no dossier.
    let nothing = (PaymentHash([0; 32]), Arc::default());
    let mut writer = Writer::again(&journal, nothing, entry.index, circumstances);
    for line in entry.lines.iter().filter(|line| line.payment_hash().is_none()) {
        writer.write(line)?;
    }
    let booked = writer.into_changes().0.postings;
    Ok(booked.iter().map(|booked| booked.posting(node)).collect())
}
