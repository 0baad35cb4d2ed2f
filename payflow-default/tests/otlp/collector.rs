//! A collector on this machine, as tests need one: it keeps the spans it is sent.

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
};
use prost::Message as _;
use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// A span as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) trace: Vec<u8>,
    pub(crate) id: Vec<u8>,
    /// Empty: it is a root.
    pub(crate) parent: Vec<u8>,
    pub(crate) name: String,
    /// Attributes, with numbers as text.
    pub(crate) fields: BTreeMap<String, String>,
    /// Whether its status is an error.
    pub(crate) failed: bool,
}

impl Sent {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}

/// Everything that was sent.
#[derive(Debug, Default)]
struct Kept {
    spans: Vec<Sent>,
    /// Bodies as they came.
    bodies: Vec<Vec<u8>>,
    /// Head of the last request.
    head: String,
    /// What the sender says of itself.
    resource: BTreeMap<String, String>,
}

/// A collector that takes what it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Collector {
    address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
}

impl Collector {
    /// One at a free port.
    pub(crate) fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().expect("it is an address"))
    }

    /// One that listens there, for the rest of the process.
    pub(crate) fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).expect("the port is free");
        let address = listener.local_addr().expect("it listens");
        let kept = Arc::new(Mutex::new(Kept::default()));
        let collector = Self { address, kept: Arc::clone(&kept) };
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let kept = Arc::clone(&kept);
                thread::spawn(move || serve(&stream, &kept));
            }
        });
        collector
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn spans(&self) -> Vec<Sent> {
        self.kept.lock().expect("no panic").spans.clone()
    }

    pub(crate) fn head(&self) -> String {
        self.kept.lock().expect("no panic").head.clone()
    }

    pub(crate) fn resource(&self) -> BTreeMap<String, String> {
        self.kept.lock().expect("no panic").resource.clone()
    }

    /// Whether any body has these bytes somewhere.
    pub(crate) fn was_sent(&self, bytes: &[u8]) -> bool {
        let kept = self.kept.lock().expect("no panic");
        kept.bodies.iter().any(|body| body.windows(bytes.len()).any(|window| window == bytes))
    }
}

/// Takes requests of a connection until it ends.
fn serve(stream: &TcpStream, kept: &Mutex<Kept>) {
    let mut reader = BufReader::new(stream);
    while let Some((head, body)) = request(&mut reader) {
        keep(&mut kept.lock().expect("no panic"), head, body);
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        if { stream }.write_all(answer).is_err() {
            return;
        }
    }
}

/// One request: its head, and as much body as it says; `None`: the connection is over.
fn request(reader: &mut BufReader<&TcpStream>) -> Option<(String, Vec<u8>)> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        if line == "\r\n" {
            break;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(number) = lower.strip_prefix("content-length:") {
            length = number.trim().parse().expect("it is a number");
        }
        head.push_str(&lower);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn keep(kept: &mut Kept, head: String, body: Vec<u8>) {
    let request = ExportTraceServiceRequest::decode(body.as_slice()).expect("it is protobuf");
    for of_resource in request.resource_spans {
        let resource = of_resource.resource.expect("it says who it is");
        kept.resource = fields(&resource.attributes);
        for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            kept.spans.push(Sent {
                fields: fields(&span.attributes),
                failed: span.status.is_some_and(|status| status.code == 2),
                trace: span.trace_id,
                id: span.span_id,
                parent: span.parent_span_id,
                name: span.name,
            });
        }
    }
    kept.bodies.push(body);
    kept.head = head;
}

fn fields(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "spans have texts and numbers alone")]
    let text = |value: &Value| match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        other => panic!("no span has such a value: {other:?}"),
    };
    let field = |pair: &KeyValue| {
        let value = pair.value.as_ref().and_then(|value| value.value.as_ref());
        (pair.key.clone(), value.map(text).unwrap_or_default())
    };
    attributes.iter().map(field).collect()
}
