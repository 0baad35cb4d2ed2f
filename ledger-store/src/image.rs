//! The books as data.

use crate::chart::Account;
use crate::dossier::Dossier;
use crate::entry::{Applied, Writer};
use crate::guards::Guards;
use crate::journal::{Circumstances, Journal, unheld};
use crate::late::Late;
use crate::limit::Spend;
use crate::spends::Spends;
use crate::state::State;
use crate::verify;
use ecs_core::Json;
use ecs_systems::port::{Balance, BooksImage, LedgerEntry, PastEntry};
use ecs_systems::units::{Msat, PaymentHash, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What an image says.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stored {
    /// Everything that was ever written.
    Whole { node: String, past: Vec<Arc<PastEntry>> },
    /// What is needed at once.
    Hot(Hot),
}

#[derive(Serialize, Deserialize)]
struct Hot {
    node: String,
    /// How many batches were taken.
    entries: u64,
    accounts: BTreeMap<String, Balance>,
    openings: Vec<Applied>,
    /// The entries of each dossier that has not ended.
    open: Vec<Vec<PastEntry>>,
    /// The oldest first.
    late: Vec<Arc<Late>>,
    /// The hash that each idempotency key of these was last claimed for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    keys: BTreeMap<String, PaymentHash>,
    spends: Vec<StoredSpend>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_backup: bool,
    guards: Vec<String>,
}

/// A spend: when in milliseconds since 1970, how much, and the label of its payment.
#[derive(Serialize, Deserialize)]
struct StoredSpend(u64, Msat, #[serde(default)] Option<String>);

/// The books now. What is large is shared with them, not copied.
pub(crate) fn of(state: &State) -> BooksImage {
    let entries = state.journal.batches();
    let node = state.journal.node().to_owned();
    if let Some(memory) = state.past.memory() {
        let past = memory.entries.clone();
        let whole = move || Json::of(&Stored::Whole { node: node.clone(), past: past.clone() });
        return BooksImage::new(entries, whole);
    }
    let journal = state.journal.clone();
    let openings: Vec<Applied> = state.openings.values().cloned().collect();
    let open: Vec<Arc<Dossier>> = state.open.values().cloned().collect();
    let late: Vec<Arc<Late>> = state.late.all().cloned().collect();
    let (keys, spends) = (state.keys.clone(), state.spends.clone());
    let (guards, is_backup) = (state.guards.clone(), state.is_backup);
    BooksImage::new(entries, move || {
        let stored = |spend: &Spend| StoredSpend(spend.at.0, spend.msat, spend.label.clone());
        Json::of(&Stored::Hot(Hot {
            node: node.clone(),
            entries,
            accounts: journal.named_accounts(),
            openings: openings.clone(),
            open: open.iter().map(|dossier| dossier.lines.clone()).collect(),
            late: late.clone(),
            keys: keys.clone(),
            spends: spends.since(Timestamp(0)).map(stored).collect(),
            is_backup,
            guards: guards.texts().collect(),
        }))
    })
}

/// Brings the books of an image back.
///
/// # Errors
/// What is wrong with it, as a sentence: it is of other books, or does not add up.
pub(crate) fn restore(state: &mut State, from: &Json) -> Result<(), String> {
    let stored: Stored = from.decode().map_err(|error| format!("no image of books: {error}"))?;
    if state.journal.batches() > 0 {
        return Err("the books are in use already".to_owned());
    }
    // Books that leave the past to others take all of it too: they let go of it bit by bit.
    let (wanted, node) = match &stored {
        Stored::Whole { node, .. } => (true, node),
        Stored::Hot(hot) => (state.past.memory().is_none(), &hot.node),
    };
    let ours = state.journal.node();
    if !wanted || node != ours {
        return Err(format!("the image is of other books, of node `{node}`, ours are `{ours}`"));
    }
    match stored {
        Stored::Whole { past, .. } => restore_whole(state, &past)?,
        Stored::Hot(hot) => restore_hot(state, hot)?,
    }
    verify::sums(state).and_then(|()| verify::pending(state)).map_err(|error| error.to_string())
}

fn restore_whole(state: &mut State, past: &[Arc<PastEntry>]) -> Result<(), String> {
    for entry in past {
        let circumstances = Circumstances { entity: entry.entity, at: entry.at };
        let mut writer = Writer::new(state, circumstances);
        for line in &entry.lines {
            let fault = |error| format!("entry {} does not fit: {error}", entry.index);
            writer.write(line).map_err(fault)?;
        }
        let (changes, written) = writer.into_changes();
        state.apply(&entry.lines, circumstances, changes, written);
    }
    Ok(())
}

fn restore_hot(state: &mut State, hot: Hot) -> Result<(), String> {
    let node = hot.node;
    let named = hot.accounts.into_iter().map(|(name, balance)| {
        let account = Account::named(&node, &name);
        account.map(|it| (it, balance)).ok_or_else(|| format!("`{name}` is no account"))
    });
    let accounts: BTreeMap<Account, Balance> = named.collect::<Result<_, String>>()?;
    let channels = accounts.iter().filter(|(account, _)| account.is_channel());
    let unheld: Option<Vec<Msat>> = channels.map(|(_, balance)| unheld(*balance)).collect();
    let unheld = unheld.and_then(Msat::sum).ok_or("a channel is overdrawn")?;
    state.journal = Journal::restored(node.clone(), accounts, hot.entries, unheld);
    for applied in hot.openings {
        let channel = applied.channel().ok_or("an opening opens no channel")?;
        state.openings.insert(channel, applied);
    }
    (state.keys, state.is_backup) = (hot.keys, hot.is_backup);
    let guards = Guards::read(&hot.guards).ok_or("the guards are not as they were written")?;
    state.guards = guards;
    for late in hot.late {
        state.late.put(late);
    }
    for past in hot.open {
        let line = past.first().and_then(|entry| entry.lines.first());
        let hash = line.and_then(LedgerEntry::payment_hash).ok_or("an open dossier has no hash")?;
        let dossier = Dossier::of(&node, hash, past)?;
        dossier.payments.values().for_each(|paying| state.note_set_aside(paying));
        state.hold(hash, Arc::new(dossier));
    }
    let mut spends = Spends::default();
    for StoredSpend(at, msat, label) in hot.spends {
        spends.add(Spend { at: Timestamp(at), msat, label });
    }
    state.spends = spends;
    Ok(())
}
