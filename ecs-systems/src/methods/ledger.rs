//! What the books say.

use super::{books, kinds};
use crate::port::{Balance, BalanceObject, BooksReader, HistoryError, PastEntry, PastLook};
use crate::refusal::from_ledger;
use ecs_core::{
    Args, Engine, ErrorObject, Fields, Json, Kind, Method, Reply, Scope, did_you_mean,
    method::CHECK_KINDS, optional,
};
use payecs_units::{Msat, PaymentHash};
use std::num::NonZeroU32;

/// Entries of one answer where no limit is given.
const LISTED_DEFAULT: u32 = 100;
/// Most entries of one answer.
const LISTED_MAX: u32 = 1_000;
/// Most accounts that are named where another one was asked for.
const ACCOUNTS_SHOWN_MAX: usize = 100;
/// Longest name of an account that is shown to whoever asked for it, in characters.
const ACCOUNT_SHOWN_CHARS_MAX: usize = 128;

pub(super) const LEDGER_BALANCE: Method = Method {
    name: "ledger-balance",
    params: &[optional("account", ACCOUNT)],
    scope: Scope::Read,
    errors: &[209],
    result: r#"{"incoming_total_msat", "outgoing_total_msat", "fees_paid_msat", "net_msat",
        "pending_incoming_msat", "pending_outgoing_msat", "reserved_fees_msat", "spendable_msat",
        "available_msat", "incoming_total_sats", …, "available_sats", "accounts": [{"account",
        "debits_pending_msat", "debits_posted_msat", "credits_pending_msat",
        "credits_posted_msat"}, …]}"#,
    doc: "What the books come to: all that came in and went out, what is set aside, and what can \
          be spent; `net` is in less out less fees, `available` is net less what is pending out. \
          Each figure also in sats, rounded down. `accounts`, by name: every one with postings, or \
          `account` alone. One that nothing was posted to is refused, and `data.accounts` says \
          which there are, 100 at most.",
    handle: ledger_balance,
    check: |engine, args| balances(engine, args).map(drop),
};

pub(super) const LEDGER_LIST: Method = Method {
    name: "ledger-list",
    params: &[
        optional("payment_hash", kinds::HASH),
        optional("start", Kind::COUNT.saying("an integer: the first index that is listed")),
        optional("limit", kinds::LIMIT),
    ],
    scope: Scope::Read,
    errors: &[209, 2321, 2322],
    result: r#"{"entries": [{"index", "recorded_at", "entity": id, "lines": [{"entry": kind, …},
        …], "postings": [{"entry_id", "tx_id", "debit_account", "credit_account", "amount_msat",
        "code", "state": "pending", "posted" or "voided", "pending_id", "entity", "payment_hash",
        "groupid", "partid", "recorded_at"}, …]}, …], "next": index}"#,
    doc: "Lists the entries of the ledger in the order in which they were written, from index \
          `start` on, counted from 1: what each says (`lines`, without preimages) and what was \
          posted for it. With `payment_hash`, those about it. 100 entries where there is no \
          `limit`, 1000 at most. `next`, where there is more, is the `start` of the next page. \
          What is written meanwhile changes no page that was given.",
    handle: ledger_list,
    check: CHECK_KINDS,
};

const ACCOUNT: Kind = Kind::TEXT.saying("the name of an account: `NODE:ACCOUNT`");

fn ledger_balance(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let (books, accounts) = (books(engine)?, balances(engine, args)?);
    let mut fields = figures(&books.0.balance_object());
    let accounts = accounts.into_iter().map(|(name, balance)| account(&name, balance));
    fields.push(("accounts".to_owned(), Json::array(accounts)));
    Ok(Json::object(fields).into())
}

