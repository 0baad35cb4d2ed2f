"""Calls of payecs over WebSocket, HTTP or the owner's socket: what payecs_client is made of."""

import base64
import hashlib
import http.client
import json
import os
import pathlib
import socket
import struct

# How long an answer may take beyond what was asked for, in seconds.
PATIENCE_S = 30
# How long one long poll waits, in seconds of the daemon's network.
POLL_S = 30


class Refused(Exception):
    """The daemon refuses a call: an error object of JSON-RPC. docs/ERRORS.md says what to do."""

    def __init__(self, error):
        super().__init__(f"{error['code']}: {error['message']}")
        self.code, self.message = error["code"], error["message"]
        self.data = error.get("data") or {}


class Gone(Exception):
    """There is no daemon, or no longer. What was called may have been done."""


class Denied(Exception):
    """The daemon does not know the token."""


class Place:
    """Where the daemon is and what lets us in. Both change when it starts again: so they are
    looked up for each connection."""

    def __init__(self, data_dir=None, address=None, token_file=None, way="ws"):
        self.data_dir = pathlib.Path(data_dir) if data_dir else None
        self.fixed, self.token_file, self.way = address, token_file, way

    @staticmethod
    def options(parser):
        """Adds the options that say where."""
        group = parser.add_argument_group("where the daemon is")
        add = group.add_argument
        add("--data-dir", default=os.environ.get("PAYECS_DATA_DIR"), metavar="DIR",
            help="what `payecs serve` keeps: its address is in it. Default: $PAYECS_DATA_DIR")
        add("--address", metavar="HOST:PORT", help="in place of --data-dir")
        add("--token-file", metavar="FILE",
            help="a file with the token. Default: $PAYECS_TOKEN, else the owner's in the data "
                 "directory, which may do everything")
        add("--connect", choices=("ws", "http", "unix"), default="ws",
            help="WebSocket (the default), HTTP, or the owner's socket in the data directory")

    @classmethod
    def of(cls, options):
        """The place that the options say; ends the program where they say none."""
        if not options.data_dir and (options.connect == "unix" or not options.address):
            raise SystemExit("error: name the data directory of the daemon with --data-dir")
        return cls(options.data_dir, options.address, options.token_file, options.connect)

    @staticmethod
    def _read(path):
        try:
            return pathlib.Path(path).read_text(encoding="utf-8").strip()
        except OSError as fault:
            raise Gone(f"{path}: {fault.strerror}: does the daemon run?") from fault

    def address(self):
        return self.fixed or self._read(self.data_dir / "access/address")

    def token(self):
        if self.token_file:
            return self._read(self.token_file)
        given = os.environ.get("PAYECS_TOKEN")
        if given or not self.data_dir:
            return given or ""
        return self._read(self.data_dir / "access/cookie")

    def connect(self):
        """A connection. Raises Gone or Denied."""
        kinds = {"ws": WebSocket, "http": Http, "unix": Unix}
        try:
            return kinds[self.way](self)
        except (OSError, http.client.HTTPException) as error:
            raise Gone(f"no connection: {error}") from error


class Client:
    """Calls over one connection."""

    def call(self, method, **params):
        """The answer to a call. Raises Refused, Gone or Denied."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        try:
            answer = self._ask(json.dumps(body).encode())
        except (OSError, http.client.HTTPException) as error:
            raise Gone(f"the connection ended: {error}") from error
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["result"]

    def read(self, entity, *components):
        """Those Components of an Entity, by name; None for one that is not attached."""
        return self.call("payecs_getcomponents", entity=entity, components=list(components))

    def works(self, systems):
        """The invocations of these Systems, one after the other, without end."""
        while True:
            found = self.call("payecs_invocations", systems=systems, timeout=POLL_S)
            yield from found["invocations"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Http(Client):
    """A connection for each call: one that is kept is closed after ten seconds of silence, and work
    may take longer."""

    def __init__(self, place):
        self.address = place.address()
        self.head = {"Authorization": f"Bearer {place.token()}",
                     "Content-Type": "application/json", "Connection": "close"}

    def _ask(self, body):
        connection = http.client.HTTPConnection(self.address, timeout=POLL_S + PATIENCE_S)
        try:
            connection.request("POST", "/", body, self.head)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status == 401:
            raise Denied("the daemon does not know the token")
        if answer.status != 200:
            raise Gone(f"HTTP status {answer.status}: {text.decode(errors='replace').strip()}")
        return json.loads(text)

    def close(self):
        pass


class Unix(Client):
    """The owner's socket: JSON values, each answer ended by an empty line."""

    def __init__(self, place):
        self.stream = socket.socket(socket.AF_UNIX)
        self.stream.settimeout(POLL_S + PATIENCE_S)
        self.stream.connect(str(place.data_dir / "access/socket"))
        self.got = b""

    def _ask(self, body):
        self.stream.sendall(body)
        while b"\n\n" not in self.got:
            piece = self.stream.recv(1 << 16)
            if not piece:
                raise Gone("the daemon closed the connection")
            self.got += piece
        text, self.got = self.got.split(b"\n\n", 1)
        return json.loads(text)

    def close(self):
        self.stream.close()


