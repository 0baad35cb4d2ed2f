"""Bad heads, bad frames and slow callers: who is let in, and how a connection ends."""

import json
import struct
import threading
import time

from rpc import Http, Unix, WebSocket, check, connect_tcp, request, rest_of, same, send_all, until

WRITE = request("payecs_setcomponents", [{"entity": 8, "acme:x": 1}])


def status_of(answer):
    """The status of an answer as it came; `None` where there is none."""
    return int(answer.split()[1]) if answer.startswith(b"HTTP/1.1 ") else None


def post(daemon, body=WRITE, path="/", verb="POST", **others):
    """A request as bytes; a field of its head that is `None` is left out."""
    head = {"Host": daemon.address, "Authorization": f"Bearer {daemon.cookie()}",
            "Content-Type": "application/json", "Content-Length": len(body),
            "Connection": "close"}
    head.update((name.replace("_", "-"), text) for name, text in others.items())
    lines = [f"{name}: {text}\r\n" for name, text in head.items() if text is not None]
    return f"{verb} {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode() + body


def tokens(daemon, guard):
    """What is no token that counts is 401, over HTTP and WebSocket, and in open ones too."""
    cookie, http = daemon.cookie(), Http(daemon)
    # Who was wrong ten times is held up.
    held_up = (401, 429)
    same(status_of(http.raw(post(daemon, Authorization="Bearer x"))), 401, "a wrong token")
    gone, over = daemon.token("gone", "--scope", "flow"), daemon.token("over", "--scope", "flow")
    readers = daemon.token("reader", "--scope", "read")
    open_one = WebSocket(daemon, gone)
    check(open_one.code("getinfo") == 1502, "it has `flow` alone")
    same(open_one.code("payecs_delentity", 8), 2204, "it counts")
    same(daemon.run("token", "revoke", "gone")[0], 0, "revoked")
    expire(daemon, "over")
    for what, bearer in [
            ("none", None), ("revoked", f"Bearer {gone}"), ("expired", f"Bearer {over}"),
            ("wrong", f"Bearer {cookie[:-1]}"), ("too long", f"Bearer {cookie}x"),
            ("empty", "Bearer "), ("Basic", f"Basic {cookie}")]:
        check(status_of(http.raw(post(daemon, Authorization=bearer))) in held_up, what)
        socket = WebSocket(daemon, Authorization=bearer)
        check(socket.status in held_up, "WebSocket", what)
        socket.close()
        guard.untouched("a token that is", what)
    for path in (f"/?token={cookie}", f"/?access_token={cookie}", f"/{cookie}"):
        found = status_of(http.raw(post(daemon, path=path, Authorization=None)))
        check(found in held_up, "a token in the URL", found)
    twice = post(daemon).replace(b"Host:", b"Authorization: Bearer x\r\nHost:")
    check(status_of(http.raw(twice)) in held_up, "two tokens")
    same(open_one.code("payecs_delentity", 8), 1502, "revoked while it was open")
    for kind in (Http, WebSocket):
        reader = kind(daemon, readers)
        same(reader.code("payecs_newentity"), 1502, kind.name)
        same(reader.code("pay", "x"), 1502, "before params are looked at")
        same(reader.code("check", "pay", "x"), 1502, "check")
        same(reader.code("payecs_listentities"), 0, "what it may do")
        reader.close()
    guard.untouched("tokens")
    throttled(daemon, http)


def expire(daemon, name):
    """Lets a token end a moment ago."""
    file = daemon.dir / "access/tokens.json"
    kept = json.loads(file.read_text())
    found = [one for one in kept if one["name"] == name]
    found[0]["expires_ms"] = int(time.time() * 1000) - 1
    file.write_text(json.dumps(kept))


def throttled(daemon, http):
    """Who guesses is held up, and nobody else."""
    guess = post(daemon, Authorization="Bearer payecs_guess")
    until("429", lambda: b" 429 " in (answer := http.raw(guess)) and b"retry-after" in
          answer.lower())
    same(status_of(http.raw(post(daemon, request("getinfo")))), 200, "a right token")


