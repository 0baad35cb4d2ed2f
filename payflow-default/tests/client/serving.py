"""Servers of external Systems: each invocation goes to one, and to the next where it goes away."""

import json

from life import opened
from rpc import SEEN, Http, Unix, WebSocket, check, request, same, until

# Longer than anything takes here, whatever the daemon's speed.
LONG_S = 80_000


def heard(socket, count):
    """The next invocations of a server, in the order in which they came."""
    while len(socket.events) < count:
        kind, body = socket.frame_in()
        if kind == WebSocket.PING:
            socket.stream.sendall(socket.frame(body, WebSocket.PONG))
        else:
            same(kind, WebSocket.TEXT, "only work comes")
            socket.events.append(json.loads(body))
    taken, socket.events = socket.events[:count], socket.events[count:]
    for one in taken:
        same(one["method"], "payecs_system_invoke", "the name of what comes")
    return [one["params"]["result"] for one in taken]


def quiet(socket):
    """Nothing comes that did not come before the answer to a call."""
    socket.call("getinfo")
    same(socket.events, [], "no work")


def server(daemon, systems, *more):
    socket = WebSocket(daemon)
    socket.call("payecs_serve", systems, *more)
    return socket


def registered(http, system, flag, **more):
    http.call("payecs_newsystem", system=system, required=[f"acme:go-{flag}"],
              disallowed=[f"acme:done-{flag}"], **{"timeout": LONG_S, **more})


def started(transport, entity, systems, flag):
    """An Entity on which that System runs."""
    transport.call("payecs_advance", entity, {
        "entity": entity, "lightningd:systems": {"systems": systems}, f"acme:go-{flag}": 1})


def done(transport, entity, flag, number, **more):
    return transport.code("payecs_advance", entity=entity, invocation=number,
                          writes={"entity": entity, f"acme:done-{flag}": True}, **more)


def turns(daemon, http):
    """Two servers have half of the work each, and what is done in one call leaves in its order."""
    registered(http, "acme:turns", "turns")
    both = [server(daemon, ["acme:turns"]), server(daemon, "acme:turns")]
    entities = range(1_000, 1_010)
    for entity in entities:
        started(http, entity, ["acme:turns"], "turns")
    works = [heard(socket, 5) for socket in both]
    for socket in both:
        quiet(socket)
    had = [work["entity"]["entity"] for some in works for work in some]
    same(sorted(had), list(entities), "each once")
    for socket, some in zip(both, works):
        for work in some:
            entity, number = work["entity"]["entity"], work["invocation"]
            same(work["entity"], {"entity": entity, "acme:go-turns": 1})
            same(done(socket, entity, "turns", number), 2201, "nothing is left to do")
            same(done(http, entity, "turns", number), 2207, "it was answered")
    for socket in both:
        socket.close()


def order(daemon, http):
    """On one connection work comes before the answer to what brought it about."""
    registered(http, "acme:order", "order")
    socket = server(daemon, ["acme:order"], 1000)
    for entity in range(2_000, 2_100):
        started(socket, entity, ["acme:order"], "order")
        check(len(socket.events) == 1, "it is there when the answer is", entity)
        same(heard(socket, 1)[0]["entity"]["entity"], entity)
    socket.close()


def gone(daemon, http):
    """What a server had that goes away goes to the next, with the same number; also all of it."""
    registered(http, "acme:gone", "gone")
    first = server(daemon, ["acme:gone"], 2)
    for entity in range(3_000, 3_003):
        started(http, entity, ["acme:gone"], "gone")
    works = heard(first, 2)
    quiet(first)
    second = server(daemon, ["acme:gone"])
    rest = heard(second, 1)
    same(rest[0]["entity"]["entity"], 3_002, "what nobody had")
    first.close()
    same(heard(second, 2), works, "the same once more")
    other = second.call("payecs_serve", ["acme:turns"])
    same(second.call("payecs_unserve", other), True, "one of two is ended")
    same(done(second, 3_000, "gone", works[0]["invocation"]), 2201, "it is its own now")
    second.close()


