"""Bad texts: each is refused with its code and writes nothing, and the next right one is heard."""

import json
import re

import wire
from life import opened
from rpc import Http, Unix, WebSocket, check, request, same

NEW = request("payecs_newentity")
WRITE = request("payecs_setcomponents", [{"entity": 9, "acme:x": [1, "a", {"b": None}]}])
MANY = b"[" + b",".join([request("getinfo")] * 101) + b"]"
BATCH = b"[" + NEW.replace(b"newentity", b"advnce") + b",7," + request("payecs_wait", [3]) + b"]"
# What over WebSocket has no answer but a close.
CLOSED = "closed"


def with_field(field):
    return b'{"jsonrpc":"2.0","id":1,"method":"payecs_setcomponents",' + field + b"}"


def value(text):
    """A write of that value."""
    return with_field(b'"params":[{"entity":9,"acme:x":' + text + b"}]")


def ident(text):
    return NEW.replace(b'"id": 1', b'"id": ' + text).replace(b"newentity", b"advance")


# What it is, its text, the code, and where another transport answers otherwise. Over the unix
# socket a text that is no object and no array can't be read on, and over WebSocket it is no JSON.
TEXTS = [
    ("an object", b"{}", -32600, {"websocket": -32700}),
    ("a number", b"7", -32600, {"unix": -32700, "websocket": -32700}),
    ("a string", b'"payecs_newentity"', -32600, {"unix": -32700, "websocket": -32700}),
    ("null", b"null", -32600, {"unix": -32700, "websocket": -32700}),
    ("words", b"GET / HTTP/1.1\r\n\r\n", -32700, {}),
    ("an end", b"}", -32700, {}),
    ("two values", WRITE + b"]", -32700, {"unix": 0}),
    ("a comma too many", WRITE[:-1] + b",}", -32700, {}),
    ("single quotes", WRITE.replace(b'"', b"'"), -32700, {}),
    ("a bare NUL", value(b'"\0"'), -32700, {}),
    ("a NUL outside", value(b"\0"), -32700, {}),
    ("a bare newline in a string", value(b'"\n"'), -32700, {}),
    ("no UTF-8", value(b'"\xff\xfe"'), -32700, {"websocket": CLOSED}),
    ("half of a byte sequence", value(b'"\xc3"'), -32700, {"websocket": CLOSED}),
    ("half of a letter", value(rb'"\ud800"'), -32700, {}),
    ("a bad escape", value(rb'"\x41"'), -32700, {}),
    ("a number with a leading zero", value(b"01"), -32700, {}),
    ("a number without digits", value(b"-"), -32700, {}),
    ("no number", value(b"NaN"), -32700, {}),
    ("a number beyond measure", value(b"1e999999999"), -32700, {}),
    ("a number of 65 digits", value(b"9" * 65), -32700, {}),
    ("deep nesting", value(b"[" * 10_000 + b"]" * 10_000), -32700, {}),
    ("deep nesting that does not end", b"[" * 10_000, -32700, {}),
    ("10 MB", value(b'"' + b"x" * 10_000_000 + b'"'), -32007, {"websocket": CLOSED}),
    ("an empty batch", b"[]", -32600, {}),
    ("a batch too long", MANY, -32600, {"websocket": -32010}),
    ("a batch in a batch", b"[[" + WRITE + b"]]", [-32600], {}),
    ("a batch with everything", BATCH, [-32601, -32600, 2204], {}),
    ("no version", WRITE.replace(b'"jsonrpc": "2.0", ', b""), -32600, {}),
    ("another version", WRITE.replace(b"2.0", b"1.0"), -32600, {}),
    ("a version as a number", WRITE.replace(b'"2.0"', b"2.0"), -32600, {}),
    ("no method", b'{"jsonrpc":"2.0","id":1}', -32600, {}),
    ("a method that is a number", WRITE.replace(b'"payecs_setcomponents"', b"7"), -32600, {}),
    ("a method twice", with_field(b'"method":"payecs_newentity"'), -32600, {}),
    ("ids twice", with_field(b'"id":2'), -32600, {}),
    ("params twice", with_field(b'"params":[1],"params":[2]'), -32600, {}),
    ("params that are a number", with_field(b'"params":7'), -32602, {}),
    ("params that are text", with_field(b'"params":"[]"'), -32602, {}),
    ("params that are true", with_field(b'"params":true'), -32602, {}),
    ("no params", with_field(b'"params":null'), -32602, {}),
    ("a parameter twice", with_field(b'"params":{"writes":[],"writes":[]}'), -32602, {}),
    ("a Component twice", value(b'1,"acme:x":2'), -32602, {}),
    ("an Entity twice", value(b'1,"entity":2'), -32602, {}),
    ("a fractional id", ident(b"1.5"), -32600, {}),
    ("a negative id", ident(b"-1"), -32600, {}),
    ("an id of 65 bits", ident(b"18446744073709551616"), -32600, {}),
    ("an id beyond measure", ident(b"1e999999999"), -32700, {"websocket": -32600}),
    ("an id that is an array", ident(b"[]"), -32600, {}),
    ("an id that is an object", ident(b"{}"), -32600, {}),
    ("an id that is true", ident(b"true"), -32600, {}),
]

