//! Waiting for the next one to be made, to change or to go, whichever it is.

use super::{
    invoices,
    paycodes::{self, receipts},
};
use crate::port::{ReceiptCounts, ReceiptOrder, Receipts};
use ecs_core::{Args, Engine, ErrorObject, Fields, Json, Kind, Method, Reply, Scope, required};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

pub(super) const WAIT: Method = Method {
    name: "wait",
    params: &[
        required("subsystem", SUBSYSTEM),
        required("indexname", INDEX),
        required("nextvalue", Kind::COUNT.saying("an integer: the count that is waited for")),
    ],
    scope: Scope::Read,
    errors: &[209, 2340],
    result: r#"{"subsystem", "created" or "updated" or "deleted": count, "paycodes" or "invoices":
        {…} as in listpaycodes or listinvoices}"#,
    doc: "Answers once so many paycodes (`paycodes`, also those with an invoice) or invoices \
          (`invoices`) were made (`created`), changed (`updated`) or are gone (`deleted`), at once \
          where they are already. `nextvalue` 0 asks for the count as it is. Of one that was made \
          or changed as the count came to `nextvalue` it is told what it is now, unless it has \
          changed again or is gone. To be made is a change, to be paid, to expire, and to be \
          deleted. So `listinvoices` with `index` `updated` and `start` `nextvalue` lists all that \
          changed from then on.",
    handle: wait,
    check: |engine, args| receipts(engine).and_then(|_| Asked::of(args)).map(drop),
};

const SUBSYSTEM: Kind = Kind {
    shape: "`paycodes` or `invoices`: of payments, and of what was received, payecs_events tells",
    schema: r#"{"enum":["paycodes","invoices"]}"#,
    fits: |json| json.decode::<Subsystem>().is_ok(),
};

const INDEX: Kind = Kind {
    shape: "`created`, `updated` or `deleted`",
    schema: r#"{"enum":["created","updated","deleted"]}"#,
    fits: |json| json.decode::<Index>().is_ok(),
};

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Subsystem {
    Paycodes,
    Invoices,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Index {
    Created,
    Updated,
    Deleted,
}

/// What a caller waits for.
#[derive(Clone, Copy)]
struct Asked {
    subsystem: Subsystem,
    index: Index,
    next: u64,
    secrets: bool,
}

impl Asked {
    fn of(args: &Args<'_>) -> Result<Self, ErrorObject> {
        Ok(Self {
            subsystem: args.need("subsystem")?,
            index: args.need("indexname")?,
            next: args.need("nextvalue")?,
            secrets: args.caller().secrets,
        })
    }

    fn count(self, receipts: &dyn Receipts) -> u64 {
        let ReceiptCounts { created, updated, deleted, .. } =
            receipts.counts(self.subsystem == Subsystem::Invoices);
        match self.index {
            Index::Created => created,
            Index::Updated => updated,
            Index::Deleted => deleted,
        }
    }

    /// The order in which that is the place of one.
    fn order(self) -> Option<ReceiptOrder> {
        match (self.subsystem, self.index) {
            (Subsystem::Paycodes, Index::Created) => Some(ReceiptOrder::Created),
            (Subsystem::Paycodes, Index::Updated) => Some(ReceiptOrder::Updated),
            (Subsystem::Invoices, Index::Created) => Some(ReceiptOrder::InvoiceCreated),
            (Subsystem::Invoices, Index::Updated) => Some(ReceiptOrder::InvoiceUpdated),
            (_, Index::Deleted) => None,
        }
    }

    /// What has the place that was waited for, if it has it still.
    fn element(self, engine: &Engine, receipts: &dyn Receipts) -> Option<Json> {
        let order = self.order()?;
        let (place, hash) = *receipts.in_order(order, self.next, 1).first()?;
        let facts = receipts.facts(&hash).filter(|_| place == self.next)?;
        match self.subsystem {
            Subsystem::Paycodes => Some(paycodes::element(engine, &facts, self.secrets)),
            Subsystem::Invoices => invoices::element(engine, &facts, self.secrets),
        }
    }

    fn told(self, engine: &Engine, receipts: &dyn Receipts) -> Json {
        let subsystem = Json::of(&self.subsystem);
        let text = |json: &Json| json.as_str().map(Cow::into_owned).unwrap_or_default();
        let element = self.element(engine, receipts).map(|it| (text(&subsystem), it));
        let count = (text(&Json::of(&self.index)), Json::of(&self.count(receipts)));
        let named = ("subsystem".to_owned(), subsystem);
        Json::object([named, count].into_iter().chain(element).collect::<Fields>())
    }
}

fn wait(_: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let asked = Asked::of(args)?;
    let look = move |engine: &Engine| match receipts(engine) {
        Ok(receipts) if asked.count(receipts) < asked.next => None,
        Ok(receipts) => Some(Ok(asked.told(engine, receipts).into())),
        Err(error) => Some(Err(error)),
    };
    Ok(Reply::waiting(look, None))
}