def heads(daemon, guard):
    """Foreign pages and machines are 403, other heads what they should be."""
    http, port = Http(daemon), daemon.address.rsplit(":", 1)[1]
    for what, status, sent in [
            ("a foreign page", 403, post(daemon, Origin="http://evil.example")),
            ("no page", 403, post(daemon, Origin="null")),
            ("a page of ours", 403, post(daemon, Origin=f"http://{daemon.address}")),
            ("a foreign machine", 403, post(daemon, Host=f"evil.example:{port}")),
            ("a machine that begins like ours", 403, post(daemon, Host=f"localhost.evil:{port}")),
            ("another port", 403, post(daemon, Host="127.0.0.1:1")),
            ("no Host", 403, post(daemon, Host=None)),
            ("a foreign place", 403, post(daemon, path=f"http://evil.example:{port}/")),
            ("preflight of a foreign page", 403,
             post(daemon, b"", verb="OPTIONS", Origin="http://evil.example")),
            ("another path", 404, post(daemon, path="/rpc")),
            ("nothing is measured", 404, post(daemon, b"", "/metrics", "GET")),
            ("another verb", 405, post(daemon, verb="PUT")),
            ("a GET", 405, post(daemon, b"", verb="GET")),
            ("another type", 415, post(daemon, Content_Type="text/plain")),
            ("a type of a form", 415,
             post(daemon, Content_Type="application/x-www-form-urlencoded")),
            ("no type", 415, post(daemon, Content_Type=None)),
            ("a head too large", 431, post(daemon, X="x" * (1 << 20))),
            ("too many fields", 431, post(daemon, **{f"X_{at}": at for at in range(200)})),
            ("two lengths", 400, post(daemon, content_length=3)),
            ("length and chunks", 400, post(daemon, Transfer_Encoding="chunked, x")),
            ("a length that is none", 400, post(daemon, Content_Length="-1")),
            ("another protocol", 400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")]:
        found = status_of(http.raw(sent))
        same(found, status, what)
        guard.untouched(what)
    whole = post(daemon, b"", Content_Length=None, Transfer_Encoding="chunked")
    chunks = b"".join(b"%x\r\n%c\r\n" % (1, one) for one in request("getinfo")) + b"0\r\n\r\n"
    same(status_of(http.raw(whole, chunks)), 200, "chunks of one byte")
    page = WebSocket(daemon, Origin="http://evil.example")
    same(page.status, 403, "a WebSocket of a foreign page")
    page.close()


def frames(daemon, guard):
    """A WebSocket that does not keep to RFC 6455 is closed; one that does, in any way, is heard."""
    ask, frame = request("getinfo"), WebSocket.frame
    some = (None, 1000, 1002)
    for what, codes, sent in [
            ("no mask", (1002,), frame(WRITE, masked=False)),
            ("reserved bits", some, frame(WRITE, reserved=4)),
            ("an unknown kind", some, frame(WRITE, 3)),
            ("an unknown control", some, frame(b"", 11)),
            ("a ping in pieces", some, frame(b"", WebSocket.PING, final=False)),
            ("a large ping", some, frame(b"x" * 126, WebSocket.PING)),
            ("a piece of nothing", some, frame(WRITE, 0)),
            ("a message in a message", some, frame(WRITE[:9], final=False) + frame(WRITE)),
            ("a size of 63 bits", (1009,), b"\x81\xff" + struct.pack("!Q", 1 << 62) + b"mask"),
            ("a size beyond", (1009,), b"\x81\xff" + struct.pack("!Q", 1 << 63) + b"mask"),
            ("a message of 1 MiB and a byte", (1009,), frame(b" " * ((1 << 20) + 1))),
            ("10 MiB", (1009,), frame(b" " * (10 << 20))),
            ("pieces of 1 MiB and a byte", (1009,), frame(b" " * (1 << 19), final=False)
             + frame(b" " * (1 << 19), 0, False) + frame(b" ", 0)),
            ("no UTF-8", (1007,), frame(WRITE.replace(b"jsonrpc", b"json\xffrpc"))),
            ("half of a letter, and the end", (1007,), frame(b'"\xc3')),
            ("no UTF-8 in a later piece", (1007,), frame(b'"', final=False) + frame(b"\xff", 0))]:
        socket = WebSocket(daemon)
        socket.stream.sendall(frame(ask))
        check(isinstance(socket.next(), bytes), "it is heard before")
        send_all(socket.stream, sent)
        found = socket.next()
        check(found in codes, what, found)
        once = codes is not some
        check(socket.next() in ((None,) if once else (None, 1000)), what, "it is told once")
        check(socket.next() is None, what, "it is closed")
        socket.close()
        guard.untouched(what)
    socket = WebSocket(daemon)
    pieces = [ask[at:at + 1] for at in range(len(ask))]
    sent = b"".join(frame(one, 1 if at == 0 else 0, at == len(ask) - 1)
                    + frame(b"%d" % at, WebSocket.PING) for at, one in enumerate(pieces))
    socket.stream.sendall(sent)
    check(b'"version"' in socket.next(), "pieces with pings between them")
    check(b'"version"' in socket.ask(ask), "after it")
    same(socket.pongs, [b"%d" % at for at in range(len(ask))], "each ping is answered")
    socket.stream.sendall(frame(ask, WebSocket.BINARY))
    check(b'"version"' in socket.next(), "a binary message")
    socket.stream.sendall(frame(b"", WebSocket.PONG) + frame(struct.pack("!H", 1000), 8))
    check(socket.next() in (1000, None), "a close is answered")
    socket.close()


def hang_ups(daemon, guard):
    """Who goes away in the middle, or says no more and listens, harms nobody."""
    whole = post(daemon)
    for upto in range(0, len(whole), 29):
        with connect_tcp(daemon.address) as stream:
            stream.sendall(whole[:upto])
    guard.untouched("heads and bodies that are cut short")
    with connect_tcp(daemon.address) as stream:
        stream.sendall(post(daemon, request("getinfo")))
        stream.shutdown(1)
        check(status_of(rest_of(stream)) in (200, None), "who says no more may be gone")
    unix = Unix(daemon)
    unix.send(request("getinfo"))
    unix.stream.shutdown(1)
    check(b'"version"' in unix.next() and unix.next() is None, "it is answered by the socket")
    many = [connect_tcp(daemon.address) for _ in range(200)]
    until("who has a token gets in beside strangers", lambda: status_of(Http(daemon).raw(
        post(daemon, request("getinfo")))) == 200)
    for stream in many:
        stream.close()


class Slow(threading.Thread):
    """Heads and bodies of which a byte comes now and then: heads, which show no token, are cut off
    after 3 s or for other strangers, bodies after 10 s."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        whole = post(daemon)
        body = whole.index(b"\r\n\r\n") + 4
        self.told, self.since = [], time.monotonic()
        self.streams = []
        for sent in (b"", whole[:9], whole[:body], whole[:body + 9]):
            stream = connect_tcp(daemon.address)
            stream.sendall(sent)
            self.streams.append((stream, iter(whole[len(sent):])))
        self.start()

    def run(self):
        waiting = list(self.streams)
        while waiting and time.monotonic() - self.since < 40:
            time.sleep(0.5)
            for stream, left in list(waiting):
                stream.setblocking(False)
                try:
                    answer = stream.recv(4096)
                    self.told.append((status_of(answer), time.monotonic() - self.since))
                    waiting.remove((stream, left))
                    stream.close()
                except BlockingIOError:
                    try:
                        stream.send(bytes([next(left)]))
                    except ConnectionError:
                        pass

    def end(self, guard):
        """All were cut off in time, and nothing was written."""
        self.join(45)
        same(len(self.told), 4, "all are cut off", self.told)
        for status, seconds in self.told:
            check(status is None and seconds < 9 or status == 408 and 9 < seconds < 40, self.told)
        same([status for status, _ in self.told].count(408), 2, "slow bodies are told", self.told)
        guard.untouched("slow callers")
