//! What is told on a connection before calls of that connection are answered.

use crate::Given;
use std::sync::{Mutex, PoisonError};
use tokio::sync::watch;

/// The subscriptions of a connection that answers wait for.
#[derive(Debug, Default)]
pub(super) struct Streams(Mutex<Vec<Stream>>);

#[derive(Clone, Debug)]
struct Stream {
    given: Given,
    told: watch::Receiver<u64>,
}

/// How much a subscription has told. Answers wait for it until it is dropped.
#[derive(Debug)]
pub(super) struct Telling(watch::Sender<u64>);

impl Telling {
    pub(super) fn one_more(&self) {
        self.0.send_modify(|told| *told += 1);
    }
}

impl Streams {
    /// A subscription begins.
    pub(super) fn add(&self, given: Given) -> Telling {
        let (telling, told) = watch::channel(0);
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        streams.retain(|stream| stream.told.has_changed().is_ok());
        streams.push(Stream { given, told });
        Telling(telling)
    }

    /// Returns when everything is told that was given so far.
    pub(super) async fn told(&self) {
        let streams = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for Stream { given, mut told } in streams {
            let wanted = given.count();
            // Of a subscription that is over there is nothing more to wait for.
            let _over = told.wait_for(|told| *told >= wanted).await.is_err();
        }
    }
}
