"""Every error code that a daemon can be brought to say, each over a real transport."""

import pathlib

import bolt11
from life import opened
from rpc import SEEN, Daemon, Http, Refused, Unix, WebSocket, check, request, same, until

# When the simulated network begins, in seconds since 1970.
BEGIN = 1_767_225_600
STRANGER = 7


def refused(code, transport, method, *params, **named):
    """A call that must be refused with a code; its data."""
    try:
        found = transport.call(method, *params, **named)
    except Refused as why:
        same(why.code, code, method, params, named, why)
        return why.data
    raise AssertionError(f"{method} {params} {named}: {code} expected, answered {found}")


def ended(http, entity):
    """With which code an Entity ends."""
    http.call("payecs_wait", entity, "lightningd:error", 3600)
    error = http.call("payecs_getcomponents", entity, "lightningd:error")["lightningd:error"]
    SEEN[error["code"]].add(http.name)
    return error["code"]


def requests(daemon):
    """What is no right call, over each transport."""
    reader = daemon.token("reader", "--scope", "read")
    for transport in (Http(daemon), WebSocket(daemon), Unix(daemon)):
        for code, body in [(-32600, b'{"jsonrpc":"1.0","id":1,"method":"getinfo"}'),
                           (-32601, request("getinf")), (-32602, request("pay", [])),
                           (-32700, b'{"jsonrpc":"2.0",')]:
            if transport.name == "unix" and code == -32700:
                body += b"]"
            same(transport.answer(body)["error"]["code"], code, transport.name)
        transport.close()
    for kind in (Http, WebSocket):
        refused(1502, kind(daemon, reader), "payecs_newentity")


def history(daemon):
    """Asked at once after a start, the history of the books may not be there yet."""
    def asked():
        daemon.kill()
        return Unix(daemon.start()).code("listpays", status="failed") == 2321
    until("2321", asked)


def entities(daemon):
    """What an Entity may not."""
    http = Http(daemon)
    new = http.call("payecs_newentity")["entity"]
    refused(2204, http, "payecs_explain", new)
    refused(2200, http, "payecs_advance", new)
    refused(2244, http, "payecs_setcomponents", {"entity": new, "acme:x": 1},
            {"entity": new, "acme:x": 1})
    many = {f"acme:x{number}": 1 for number in range(257)}
    same(refused(2208, http, "payecs_setcomponents", {"entity": new, **many}),
         {"quota": "components", "max": 256})
    same(http.call("payecs_getcomponents", new, "acme:x0")["acme:x0"], None, "nothing is written")
    http.call("payecs_newsystem", "acme:slow", "acme:go", None, 1)
    listed = {"lightningd:systems": {"systems": ["acme:slow"]}}
    http.call("payecs_setcomponents", {"entity": new, **listed})
    refused(2201, http, "payecs_advance", new)
    refused(2000, http, "payecs_wait", new, "acme:never", 1)
    http.call("payecs_advance", new, {"entity": new, "acme:go": 1})
    refused(2207, http, "payecs_advance", new, None, None, 4_000_000_000)
    # It does not answer within its second, or answers again and again and changes nothing.
    same(ended(http, new), 2203, "a System that does not answer")
    loop = http.call("payecs_newentity")["entity"]
    http.call("payecs_newsystem", "acme:loop", "acme:go", None, 86_400)
    http.call("payecs_advance", loop, {"entity": loop, "acme:go": 1, "lightningd:systems": {
        "systems": ["acme:loop"]}})
    while told := http.call("payecs_explain", loop)["invocation"]:
        http.call("payecs_advance", loop, None, None, told["invocation"])
    same(ended(http, loop), 2202, "a loop")


def invoices(daemon):
    """Invoices that are expired, of another network, without an amount, or of nobody."""
    http = Http(daemon)
    preimages = iter(bytes([number]) * 32 for number in range(1, 99))
    for code, said, params, facts in [
            (207, "expired", [], {"amount": "200n", "expiry": 1}),
            (-32602, "another network", [], {"amount": "200n", "network": "bc"}),
            (-32602, "required", [], {}),
            (-32602, "unnecessary", ["1sat"], {"amount": "200n"}),
            (216, "not in the graph", ["1sat"], {}),
            (216, "not in the graph", [], {"amount": "10u"})]:
        made = bolt11.invoice(STRANGER, BEGIN - 5, next(preimages), **facts)
        decoded = http.call("decode", made)
        check(decoded["valid"] and decoded["payee"] == bolt11.public(STRANGER), decoded)
        try:
            raise AssertionError(http.call("pay", made, *params))
        except Refused as why:
            check(why.code == code and said in str(why), code, said, why)
    broken = bolt11.invoice(STRANGER, BEGIN, b"x" * 32, amount="200n")
    refused(-32602, http, "pay", broken[:-1] + ("q" if broken[-1] != "q" else "p"))


