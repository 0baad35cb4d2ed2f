"""A client of payecs that shares no code with it: HTTP, WebSocket and unix socket by hand."""

import base64
import collections
import hashlib
import http.client
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import time

# How long anything may take here, in seconds.
PATIENCE_S = 60
# The daemon closes a connection that was silent for 10 s; one that was for half of it is not used.
IDLE_S = 5
# Which codes came over which transports.
SEEN = collections.defaultdict(set)


class Refused(Exception):
    """An error object of JSON-RPC."""

    def __init__(self, error):
        super().__init__(f"{error.get('code')} {error.get('message')} {error.get('data', '')}")
        self.code, self.message = error["code"], error["message"]
        self.data = error.get("data")


def check(is_so, *what):
    """Like `assert`, and also where Python leaves those out."""
    if not is_so:
        raise AssertionError(" ".join(str(one) for one in what))


def same(found, wanted, *what):
    check(found == wanted, *what, "\n  found ", found, "\n  wanted", wanted)


def request(method, params=None, ident=1):
    """The text of a request."""
    fields = {"jsonrpc": "2.0", "id": ident, "method": method}
    if params is not None:
        fields["params"] = params
    return json.dumps(fields).encode()


def connect_tcp(address):
    host, port = address.rsplit(":", 1)
    found = socket.create_connection((host, int(port)), PATIENCE_S)
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return found


def send_all(stream, data):
    """Sends, as far as the other side takes it."""
    try:
        stream.sendall(data)
    except ConnectionError:
        pass


def rest_of(stream):
    """Everything until the other side closes; nothing more where it does so roughly."""
    got = b""
    try:
        while piece := stream.recv(1 << 16):
            got += piece
    except ConnectionError:
        pass
    return got


class Transport:
    """What carries texts there and back."""

    name = ""

    def ask(self, body):
        """The answer to a text, as text; `None` where there is none."""
        raise NotImplementedError

    def answer(self, body):
        """The answer to a text, read; its codes are noted."""
        text = self.ask(body)
        if text is None:
            return None
        return self.read(text)

    def read(self, text):
        found = json.loads(text)
        for one in found if isinstance(found, list) else [found]:
            if "error" in one:
                SEEN[one["error"]["code"]].add(self.name)
        return found

    def call(self, method, *params, **named):
        """Calls by position or by name."""
        check(not (params and named), "by position or by name")
        given = named if named else list(params)
        found = self.answer(request(method, given, f"{method} ✓"))
        same(found.get("id"), f"{method} ✓", method)
        same(found.get("jsonrpc"), "2.0", method)
        if "error" in found:
            raise Refused(found["error"])
        return found["result"]

    def code(self, method, *params, **named):
        """What a call is refused with; 0 where it is not."""
        try:
            self.call(method, *params, **named)
        except Refused as refused:
            return refused.code
        return 0


class Http(Transport):
    """One connection that is kept, and made anew where it lay idle: the daemon closes such ones."""

    name = "http"

    def __init__(self, daemon, token=None):
        self.daemon, self.token = daemon, daemon.cookie() if token is None else token
        self.connection = http.client.HTTPConnection(daemon.address, timeout=PATIENCE_S)
        self.used_s = time.monotonic()

    def head(self, **others):
        head = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        head.update((name.replace("_", "-"), value) for name, value in others.items())
        return {name: value for name, value in head.items() if value is not None}

    def post(self, body, path="/", verb="POST", **head):
        """Status and body."""
        if time.monotonic() - self.used_s > IDLE_S:
            self.connection.close()
        self.connection.request(verb, path, body, self.head(**head))
        answer = self.connection.getresponse()
        found = answer.status, answer.read()
        self.used_s = time.monotonic()
        return found

    def ask(self, body):
        status, text = self.post(body)
        check(status in (200, 204, 413), status, text)
        return text if status != 204 else None

    def raw(self, *pieces):
        """What comes back for bytes, until the other side closes."""
        with connect_tcp(self.daemon.address) as stream:
            for piece in pieces:
                send_all(stream, piece)
            return rest_of(stream)

    def close(self):
        self.connection.close()


class Unix(Transport):
    """The owner's socket, in Core Lightning's framing."""

    name = "unix"

    def __init__(self, daemon):
        self.stream = socket.socket(socket.AF_UNIX)
        self.stream.settimeout(PATIENCE_S)
        self.stream.connect(str(daemon.dir / "access/socket"))
        self.got = b""

    def send(self, body):
        send_all(self.stream, body)

    def next(self):
        """The next answer; `None` once the other side has closed."""
        while b"\n\n" not in self.got:
            try:
                piece = self.stream.recv(1 << 16)
            except ConnectionError:
                # It was closed with requests unread.
                piece = b""
            if not piece:
                same(self.got, b"", "half an answer")
                return None
            self.got += piece
        text, self.got = self.got.split(b"\n\n", 1)
        return text

    def ask(self, body):
        self.send(body)
        return self.next()

    def close(self):
        self.stream.close()