def polled(daemon, http):
    """Whoever has no connection that is kept asks for work, and each piece is given once."""
    registered(http, "acme:polled", "polled")
    same(http.call("payecs_invocations", "acme:polled", 0), {"invocations": []})
    unix, others = Unix(daemon), Http(daemon)
    unix.send(request("payecs_invocations", ["acme:polled", LONG_S]))
    started(http, 4_000, ["acme:polled"], "polled")
    work, = json.loads(unix.next())["result"]["invocations"]
    same((work["system"], work["entity"]["entity"]), ("acme:polled", 4_000))
    same(others.call("payecs_invocations", "acme:polled", 0), {"invocations": []}, "it is taken")
    unix.close()
    for entity in (4_001, 4_002, 4_003):
        started(http, entity, ["acme:polled"], "polled")
    found = others.call("payecs_invocations", "acme:polled", LONG_S, 10)["invocations"]
    same([one["entity"]["entity"] for one in found], [4_001, 4_002, 4_003], "the oldest first")
    for one in [work, *found]:
        same(done(others, one["entity"]["entity"], "polled", one["invocation"]), 2201)
    # Who goes away has taken nothing, once that was seen.
    unix = Unix(daemon)
    unix.send(request("payecs_invocations", ["acme:polled", LONG_S]))
    until("it waits", lambda: servers(http, "acme:polled") == 1)
    unix.close()
    until("it is gone", lambda: servers(http, "acme:polled") == 0)
    started(http, 4_004, ["acme:polled"], "polled")
    work, = others.call("payecs_invocations", "acme:polled", LONG_S)["invocations"]
    same(work["entity"]["entity"], 4_004, "nobody had it")
    others.close()


def listed(http, system):
    found = [one for one in http.call("payecs_listsystems")["systems"] if one["system"] == system]
    return found[0] if found else None


def servers(http, system):
    """How many serve a System."""
    return listed(http, system)["servers"]


def left(daemon, http):
    """What nobody serves any more fails, and not only when its time is over."""
    said = {"timeout": LONG_S, "grace": 10, "owner": "shop", "reads": ["acme:x"]}
    registered(http, "acme:left", "left", writes="acme:done-left", **said)
    found = listed(http, "acme:left")
    same({name: found[name] for name in said}, said, "what was said of it")
    socket = server(daemon, ["acme:left"])
    started(http, 7_000, ["acme:left"], "left")
    work, = heard(socket, 1)
    socket.close()
    http.call("payecs_wait", 7_000, "lightningd:error", LONG_S)
    error = http.call("payecs_getcomponents", 7_000, "lightningd:error")["lightningd:error"]
    same((error["code"], error["data"]["system"]), (2203, "acme:left"))
    same(done(http, 7_000, "left", work["invocation"]), 2207, "too late")
    answer = http.call("payecs_newsystem", system="acme:loops", required="acme:go-x",
                       writes=["acme:other"])
    check("2202" in answer["warning"], answer)


def removed(daemon, http):
    """A System that is taken away is awaited no more."""
    registered(http, "acme:removed", "removed")
    started(http, 8_000, ["acme:removed"], "removed")
    same(http.call("payecs_removesystem", "acme:removed"), {})
    error = http.call("payecs_getcomponents", 8_000, "lightningd:error")["lightningd:error"]
    same(error["code"], 2203, "it was removed")
    same(listed(http, "acme:removed"), None)
    same(http.code("payecs_removesystem", "acme:removed"), -32602, "it is gone")
    same(http.code("payecs_removesystem", "lightningd:settle"), -32602, "it is ours")
    entity = http.call("payecs_newentity")["entity"]
    same(http.code("payecs_setdefaultsystems", entity, "acme:removed"), -32602, "unregistered")
    registered(http, "acme:removed", "removed")
    beside = {"lightningd:dispatch": "acme:removed"}
    http.call("payecs_setdefaultsystems", entity=entity, before=beside,
              after={"lightningd:plan": ["acme:turns"]})
    found = http.call("payecs_getcomponents", entity, "lightningd:systems")
    names = found["lightningd:systems"]["systems"]
    at = names.index("lightningd:dispatch")
    same(names[at - 1], "acme:removed")
    same(names[names.index("lightningd:plan") + 1], "acme:turns")
    same([name for name in names if not name.startswith("acme:")],
         http.call("payecs_getdefaultsystems")["systems"], "all of ours are there")
    same(http.code("payecs_setdefaultsystems", entity=entity, before={"acme:turns": "acme:one"}),
         -32602, "it is not in the list")