# Names that nothing has, and what is suggested.
NAMES = [
    ("payecs_advnce", "payecs_advance"), ("payecs_listentitys", "payecs_listentities"),
    ("Pay", "pay"), ("getinf", "getinfo"), ("lightningd", ""), ("pay\0", "pay"),
    ("payecs_newentity ", "payecs_newentity"), ("x" * 100_000, ""), ("\U0001f701\n" * 9, ""),
]

# Ids that come back as they came.
IDS = ["1", "0", "18446744073709551615", '"a"', '""', '"\\u0000"', '"é"', f'"{"x" * 4000}"',
       '"18446744073709551616"']


class Guard:
    """What the daemon has, to be the same after each bad thing."""

    def __init__(self, daemon):
        self.daemon, self.owner = daemon, Unix(daemon)
        self.before = self.look()

    def look(self):
        length, start = 0, 1
        while start:
            page = self.owner.call("ledger-list", start=start, limit=1000)
            length, start = length + len(page["entries"]), page.get("next")
        return length, self.owner.ask(request("payecs_listentities")), \
            self.owner.ask(request("ledger-balance"))

    def untouched(self, *what):
        """Nothing was written, and the owner is answered."""
        same(self.look(), self.before, "written by", *what)

    def taken(self):
        """What was written was right."""
        self.before = self.look()


def codes(answer):
    """The code of an answer, 0 where it is none; of a batch a list."""
    if isinstance(answer, list):
        return [codes(one) for one in answer]
    return answer["error"]["code"] if "error" in answer else 0


def asked(transport, body):
    """What a text is answered with."""
    if transport.name == "websocket":
        transport.send(body)
        text = transport.next()
        return CLOSED if text is None or isinstance(text, int) else codes(transport.read(text))
    answer = transport.answer(body)
    return CLOSED if answer is None else codes(answer)


def texts(daemon, guard):
    """Every bad text over every transport, each followed by a right one."""
    wrong = []
    for kind in (Http, WebSocket, Unix):
        transport = kind(daemon)
        for what, body, code, others in TEXTS:
            wanted = others.get(kind.name, code)
            if kind is Unix and what == "two values":
                continue
            try:
                found = asked(transport, body)
            except (ConnectionError, TimeoutError) as error:
                found = repr(error)
            if found != wanted:
                wrong.append((what, kind.name, found, wanted))
            ends = found == CLOSED or kind is Unix and found in (-32700, -32007)
            if ends or isinstance(found, str):
                check(kind is not Unix or isinstance(found, str) or transport.next() is None,
                      what, "ends the connection")
                transport.close()
                transport = kind(daemon)
            check("version" in transport.call("getinfo"), "the next request after", what)
        transport.close()
        guard.untouched(kind.name)
    same(wrong, [], "what, transport, found, wanted")