/// The accounts that are asked for.
fn balances(engine: &Engine, args: &Args<'_>) -> Result<Vec<(String, Balance)>, ErrorObject> {
    let mut all = books(engine)?.0.trial_balance();
    let Some(asked) = args.read::<String>("account")? else { return Ok(all) };
    if let Some(at) = all.iter().position(|(name, _)| *name == asked) {
        return Ok(vec![all.swap_remove(at)]);
    }
    let hint = did_you_mean(all.iter().map(|(name, _)| name.as_str()), &asked);
    let shown: String = asked.chars().take(ACCOUNT_SHOWN_CHARS_MAX).collect();
    let names = all.iter().map(|(name, _)| Json::of(name)).take(ACCOUNTS_SHOWN_MAX);
    let facts = Json::object([("accounts", Json::array(names))]);
    let what = format!("nothing was posted to an account `{shown}`{hint}");
    Err(ErrorObject::invalid(what).with_data(&facts))
}

fn account(name: &str, balance: Balance) -> Json {
    let name = [("account".to_owned(), Json::of(name))];
    Json::object(name.into_iter().chain(Json::of(&balance).entries().unwrap_or_default()))
}

/// Each figure in msat, then each in sats.
fn figures(balance: &BalanceObject) -> Fields {
    let wide = |msat: Msat| i128::from(msat.0);
    let figures = [
        ("incoming_total", wide(balance.incoming_total_msat)),
        ("outgoing_total", wide(balance.outgoing_total_msat)),
        ("fees_paid", wide(balance.fees_paid_msat)),
        ("net", balance.net_msat),
        ("pending_incoming", wide(balance.pending_incoming_msat)),
        ("pending_outgoing", wide(balance.pending_outgoing_msat)),
        ("reserved_fees", wide(balance.reserved_fees_msat)),
        ("spendable", wide(balance.spendable_msat)),
        ("available", balance.available_msat),
    ];
    let msat = figures.iter().map(|(name, msat)| (format!("{name}_msat"), Json::of(msat)));
    let sats = figures
        .iter()
        .map(|(name, msat)| (format!("{name}_sats"), Json::of(&msat.div_euclid(1_000))));
    msat.chain(sats).collect()
}

fn ledger_list(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let books = books(engine)?;
    let hash = args.read::<PaymentHash>("payment_hash")?;
    let from = args.read::<u64>("start")?.unwrap_or(1).saturating_sub(1);
    let limit = args.read::<NonZeroU32>("limit")?.map_or(LISTED_DEFAULT, NonZeroU32::get);
    let limit = limit.min(LISTED_MAX) as usize;
    let reader = books.0.reader();
    Ok(Reply::Elsewhere(Box::new(move || {
        let listed = list(&reader, hash, from, limit);
        listed.map_err(|error| from_ledger(&error.into()))
    })))
}

fn list(
    reader: &BooksReader,
    hash: Option<PaymentHash>,
    from: u64,
    limit: usize,
) -> Result<Json, HistoryError> {
    let mut look = reader.look()?;
    let mut entries = match hash {
        None => look.entries(from, limit.saturating_add(1))?,
        Some(hash) => {
            let about = |entry: &PastEntry| {
                entry.lines.iter().any(|line| line.payment_hash() == Some(hash))
            };
            let lines = look.lines_of(&hash)?.iter();
            lines.filter(|entry| entry.index >= from && about(entry)).cloned().collect()
        }
    };
    let next = entries.get(limit).map(|entry| entry.index.saturating_add(1));
    entries.truncate(limit);
    let told: Result<Vec<Json>, _> = entries.iter().map(|it| told(it, &mut look)).collect();
    let mut fields = vec![("entries", Json::array(told?))];
    fields.extend(next.map(|next| ("next", Json::of(&next))));
    Ok(Json::object(fields))
}

fn told(entry: &PastEntry, look: &mut PastLook<'_>) -> Result<Json, HistoryError> {
    let postings = look.postings(entry)?;
    Ok(Json::object([
        ("index", Json::of(&entry.index.saturating_add(1))),
        ("recorded_at", Json::of(&entry.at)),
        ("entity", entry.entity.as_ref().map_or_else(Json::null, Json::of)),
        ("lines", Json::array(entry.lines.iter().map(crate::port::LedgerEntry::shown))),
        ("postings", Json::of(&postings)),
    ]))
}