def one_call(daemon, http):
    """Writing and advancing is one call: all of it, or nothing."""
    registered(http, "acme:one", "one")
    bolt11 = http.call("sim_invoice", amount_msat="3sat", payee="n1")["bolt11"]
    entity = http.call("payecs_newentity")["entity"]
    http.call("payecs_setcomponents", {"entity": entity, "lightningd:invoice": bolt11,
                                       "lightningd:main-payment": True})
    # It holds the payment up once it is claimed.
    http.call("payecs_newsystem", "acme:claimed", ["lightningd:claim"], ["acme:done-one"], LONG_S)
    http.call("payecs_setdefaultsystems", entity, "acme:claimed")
    socket = server(daemon, ["acme:claimed"])
    socket.call("payecs_advance", entity)
    number = heard(socket, 1)[0]["invocation"]
    write = {"entity": entity, "acme:done-one": True}
    absent, wrong = {"entity": entity, "acme:done-one": None}, {"entity": entity, "acme:x": 1}
    for transport in (socket, http, Unix(daemon)):
        same(transport.code("payecs_advance", entity), 2205, "it is outstanding")
        same(transport.code("payecs_advance", entity, write), 2205, "it is outstanding")
        same(done(transport, entity, "one", number + 1), 2207, "another number")
        same(done(transport, entity, "one", number, expected=wrong), 2244)
        same(transport.code("payecs_setcomponents", write, wrong, number), 2244)
        same(transport.code("payecs_setcomponents", write, absent, number + 1), 2207)
        same(transport.code("payecs_getcomponents", entity, ["acme:done-one"]), 0)
        same(transport.call("payecs_getcomponents", entity, "acme:done-one"),
             {"entity": entity, "acme:done-one": None}, "nothing was written")
    same(done(socket, entity, "one", number, expected=absent), 0, "it goes on")
    same(done(socket, entity, "one", number), 2207, "once")
    until("it is paid", lambda: http.call("paystatus", entity=entity)["status"] == "complete")
    socket.close()


def late(daemon, http):
    """Who takes too long is passed over, and then the System has not answered."""
    registered(http, "acme:late", "late", timeout=20)
    first, second = server(daemon, ["acme:late"]), server(daemon, ["acme:late"])
    started(http, 5_000, ["acme:late"], "late")
    work, again = heard(first, 1)[0], heard(second, 1)[0]
    check(again["invocation"] > work["invocation"], "under a new number", work, again)
    same(again["entity"], work["entity"], "the same work")
    same(done(first, 5_000, "late", work["invocation"]), 2207, "too late")
    http.call("payecs_wait", 5_000, "lightningd:error", LONG_S)
    error = http.call("payecs_getcomponents", 5_000, "lightningd:error")["lightningd:error"]
    same(error["code"], 2203, "nobody answered")
    SEEN[error["code"]].add(http.name)
    first.close()
    second.close()


def killed(daemon, http):
    """What is outstanding is there after a `kill -9`, for whoever comes then."""
    registered(http, "acme:killed", "killed")
    socket = server(daemon, ["acme:killed"])
    for entity in (6_000, 6_001):
        started(socket, entity, ["acme:killed"], "killed")
    works = heard(socket, 2)
    daemon.kill()
    opened(daemon.start())
    http = Http(daemon)
    socket = server(daemon, ["acme:killed"])
    same(heard(socket, 2), works, "the same numbers")
    for work in works:
        entity = work["entity"]["entity"]
        same(done(socket, entity, "killed", work["invocation"]), 2201, "it counts")
    socket.close()
    http.close()