def cut_short(daemon, guard):
    """A right request cut at every byte."""
    for kind in (Http, WebSocket):
        transport = kind(daemon)
        for upto in range(len(WRITE)):
            same(asked(transport, WRITE[:upto]), -32700, kind.name, WRITE[:upto])
        transport.close()
    for upto in range(len(WRITE)):
        transport = Unix(daemon)
        transport.send(WRITE[:upto])
        transport.stream.shutdown(1)
        same(transport.next(), None, "half a request", WRITE[:upto])
        transport.close()
    guard.untouched("a request that is cut short")


def names_and_ids(daemon, guard):
    """Unknown methods are refused with a suggestion, and ids come back as they came."""
    for kind in (Http, WebSocket, Unix):
        transport = kind(daemon)
        for name, meant in NAMES:
            error = transport.answer(request(name))["error"]
            same(error["code"], -32601, kind.name, name[:80])
            check(f"`{meant}`?" in error["message"] if meant else "?" not in error["message"],
                  kind.name, name[:80], error)
            check(len(error["message"]) < 300, "a long name is cut")
        for one in IDS:
            text = transport.ask(request("getinfo").replace(b'"id": 1', f'"id": {one}'.encode()))
            same(json.loads(text)["id"], json.loads(one), kind.name, text)
        null = request("payecs_advance").replace(b'"id": 1', b'"id": null')
        same(codes(transport.answer(null)), -32602, kind.name, "null as an id")
        transport.close()
    guard.untouched("unknown names and ids")


def notifications(daemon, guard):
    """What has no id is done over HTTP and the unix socket, and refused over WebSocket."""
    for kind in (Http, WebSocket, Unix):
        transport = kind(daemon)
        note = request("payecs_setcomponents", [{"entity": 77, "acme:note": kind.name}])
        note = note.replace(b'"id": 1, ', b"")
        wrong = note.replace(b"setcomponents", b"setcomponent")
        if kind is WebSocket:
            same(codes(transport.answer(note)), -32600, "a notification")
            guard.untouched("a notification over WebSocket")
        else:
            if kind is Unix:
                transport.send(note + wrong)
            else:
                same([transport.ask(wrong), transport.ask(note)], [None, None], "no answer")
            found = transport.call("payecs_getcomponents", 77, "acme:note")["acme:note"]
            same(found, kind.name, "a notification is carried out")
            mixed = b"[" + note + b"," + request("getinfo", [], "b") + b"," + wrong + b"]"
            same([one["id"] for one in transport.answer(mixed)], ["b"], "answers of a batch")
            guard.taken()
        transport.close()
    guard.owner.call("payecs_delentity", 77)
    guard.taken()


# Values of every shape, to be held against the schema of each parameter.
VALUES = [
    "true", "false", "0", "1", "-1", "0.5", "1e3", "4294967296", "18446744073709551616", '""',
    '"x"', '"0"', '"1msat"', '"-1"', '"1e3"', r'"\u0000"', '"\U0001f701"', f'"{"0" * 64}"',
    f'"{"02" * 33}"', f'"{"a" * 9000}"', "[]", "[1]", '["x"]', "[null]", "[[]]", "{}",
    '{"a":1}', '{"entity":0}', f"[{','.join(['1'] * 1001)}]", f"{'[' * 60}{']' * 60}",
]


