//! A plugin process: JSON-RPC on stdin and stdout, in lightningd's framing.
//!
//! [`read`] takes requests off the pipe, however they are cut and glued, and hands them to a
//! [`Peer`] some at a time. Each comes with its [`Answer`], which is written through [`Out`], in
//! the order in which answers are given, with what is announced between them. What is broken is
//! answered with an error, and what is behind it is read. Who started the process is its owner:
//! there is no token.

mod out;

use crate::{
    INVALID_REQUEST, Limits,
    framing::{Objects, said_of},
    jsonrpc::{Message, Response},
};
use ecs_core::Json;
pub use out::{Answer, Out};
use std::{
    io::{self, ErrorKind, Read},
    ops::ControlFlow,
};

/// Bytes that are read at once.
const READ_BYTES: usize = 64 << 10;
/// So many bytes of a request that has too many are read nevertheless: it is answered with its id,
/// wherever that stands.
const READ_BYTES_MAX: usize = 64 << 20;
/// Most requests that are handed on at once.
const ASKED_MAX: usize = 32;

/// What was asked for, and the way back.
#[derive(Debug)]
pub struct Asked {
    /// Which method.
    pub method: String,
    /// Its params as they came: an array, an object, or none.
    pub params: Option<Json>,
    /// The way back.
    pub answer: Answer,
}

/// Whoever is asked over a pipe.
pub trait Peer {
    /// Takes some requests, in the order in which they came. Nothing more is read until this
    /// returns.
    fn take(&mut self, asked: Vec<Asked>);

    /// Hears a notification, behind the requests before it. `Break`: nothing more is read.
    fn hear(&mut self, method: &str, params: Option<&Json>) -> ControlFlow<()>;
}

/// Hands on what comes, until the input ends or the peer breaks it off. While more waits to be
/// written than may, nothing is read. The work is linear in what comes, whatever waits.
///
/// # Errors
/// The input can't be read.
pub fn read(
    mut input: impl Read,
    out: &Out,
    limits: &Limits,
    peer: &mut impl Peer,
) -> io::Result<()> {
    let mut objects = Objects::new(READ_BYTES_MAX.max(limits.request_bytes as usize));
    let mut bytes = vec![0; READ_BYTES];
    loop {
        let count = match input.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let came = Came { some: &bytes[..count], objects: &mut objects, out, limits };
        if came.hand_on(peer).is_break() {
            return Ok(());
        }
    }
}

/// What was read at once.
struct Came<'a> {
    some: &'a [u8],
    objects: &'a mut Objects,
    out: &'a Out,
    limits: &'a Limits,
}

impl Came<'_> {
    fn hand_on(mut self, peer: &mut impl Peer) -> ControlFlow<()> {
        let mut asked = Vec::new();
        loop {
            match self.objects.next(&mut self.some) {
                Ok(None) => break,
                Ok(Some(value)) => self.look_at(&value, &mut asked, peer)?,
                Err(broken) => {
                    let said = said_of(broken, &self.objects.begun(), self.limits);
                    self.refuse(said, &mut asked, peer);
                }
            }
            if asked.len() >= ASKED_MAX {
                self.give(&mut asked, peer);
            }
        }
        self.give(&mut asked, peer);
        ControlFlow::Continue(())
    }

    /// Gives the peer what there is.
    fn give(&self, asked: &mut Vec<Asked>, peer: &mut impl Peer) {
        if !asked.is_empty() {
            self.out.wait_for_room();
            peer.take(std::mem::take(asked));
        }
    }

    /// Says why something is no request, in its turn.
    fn refuse(&self, why: String, asked: &mut Vec<Asked>, peer: &mut impl Peer) {
        self.give(asked, peer);
        self.out.say(why);
    }

    fn look_at(
        &self,
        value: &[u8],
        asked: &mut Vec<Asked>,
        peer: &mut impl Peer,
    ) -> ControlFlow<()> {
        let request = match Message::read(value, self.limits) {
            Ok(Message::One(request)) => request,
            Ok(Message::Batch(_)) => {
                let why = "Invalid request: send requests one by one, not in an array";
                let refused = Response::refused(None, INVALID_REQUEST, why);
                self.refuse(refused.text(self.limits), asked, peer);
                return ControlFlow::Continue(());
            }
            Err(refused) => {
                let refused = refused.with_id_in(value);
                self.refuse(refused.text(self.limits), asked, peer);
                return ControlFlow::Continue(());
            }
        };
        let (method, params) = (request.method, request.params);
        if let Some(id) = request.id {
            asked.push(Asked { method, params, answer: self.out.answer(id) });
            return ControlFlow::Continue(());
        }
        self.give(asked, peer);
        peer.hear(&method, params.as_ref())
    }
}

#[cfg(test)]
mod tests;