def owned(daemon, http):
    """A System is its token's, which writes its own names and the documented inputs."""
    flow = ["--scope", "read", "--scope", "flow"]
    tip = Http(daemon, daemon.token("tip", *flow, "--writes", "tip:"))
    other = Http(daemon, daemon.token("other", *flow))
    tip.call("payecs_newsystem", "tip:x", "tip:go", "tip:done", LONG_S)
    same(listed(http, "tip:x")["token"], "tip")
    for code, method, params in [
            (1502, "payecs_invocations", ["tip:x", 0]), (1502, "payecs_removesystem", ["tip:x"]),
            (1502, "payecs_newsystem", ["tip:x", "tip:go", "tip:done", 1])]:
        same(other.code(method, *params), code, "it is another's", method)
    same(tip.code("payecs_setcomponents", {"entity": 7_100, "other:x": 1}), 1502, "not its own")
    same(tip.code("payecs_newsystem", "other:x", "tip:go"), 1502, "not its own name")
    tip.call("payecs_advance", 7_100, {
        "entity": 7_100, "lightningd:systems": {"systems": ["tip:x"]}, "tip:go": 1})
    work, = tip.call("payecs_invocations", "tip:x", LONG_S)["invocations"]
    same(tip.code("payecs_advance", entity=7_100, invocation=work["invocation"],
                  writes={"entity": 7_100, "tip:done": True}), 2201, "nothing is left to do")
    # Who polls for what is removed need not wait.
    unix = Unix(daemon)
    unix.send(request("payecs_invocations", ["tip:x", LONG_S]))
    until("it waits", lambda: servers(http, "tip:x") == 1)
    tip.call("payecs_removesystem", "tip:x")
    same(json.loads(unix.next())["error"]["code"], -32602, "it was removed")
    for transport in (unix, tip, other):
        transport.close()


def dismissed(daemon, http):
    """Who serves nothing any more is told why, and what it had goes to who serves it now."""
    registered(http, "acme:dismissed", "dismissed")
    socket = server(daemon, ["acme:dismissed"])
    socket.call("payecs_removesystem", "acme:dismissed")
    ended = heard(socket, 1)[0]["ended"]
    check("was removed" in ended["message"], ended)
    same(ended["code"], -32602)
    flow = ["--scope", "read", "--scope", "flow"]
    old = WebSocket(daemon, daemon.token("old", *flow))
    new = WebSocket(daemon, daemon.token("new", *flow))
    registered(old, "acme:given", "given")
    old.call("payecs_serve", ["acme:given"])
    started(http, 7_200, ["acme:given"], "given")
    work, = heard(old, 1)
    same(new.code("payecs_serve", ["acme:given"]), 1502, "it is another's")
    registered(http, "acme:given", "given", token="new")
    same(heard(old, 1)[0]["ended"]["code"], 1502, "it is no longer its own")
    new.call("payecs_serve", ["acme:given"])
    again, = heard(new, 1)
    check(again["invocation"] > work["invocation"], "under a new number", work, again)
    same(done(old, 7_200, "given", work["invocation"]), 2207, "it is another's work")
    same(done(new, 7_200, "given", again["invocation"]), 2201, "nothing is left to do")
    quiet(old)
    for transport in (socket, old, new):
        transport.close()


def refused(daemon, http):
    """What can't be served."""
    socket = WebSocket(daemon)
    for systems in ("acme:nobody", "lightningd:settle", []):
        same(socket.code("payecs_serve", systems), -32602, systems)
        same(http.code("payecs_invocations", systems), -32602, systems)
    for transport in (http, Unix(daemon)):
        same(transport.code("payecs_serve", "acme:turns"), -32601, transport.name)
    socket.close()


def all_of_it(daemon):
    opened(daemon)
    http = Http(daemon)
    for part in (turns, order, gone, polled, one_call, late, left, removed, owned,
                 dismissed, refused, killed):
        part(daemon, http)