def fits(schema, found):
    """Whether a schema takes a value: as much of JSON Schema as the reference uses."""
    if "oneOf" in schema:
        return sum(fits(one, found) for one in schema["oneOf"]) == 1
    if "enum" in schema and found not in schema["enum"]:
        return False
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
    kind, is_flag = schema.get("type"), isinstance(found, bool)
    if kind == "integer":
        if is_flag or not isinstance(found, (int, float)) or found != int(found):
            return False
        return schema.get("minimum", found) <= found <= schema.get("maximum", found)
    if kind == "number":
        if is_flag or not isinstance(found, (int, float)):
            return False
        return schema.get("minimum", found) <= found <= schema.get("maximum", found)
    if kind and not isinstance(found, kinds[kind]):
        return False
    if isinstance(found, str):
        size = len(found.encode())
        return schema.get("minLength", size) <= size <= schema.get("maxLength", size) \
            and re.search(schema.get("pattern", ""), found) is not None
    if isinstance(found, list):
        return len(found) <= schema.get("maxItems", len(found)) \
            and all(fits(schema.get("items", {}), one) for one in found)
    return True


# They tell something later, which needs a WebSocket.
SUBSCRIPTIONS = ("payecs_serve", "payecs_observe", "subscribe_pay_success", "subscribe_pay_failure",
                 "subscribe_paycode_payment", "subscribe_invoice_payment")


def params(daemon, guard):
    """Each parameter of each method with each value that its schema refuses, and params that are
    missing, surplus, unknown or misspelt: −32602, and what is refused is named."""
    transports = [Http(daemon), WebSocket(daemon), Unix(daemon)]
    methods, asked_for = transports[0].call("rpc.discover")["methods"], 0
    for method in methods:
        name, taken = method["name"], method["params"]
        if name == "check":
            continue
        through = transports[1:2] if name in SUBSCRIPTIONS else transports
        needed = {one["name"]: example(name, one["name"]) for one in taken if one.get("required")}
        for at, param in enumerate(taken):
            for text in VALUES:
                if fits(param["schema"], json.loads(text)):
                    continue
                transport = through[asked_for % len(through)]
                asked_for += 1
                given = {**needed, param["name"]: "VALUE"}
                body = request(name, given).replace(b'"VALUE"', text.encode())
                answer = transport.answer(body)
                same(codes(answer), -32602, transport.name, name, param["name"], text[:80])
                check(param["name"] in answer["error"]["message"], name, param["name"], answer)
        bad = [[None] * len(taken) + [1], {**needed, "surplus": 1}, {**needed, "entty": 1}]
        bad += [{key: needed[key] for key in needed if key != left} for left in needed]
        for given in bad:
            for transport in through:
                same(codes(transport.answer(request(name, given))), -32602, name, given)
    for transport in transports:
        transport.close()
    check(asked_for > 500, "many are refused", asked_for)
    guard.untouched("params of the wrong kind")


def example(method, param):
    return EXAMPLES.get(f"{method} {param}", EXAMPLES[param])


# A value of each parameter that must be given, of one method or of all: it is of the right kind.
EXAMPLES = {
    "entity": 5, "components": [], "writes": [], "system": "acme:s", "required": ["acme:x"],
    "systems": ["acme:s"], "string": "x", "invstring": "x", "amount_msat": 1, "layers": [],
    "maxfee_msat": 0, "final_cltv": 18, "source": "02" * 33, "destination": "02" * 33,
    "payment_hash": "ab" * 32, "preimage": "ab" * 32, "status": "paid", "layer": "acme:l",
    "short_channel_id_dir": "1x2x3/0", "short_channel_id": "1x2x3", "capacity_msat": 1,
    "bias": 1, "node": "02" * 33, "direction": "in", "inform": "constrained", "cutoff": 1,
    "path": [], "reports": [], "label": "x", "description": "x",
    "subsystem": "invoices", "indexname": "created", "nextvalue": 0,
    "autoclean-once subsystem": "paidinvoices", "age": 1,
}


def all_of_it(daemon):
    """Every bad thing, while slow callers are waited for."""
    opened(daemon)
    guard, slow = Guard(daemon), wire.Slow(daemon)
    for act in (texts, cut_short, names_and_ids, notifications, params,
                wire.tokens, wire.heads, wire.frames, wire.hang_ups):
        act(daemon, guard)
    slow.end(guard)
