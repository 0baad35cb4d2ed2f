//! Programs that call a server as programs do: raw bytes over HTTP, WebSocket or a unix socket.

use std::{
    fmt,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::PathBuf,
};

/// Where a server is reached, and how.
#[derive(Clone, Debug)]
pub enum Door {
    /// HTTP, with a token.
    Http(SocketAddr, String),
    /// WebSocket, with a token.
    WebSocket(SocketAddr, String),
    /// A unix socket.
    Unix(PathBuf),
}

impl Door {
    /// How it is called.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Http(..) => "HTTP",
            Self::WebSocket(..) => "WebSocket",
            Self::Unix(_) => "unix socket",
        }
    }
}

/// How what is said is cut.
#[derive(Debug)]
enum Framing {
    /// With the head of every request, up to its length.
    Http(String),
    Frames,
    TwoNewlines,
}

trait Stream: Read + Write + Send {}
impl<S: Read + Write + Send> Stream for S {}

impl fmt::Debug for Caller {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Caller").finish_non_exhaustive()
    }
}

/// A connection that stays open, and hears one answer after the other.
pub struct Caller {
    stream: Box<dyn Stream>,
    framing: Framing,
    request: Vec<u8>,
    /// What came and was not given out yet.
    came: Vec<u8>,
    /// How much of it was given out last.
    given: usize,
}

/// Bytes that are read at once.
const READ_BYTES: usize = 16 << 10;

impl Caller {
    /// Connects, and opens a WebSocket where that is asked for.
    ///
    /// # Errors
    /// As the host says; or the server lets nobody in.
    pub fn connect(door: &Door) -> io::Result<Self> {
        match door {
            Door::Http(address, token) => {
                let head = format!(
                    "POST / HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
                     Content-Type: application/json\r\nContent-Length: "
                );
                Ok(Self::new(Box::new(tcp(*address)?), Framing::Http(head)))
            }
            Door::WebSocket(address, token) => {
                let mut caller = Self::new(Box::new(tcp(*address)?), Framing::Frames);
                write!(
                    caller.stream,
                    "GET / HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
                     Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                )?;
                caller.given = caller.upto(b"\r\n\r\n")?;
                if caller.came.starts_with(b"HTTP/1.1 101") {
                    return Ok(caller);
                }
                Err(io::Error::other(String::from_utf8_lossy(&caller.came).into_owned()))
            }
            Door::Unix(path) => {
                Ok(Self::new(Box::new(UnixStream::connect(path)?), Framing::TwoNewlines))
            }
        }
    }

    fn new(stream: Box<dyn Stream>, framing: Framing) -> Self {
        let (request, came) = (Vec::new(), Vec::with_capacity(READ_BYTES));
        Self { stream, framing, request, came, given: 0 }
    }

    /// Sends a request and waits for no answer.
    ///
    /// # Errors
    /// As the host says: the server may have closed.
    pub fn send(&mut self, text: &str) -> io::Result<()> {
        self.request.clear();
        match &self.framing {
            Framing::Http(head) => {
                write!(self.request, "{head}{}\r\n\r\n{text}", text.len())?;
            }
            Framing::TwoNewlines => self.request.extend_from_slice(text.as_bytes()),
            Framing::Frames => {
                match u16::try_from(text.len()) {
                    Ok(length @ 0..=125) => {
                        self.request.extend([0x81, 0x80 | length.to_be_bytes()[1]]);
                    }
                    Ok(length) => {
                        self.request.extend([0x81, 0xfe]);
                        self.request.extend(length.to_be_bytes());
                    }
                    Err(_) => {
                        self.request.extend([0x81, 0xff]);
                        self.request.extend((text.len() as u64).to_be_bytes());
                    }
                }
                // A mask of zeros.
                self.request.extend([0; 4]);
                self.request.extend_from_slice(text.as_bytes());
            }
        }
        self.stream.write_all(&self.request)
    }

    /// The next answer.
    ///
    /// # Errors
    /// As the host says; the server has closed; or what it says is no text.
    pub fn hear(&mut self) -> io::Result<&str> {
        let range = match self.framing {
            Framing::Http(_) => self.hear_http()?,
            Framing::Frames => self.hear_frame()?,
            Framing::TwoNewlines => {
                self.forget();
                let end = self.upto(b"\n\n")?;
                (0, end - 2, end)
            }
        };
        let (from, to, given) = range;
        self.given = given;
        str::from_utf8(&self.came[from..to]).map_err(io::Error::other)
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// As [`Caller::send`] and [`Caller::hear`].
    pub fn ask(&mut self, text: &str) -> io::Result<&str> {
        self.send(text)?;
        self.hear()
    }

    fn hear_http(&mut self) -> io::Result<(usize, usize, usize)> {
        self.forget();
        let head = self.upto(b"\r\n\r\n")?;
        let length = content_length(&self.came[..head]);
        let end = head + length.ok_or_else(|| io::Error::other("an answer without length"))?;
        self.fill(end)?;
        Ok((head, end, end))
    }

    /// The next frame with text; pings are passed over.
    fn hear_frame(&mut self) -> io::Result<(usize, usize, usize)> {
        loop {
            self.forget();
            self.fill(2)?;
            let (code, short) = (self.came[0], self.came[1]);
            let more = match short {
                126 => 2,
                127 => 8,
                _ => 0,
            };
            self.fill(2 + more)?;
            let long = self.came[2..2 + more].iter();
            let long = long.fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
            let length = if more == 0 { usize::from(short) } else { long };
            let end = 2 + more + length;
            self.fill(end)?;
            if code == 0x81 {
                return Ok((2 + more, end, end));
            }
            self.given = end;
        }
    }

    fn forget(&mut self) {
        self.came.drain(..std::mem::take(&mut self.given));
    }

    /// Reads until so much is there.
    fn fill(&mut self, bytes: usize) -> io::Result<()> {
        while self.came.len() < bytes {
            let before = self.came.len();
            self.came.resize(before + READ_BYTES, 0);
            let read = self.stream.read(&mut self.came[before..]);
            self.came.truncate(before + *read.as_ref().unwrap_or(&0));
            if read? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    /// Reads until that comes; where it ends.
    fn upto(&mut self, end: &[u8]) -> io::Result<usize> {
        let mut looked = 0;
        loop {
            let mut windows = self.came[looked..].windows(end.len());
            if let Some(at) = windows.position(|some| some == end) {
                return Ok(looked + at + end.len());
            }
            looked = self.came.len().saturating_sub(end.len() - 1);
            self.fill(self.came.len() + 1)?;
        }
    }
}

fn tcp(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn content_length(head: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"content-length: ";
    let named =
        |line: &&[u8]| line.get(..NAME.len()).is_some_and(|name| name.eq_ignore_ascii_case(NAME));
    let line = head.split(|byte| *byte == b'\n').find(named)?;
    str::from_utf8(&line[NAME.len()..]).ok()?.trim().parse().ok()
}