def payments(daemon):
    """What becomes of payments."""
    http, info = Http(daemon), opened(daemon)
    new = http.call("sim_invoice", "10sat", "n1")
    one, other = Unix(daemon), Unix(daemon)
    one.send(request("pay", [new["bolt11"]]) + request("pay", [new["bolt11"]]))
    same([one.read(one.next())["error"]["code"], "result" in one.read(one.next())], [200, True])
    refused(201, other, "pay", invstring=new["bolt11"], amount_msat="11sat", overpay=True)
    refused(208, http, "paystatus", payment_hash="ab" * 32)
    paid = http.call("paystatus", bolt11=new["bolt11"])
    refused(211, http, "cancelpay", entity=paid["entity"])
    unknown = {"entity": 5_000, "lightningd:main-payment": True, "lightningd:amount": 5000,
               "lightningd:payment_hash": "ab" * 32, "lightningd:destination": new["payee"],
               "lightningd:invoice:payment_secret": "cd" * 32}
    http.call("payecs_setcomponents", unknown)
    http.call("payecs_setdefaultsystems", 5_000)
    http.call("payecs_advance", 5_000)
    same(ended(http, 5_000), 203, "a hash that its payee does not know")
    refused(2205, http, "payecs_setcomponents", {"entity": 5_000, "lightningd:amount": 1})
    # A part of the amount: its payee waits for the rest, in vain.
    part = http.call("sim_invoice", "10sat", "n1")["bolt11"]
    refused(210, http, "pay", part, None, None, None, 1, "4sat")
    routes(http, info)


