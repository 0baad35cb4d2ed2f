//! A client that asks the same again and again, of raw bytes.

use crate::servers::{ANSWER, CALL, Peer};
use std::{
    io::{Read, Write},
    net::TcpStream,
};

/// How a client calls.
#[derive(Clone, Copy)]
pub(crate) enum Via {
    Http,
    WebSocket,
}

impl Via {
    /// Its name in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::WebSocket => "WebSocket",
        }
    }
}

/// What a WebSocket may say before an answer.
const PING: [u8; 2] = [0x89, 0];

/// A connection that stays open.
pub(crate) struct Client {
    stream: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Client {
    /// Connects, and calls once to know how long an answer is.
    pub(crate) fn connect(peer: &Peer, via: Via) -> Self {
        let mut stream = TcpStream::connect(peer.address).unwrap();
        stream.set_nodelay(true).unwrap();
        let head = format!("Host: {}\r\nAuthorization: Bearer {}\r\n", peer.address, peer.token);
        let request = match via {
            Via::Http => format!(
                "POST / HTTP/1.1\r\n{head}Content-Type: application/json\r\n\
                 Content-Length: {}\r\n\r\n{CALL}",
                CALL.len()
            )
            .into_bytes(),
            Via::WebSocket => {
                let open = format!(
                    "GET / HTTP/1.1\r\n{head}Connection: Upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Version: 13\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                );
                stream.write_all(open.as_bytes()).unwrap();
                until(&mut stream, b"\r\n\r\n");
                let length = u8::try_from(CALL.len()).unwrap();
                assert!(length < 126, "a short frame");
                [&[0x81, 0x80 | length, 0, 0, 0, 0], CALL.as_bytes()].concat()
            }
        };
        stream.write_all(&request).unwrap();
        let answer = until(&mut stream, ANSWER.as_bytes());
        let skipped = if answer.starts_with(&PING) { PING.len() } else { 0 };
        Self { stream, request, answer: answer[skipped..].to_vec() }
    }

    /// Asks once and reads the answer.
    pub(crate) fn call(&mut self) {
        self.stream.write_all(&self.request).unwrap();
        self.stream.read_exact(&mut self.answer).unwrap();
        if self.answer.starts_with(&PING) {
            self.answer.rotate_left(PING.len());
            let from = self.answer.len() - PING.len();
            self.stream.read_exact(&mut self.answer[from..]).unwrap();
        }
        // The end of it, as the date in a head changes.
        assert!(self.answer.ends_with(ANSWER.as_bytes()), "{:?}", self.answer.utf8_chunks().next());
    }
}

/// What comes, up to and with that.
fn until(stream: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let (mut said, mut byte) = (Vec::new(), [0]);
    while !said.ends_with(end) {
        stream.read_exact(&mut byte).unwrap();
        said.extend(byte);
    }
    said
}