class WebSocket(Client):
    """RFC 6455, as far as it is needed. Who goes away is noticed at once, and what it had is given
    to the next: so this is the best way to serve."""

    TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
    PROOF = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

    def __init__(self, place):
        address = place.address()
        host, port = address.rsplit(":", 1)
        self.stream = socket.create_connection((host.strip("[]"), int(port)), PATIENCE_S)
        self.got, self.waiting = b"", []
        key = base64.b64encode(os.urandom(16)).decode()
        self.stream.sendall(
            f"GET / HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            f"Authorization: Bearer {place.token()}\r\n\r\n".encode())
        while b"\r\n\r\n" not in self.got:
            self._more()
        head, self.got = self.got.split(b"\r\n\r\n", 1)
        status = head.split()[1]
        if status == b"401":
            raise Denied("the daemon does not know the token")
        proof = base64.b64encode(hashlib.sha1((key + self.PROOF).encode()).digest())
        if status != b"101" or proof not in head:
            raise Gone(f"no WebSocket: {head.splitlines()[0].decode(errors='replace')}")

    def _more(self):
        piece = self.stream.recv(1 << 16)
        if not piece:
            raise Gone("the daemon closed the connection")
        self.got += piece

    def _take(self, count):
        while len(self.got) < count:
            self._more()
        taken, self.got = self.got[:count], self.got[count:]
        return taken

    def _send(self, payload, kind=TEXT):
        size, mask = len(payload), os.urandom(4)
        if size < 126:
            head = struct.pack("!BB", 128 | kind, 128 | size)
        elif size < 1 << 16:
            head = struct.pack("!BBH", 128 | kind, 128 | 126, size)
        else:
            head = struct.pack("!BBQ", 128 | kind, 128 | 127, size)
        hidden = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        self.stream.sendall(head + mask + hidden)

    def _next(self):
        """The next message."""
        while True:
            kind, size = self._take(2)
            size &= 127
            if size > 125:
                size, = struct.unpack("!H" if size == 126 else "!Q",
                                      self._take(2 if size == 126 else 8))
            payload = self._take(size)
            if kind & 15 == self.PING:
                self._send(payload, self.PONG)
            elif kind & 15 == self.CLOSE:
                raise Gone("the daemon closed the connection")
            elif kind & 15 == self.TEXT:
                return json.loads(payload)

    def _ask(self, body):
        self._send(body)
        while True:
            found = self._next()
            if "method" not in found:
                return found
            self.waiting.append(found)

    def works(self, systems):
        """The invocations of these Systems, one after the other, until we serve none of them any
        more: Refused then."""
        self.call("payecs_serve", systems=systems)
        # The daemon pings twice in this time.
        self.stream.settimeout(2 * PATIENCE_S)
        try:
            while True:
                found = self.waiting.pop(0) if self.waiting else self._next()
                if found.get("method") == "payecs_system_invoke":
                    work = found["params"]["result"]
                    if "ended" in work:
                        raise Refused(work["ended"])
                    yield work
        except OSError as error:
            raise Gone(f"the connection ended: {error}") from error

    def close(self):
        self.stream.close()
