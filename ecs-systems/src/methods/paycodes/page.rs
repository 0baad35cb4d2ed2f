//! Receipts page by page, with an invoice or without.

use super::receipts;
use crate::{
    methods::kinds,
    port::{ReceiptFacts, ReceiptOrder},
};
use ecs_core::{Args, Engine, ErrorObject, Fields, Json, Kind, Param, Reply, optional};
use payecs_units::PaymentHash;
use serde::Deserialize;

/// Most receipts of one answer.
const LISTED_MAX: usize = 1_000;
/// Most that are looked at for one.
const LOOKED_AT_MAX: usize = 10_000;
/// Most that are looked at in one go.
const AT_ONCE_MAX: usize = 256;

/// The params of a list.
pub(in crate::methods) const INDEX: Param = optional("index", INDEX_KIND);
pub(in crate::methods) const START: Param =
    optional("start", Kind::COUNT.saying("an integer: the first index that is listed"));
pub(in crate::methods) const LIMIT: Param = optional("limit", kinds::LIMIT);

const INDEX_KIND: Kind = Kind {
    shape: "`created` or `updated`",
    schema: r#"{"enum":["created","updated"]}"#,
    fits: |json| json.decode::<Index>().is_ok(),
};

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Index {
    Created,
    Updated,
}

/// Which part of a list is asked for.
#[derive(Clone, Copy)]
pub(in crate::methods) struct Page {
    /// The name of the list.
    pub(in crate::methods) name: &'static str,
    order: ReceiptOrder,
    start: u64,
    limit: usize,
}

impl Page {
    /// The page of `args`, in the order that is `created` there or `updated`.
    ///
    /// # Errors
    /// −32602: `start` or `limit` without `index`.
    pub(in crate::methods) fn of(
        name: &'static str,
        args: &Args<'_>,
        [created, updated]: [ReceiptOrder; 2],
    ) -> Result<Self, ErrorObject> {
        let index = args.read::<Index>("index")?;
        for name in ["start", "limit"] {
            if index.is_none() && args.given(name).is_some() {
                return Err(ErrorObject::invalid(format!("`{name}` needs `index`")));
            }
        }
        let limit = args.read::<u32>("limit")?.map_or(LISTED_MAX, |limit| limit as usize);
        Ok(Self {
            name,
            order: match index {
                Some(Index::Updated) => updated,
                Some(Index::Created) | None => created,
            },
            start: args.read("start")?.unwrap_or(0),
            limit: limit.min(LISTED_MAX),
        })
    }

    /// The one of a hash, if `tell` has something to say of it.
    pub(in crate::methods) fn one(
        self,
        facts: Option<&ReceiptFacts>,
        tell: impl FnOnce(&ReceiptFacts) -> Option<Json>,
    ) -> Reply {
        let is_behind = |facts: &&ReceiptFacts| {
            facts.place(self.order).is_some_and(|place| place >= self.start)
        };
        self.told(facts.filter(is_behind).and_then(tell), None).into()
    }

    /// Those of which `tell` has something to say.
    pub(in crate::methods) fn all(
        self,
        mut tell: impl FnMut(&Engine, &ReceiptFacts) -> Option<Json> + Send + 'static,
    ) -> Reply {
        let (mut from, mut looked_at, mut found) = (self.start, 0, Vec::new());
        Reply::in_steps(move |engine| {
            let receipts = match receipts(engine) {
                Ok(receipts) => receipts,
                Err(error) => return Some(Err(error)),
            };
            let some: Vec<(u64, PaymentHash)> = receipts.in_order(self.order, from, AT_ONCE_MAX);
            let is_all = some.len() < AT_ONCE_MAX;
            for (place, hash) in some {
                if found.len() == self.limit || looked_at == LOOKED_AT_MAX {
                    return Some(Ok(self.told(found.drain(..), Some(place)).into()));
                }
                (from, looked_at) = (place.saturating_add(1), looked_at + 1);
                found.extend(receipts.facts(&hash).and_then(|facts| tell(engine, &facts)));
            }
            is_all.then(|| Ok(self.told(found.drain(..), None).into()))
        })
    }

    fn told(self, found: impl IntoIterator<Item = Json>, next: Option<u64>) -> Json {
        let mut fields: Fields = vec![(self.name.to_owned(), Json::array(found))];
        fields.extend(next.map(|next| ("next".to_owned(), Json::of(&next))));
        Json::object(fields)
    }
}