def routes(http, info):
    """Where there are no routes."""
    payees = [http.call("sim_invoice", "1sat", f"n{at}")["payee"] for at in range(1, 29)]
    most = info["spendable_msat"]
    asked = [(payee, amount, fee, delay) for payee in payees
             for amount, fee, delay in ((1000, 0, 2016), (most * 2, most, 2016),
                                        (most * 9 // 10, most, 2016), (1000, 1000, 1))]
    found = set()
    for payee, amount, fee, delay in asked:
        found.add(http.code("getroutes", info["id"], payee, amount, [], fee, 18, delay))
    for code in (206, 215, 220):
        check(code in found, code, "of", found)
    unknown = {"short_channel_id_dir": "1x2x3/0", "minimum_msat": 1}
    same(refused(2332, http, "payecs_importknowledge", [unknown]),
         {"index": 0, "short_channel_id_dir": "1x2x3/0"})
    way = http.call("getroutes", info["id"], payees[0], 1, [], 1000, 18)["routes"][0]["path"][0]
    seen = {"short_channel_id_dir": way["short_channel_id_dir"], "minimum_msat": 1 << 62}
    same(refused(2333, http, "payecs_importknowledge", [seen])["why"], "above_capacity")
    # All of it in one part is more than any channel carries.
    refused(205, http, "getroutes", info["id"], payees[0], most * 9 // 10, [], most, 18, None, 1)


def paycodes(daemon):
    """What paycodes refuse."""
    http = Http(daemon)
    made = http.call("paycode", "7sat", 3600, "09" * 32)["payment_hash"]
    refused(901, http, "paycode", "8sat", 3600, "09" * 32)
    refused(904, http, "waitpaycode", made, 0)
    same(refused(906, http, "delpaycode", made, "paid"),
         {"current_status": "unpaid", "expected_status": "paid"})
    http.call("delpaycode", made, "unpaid")
    refused(905, http, "waitpaycode", made)
    short = http.call("paycode", "any", 1)["payment_hash"]
    same(refused(903, http, "waitpaycode", short, 3600)["status"], "expired")
    http.call("invoice", "7sat", "tea", "two teas")
    same(refused(900, http, "invoice", "8sat", "tea", "three teas")["amount_msat"], 7000)
    hints = {"exposeprivatechannels": "1x1x1"}
    refused(902, http, "invoice", **{"amount_msat": 1, "label": "x", "description": "", **hints})
    refused(-1, http, "waitinvoice", "coffee")
    gone = {"label": "tea", "status": "unpaid", "desconly": True}
    http.call("delinvoice", **gone)
    refused(908, http, "delinvoice", **gone)


def limits(daemon):
    """More than may be."""
    socket, http = WebSocket(daemon), Http(daemon)
    codes = [socket.code("payecs_observe") for _ in range(17)]
    same(codes, [0] * 16 + [-32006], "subscriptions")
    same(socket.answer(b"[" + b",".join([request("getinfo")] * 101) + b"]")["error"]["code"],
         -32010, "a batch")
    socket.close()
    same(http.answer(request("x" * (1 << 20)))["error"]["code"], -32007, "a request")
    # What came with it was not read, so that nothing more is.
    http = Http(daemon)
    large = {"acme:large": "x" * 1_000_000}
    for number in range(17):
        http.call("payecs_setcomponents", {"entity": 6_000 + number, **large})
    for transport in (Http(daemon), WebSocket(daemon), Unix(daemon)):
        refused(-32008, transport, "payecs_listentities")
        transport.close()
    for number in range(17):
        http.call("payecs_delentity", 6_000 + number)
    http.call("payecs_setcomponents", {"entity": 6_000, "acme:x": 1})
    wait = request("payecs_wait", [6_000, "acme:never", 3600])
    socket = WebSocket(daemon)
    for _ in range(64 + 1024 + 1):
        socket.send(wait)
    same(socket.read(socket.next())["error"]["code"], -32009, "calls of a connection")
    socket.close()
    waiting = []

    def all_places_are_taken():
        # While the engine is behind, some of these are refused: others wait instead.
        waiting.append(Unix(daemon))
        waiting[-1].send(wait * 64)
        return Http(daemon).code("payecs_wait", 6_000, "acme:never", 0) == 2340

    until("2340", all_places_are_taken)
    for unix in waiting:
        unix.close()
    daemon.kill()
    daemon.start()
    Http(daemon).call("payecs_delentity", 6_000)


def stopping(daemon):
    """Who waits when it stops is told so, over every transport."""
    transports = [WebSocket(daemon), Unix(daemon)]
    Http(daemon).call("payecs_setcomponents", {"entity": 6_001, "acme:x": 1})
    for transport in transports:
        transport.send(request("payecs_wait", [6_001, "acme:never", 3600]))
        check(transport.name == "websocket" or transport.call("getinfo"), "it was begun")
    transports[0].send(request("getinfo"))
    check(b"version" in transports[0].next(), "it was begun")
    daemon.stop()
    for transport in transports:
        same(transport.read(transport.next())["error"]["code"], -5, transport.name)
        transport.close()
    daemon.start()


def restored(daemon, place):
    """A backup that is gone on from: nothing new at first, and what was under way has ended."""
    http, backup = Http(daemon), pathlib.Path(place) / "backup"
    opened(daemon)
    http.call("payecs_newsystem", "acme:rest", "acme:go", None, 86_400)
    draft = http.call("payecs_newentity")["entity"]
    bolt = http.call("sim_invoice", "5sat", "n2")["bolt11"]
    http.call("payecs_setcomponents", {"entity": draft, "lightningd:invoice": bolt,
                                       "lightningd:main-payment": True, "acme:go": 1})
    http.call("payecs_setdefaultsystems", draft, "acme:rest")
    http.call("payecs_advance", draft)
    # A backup has what is durable, as all is that was before a payment.
    paid = http.call("sim_invoice", "4sat", "n2")
    http.call("pay", paid["bolt11"])
    code, said = daemon.run("backup", "--to", str(backup))
    same(code, 0, said)
    daemon.kill()
    # Its network is a new one: a node that has forgotten what was paid.
    other = Daemon(daemon.binary, pathlib.Path(place) / "restored")
    code, said = other.run("restore", "--from", str(backup))
    same(code, 0, said)
    http = Http(other.start())
    try:
        same(ended(http, draft), 2331, "a draft of before the backup")
        # The first hashes of the new network are those of the old one.
        until("nothing new is taken on", lambda: http.code(
            "pay", http.call("sim_invoice", "6sat", "n2")["bolt11"]) == 2330)
        until("the history is there", lambda: http.code("listpays", status="failed") != 2321)
        found = http.call("pay", paid["bolt11"])
        check(found["replayed"], "what was paid is answered")
    finally:
        other.kill()


def asked(daemon, place):
    """An operator who is asked, and says no."""
    options = ("--ask-above", "2sat", "--approval-timeout", "80000")
    other = Daemon(daemon.binary, pathlib.Path(place) / "asked", *options, speed="60")
    opened(other.start())
    http, question = Http(other), "lightningd:approval:asked"
    try:
        bolt = http.call("sim_invoice", "3sat", "n2")["bolt11"]
        entity = http.call("payecs_newentity")["entity"]
        http.call("payecs_setdefaultsystems", entity)
        http.call("payecs_advance", entity, {"entity": entity, "lightningd:invoice": bolt,
                                             "lightningd:main-payment": True})
        until("it is asked", lambda: http.call("payecs_getcomponents", entity, question)[question])
        http.call("payecs_advance", entity, {"entity": entity, "lightningd:approval": False})
        same(ended(http, entity), 2310, "a no")
    finally:
        other.kill()


def all_of_them(daemon, place):
    """Provokes each code that can be; which came is noted with the transports."""
    opened(daemon)
    for act in (requests, entities, invoices, payments, paycodes, limits, stopping,
                history):
        act(daemon)
    asked(daemon, place)
    restored(daemon, place)