class WebSocket(Transport):
    """RFC 6455 by hand."""

    name = "websocket"
    TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

    def __init__(self, daemon, token=None, **head):
        token = daemon.cookie() if token is None else token
        self.stream = connect_tcp(daemon.address)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = {"Host": daemon.address, "Connection": "Upgrade", "Upgrade": "websocket",
                 "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key,
                 "Authorization": f"Bearer {token}"}
        lines.update((name.replace("_", "-"), value) for name, value in head.items())
        sent = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
        self.stream.sendall(f"GET / HTTP/1.1\r\n{sent}\r\n".encode())
        self.got = b""
        while b"\r\n\r\n" not in self.got:
            piece = self.stream.recv(4096)
            check(piece, "closed in the middle of the handshake", self.got)
            self.got += piece
        answer, self.got = self.got.split(b"\r\n\r\n", 1)
        self.status = int(answer.split()[1])
        if self.status == 101:
            proof = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
            check(base64.b64encode(proof) in answer, "the handshake proves nothing", answer)
        self.events, self.pongs = [], []

    @staticmethod
    def frame(payload, code=TEXT, final=True, masked=True, reserved=0):
        first = (128 if final else 0) | reserved << 4 | code
        mask_bit, size = (128 if masked else 0), len(payload)
        if size < 126:
            head = struct.pack("!BB", first, mask_bit | size)
        elif size < 1 << 16:
            head = struct.pack("!BBH", first, mask_bit | 126, size)
        else:
            head = struct.pack("!BBQ", first, mask_bit | 127, size)
        if not masked:
            return head + payload
        mask = os.urandom(4)
        whole = mask * (size // 4 + 1)
        hidden = int.from_bytes(payload, "big") ^ int.from_bytes(whole[:size], "big")
        return head + mask + hidden.to_bytes(size, "big")

    def send(self, body):
        send_all(self.stream, self.frame(body))

    def take(self, count):
        while len(self.got) < count:
            try:
                piece = self.stream.recv(1 << 16)
            except ConnectionError:
                piece = b""
            if not piece:
                return None
            self.got += piece
        taken, self.got = self.got[:count], self.got[count:]
        return taken

    def frame_in(self):
        """The next frame: its kind and what it has; `None` once the other side has closed."""
        head = self.take(2)
        if head is None:
            return None
        check(head[0] & 128 and not head[0] & 112, "a frame in pieces or with reserved bits")
        check(not head[1] & 128, "a server masks nothing")
        size = head[1] & 127
        if size > 125:
            wide = {126: ("!H", 2), 127: ("!Q", 8)}[size]
            size, = struct.unpack(wide[0], self.take(wide[1]))
        return head[0] & 15, self.take(size)

    def next(self):
        """The next answer. `None`: closed in silence; an integer: closed with that code."""
        while True:
            found = self.frame_in()
            if found is None:
                return None
            code, body = found
            if code == self.PING:
                send_all(self.stream, self.frame(body, self.PONG))
            elif code == self.PONG:
                self.pongs.append(body)
            elif code == self.CLOSE:
                return struct.unpack("!H", body[:2])[0] if len(body) > 1 else 1005
            elif b'"subscription"' in body and b'"method"' in body:
                self.events.append(json.loads(body))
            else:
                return body

    def ask(self, body):
        self.send(body)
        return self.next()

    def close(self):
        self.stream.close()


class Daemon:
    """`payecs serve` on a directory."""

    def __init__(self, binary, place, *options, listen="127.0.0.1:0", speed="10", env=None):
        self.binary, self.dir = binary, pathlib.Path(place)
        self.options = [*options, "--listen", listen, "--speed", speed]
        self.env = {**os.environ, **(env or {})}
        self.address, self.process = "", None

    def command(self, *args):
        return [self.binary, *args, "--data-dir", str(self.dir)]

    def run(self, *args):
        """Runs a command of the binary on the directory: exit code, and both streams."""
        done = subprocess.run(self.command(*args), capture_output=True, text=True, check=False,
                              timeout=PATIENCE_S, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout + done.stderr

    def start(self):
        """Starts it; it serves when this returns."""
        self.process = subprocess.Popen(
            self.command("serve", "--nodes", "30", *self.options), env=self.env,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        told = self.process.stdout.readline()
        if not told.startswith("payecs serves http://"):
            raise AssertionError(f"{told}{self.process.communicate()[1]}")
        self.address = told.split("http://")[1].split()[0]
        return self

    def refusal(self):
        """How a start ends that must fail: exit code and what it says."""
        done = subprocess.run(self.command("serve", *self.options), capture_output=True,
                              text=True, timeout=PATIENCE_S, check=False, env=self.env)
        return done.returncode, done.stderr

    def cookie(self):
        return (self.dir / "access/cookie").read_text().strip()

    def kill(self):
        self.end(signal.SIGKILL)

    def stop(self):
        same(self.end(signal.SIGTERM), 0, "a stop that was asked for")

    def end(self, how):
        if self.process is None or self.process.poll() is not None:
            return None
        self.process.send_signal(how)
        code = self.process.wait(PATIENCE_S)
        for stream in (self.process.stdout, self.process.stderr):
            stream.close()
        return code

    def token(self, name, *options):
        code, said = self.run("token", "create", name, *options)
        same(code, 0, said)
        return said.strip()


def until(what, look):
    """Looks again and again until something is so; what was seen."""
    since = time.monotonic()
    while True:
        found = look()
        if found:
            return found
        check(time.monotonic() - since < PATIENCE_S, "waited in vain:", what)
        time.sleep(0.02)
