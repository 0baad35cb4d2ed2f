"""A whole life of a daemon: every method, by name and by position, over all transports."""

import pathlib
import re

from rpc import Daemon, Http, Refused, Unix, WebSocket, check, request, same, until

TRANSPORTS = (Http, WebSocket, Unix)


class Voice:
    """Calls over one transport, by name or by position: the order is asked of the daemon."""

    def __init__(self, transport, by_name):
        self.transport, self.by_name = transport, by_name
        found = transport.call("rpc.discover")["methods"]
        self.params = {one["name"]: [param["name"] for param in one["params"]] for one in found}
        # In no list: only a daemon on the simulated network has it.
        self.params["sim_invoice"] = ["amount_msat", "payee"]

    def __str__(self):
        return f"{self.transport.name}, by {'name' if self.by_name else 'position'}"

    def call(self, method, **named):
        """The answer; of an error code and message."""
        order = self.params.get(method, [])
        # The params of the command follow its name.
        order = order + self.params.get(named.get("command_to_check"), [])
        check(set(named) <= set(order), method, "takes", order)
        last = max((order.index(name) for name in named), default=-1)
        listed = [named.get(name) for name in order[:last + 1]]
        try:
            if self.by_name or not listed:
                return self.transport.call(method, **named)
            return self.transport.call(method, *listed)
        except Refused as refused:
            return refused.code, str(refused.args[0]).split(" {")[0]


def voices(daemon):
    return [Voice(one(daemon), by_name) for one in TRANSPORTS for by_name in (True, False)]


def opened(daemon):
    """Waits until payments are taken on, and the books have our channels and their history."""
    http = Http(daemon)
    info = until("it is open", lambda: (found := http.call("getinfo"))["synced"]
                 and found["intake"]["open"] and found)
    until("the history is there", lambda: http.code("listpays", status="failed") != 2321)
    until("the books have our channels", lambda: http.call("ledger-balance")["accounts"])
    http.close()
    return info


def components(voice, entity, other):
    """Writes, compares, lists and pages."""
    name = f"acme:n{entity}"
    write = {"entity": entity, name: 9007199254740993, "acme:text": "a\"b\u00e9\u0000"}
    exact = {"entity": entity, "exact": True}
    for method, params in [
            ("payecs_setcomponents", {"writes": write, "expected": exact}),
            ("payecs_setcomponents", {"writes": [write], "expected": [exact]}),
            ("payecs_getcomponents", {"entity": str(entity),
                                      "components": [name, "acme:none", "acme:text"]}),
            ("payecs_setcomponents", {"writes": {"entity": other, name: [0.5], "acme:p": True}}),
            ("payecs_listentities", {"required": name, "limit": 1}),
            ("payecs_listentities", {"required": [name], "after": entity}),
            ("payecs_listentities", {"required": name, "disallowed": "acme:p",
                                     "components": ["acme:text"]}),
            ("payecs_delentity", {"entity": other}),
            ("payecs_delentity", {"entity": other}),
            ("payecs_explain", {"entity": other}),
            ("payecs_systrace", {"entity": other})]:
        yield method, voice.call(method, **params)


def external(voice, entity):
    """Is an external System: it is registered, announced, answers, and comes too late."""
    system, go = f"acme:s{entity}", f"acme:go{entity}"
    steps = [
        ("payecs_newsystem", {"system": system, "required": go, "disallowed": ["acme:done"]}),
        ("payecs_newsystem", {"system": system, "required": [go], "disallowed": "acme:done"}),
        ("payecs_newsystem", {"system": system, "required": [go]}),
        ("payecs_newsystem", {"system": "lightningd:settle", "required": [go]}),
        ("payecs_newsystem", {"system": f"{system}-gone", "required": go, "grace": 0}),
        ("payecs_removesystem", {"system": f"{system}-gone"}),
        ("payecs_removesystem", {"system": f"{system}-gone"}),
        ("payecs_advance", {"entity": entity}),
        ("payecs_setdefaultsystems", {"entity": entity, "prepend": "acme:nobody"}),
        ("payecs_setdefaultsystems", {"entity": entity, "prepend": [system],
                                      "replace": {"lightningd:generate_nonce": system}}),
        ("payecs_setcomponents", {"writes": {"entity": entity,
                                             "lightningd:systems": {"systems": [system]}}}),
        ("payecs_advance", {"entity": entity}),
        ("payecs_advance", {"entity": entity, "writes": {"entity": entity, go: True}}),
        ("payecs_wait", {"entity": entity, "timeout": 0})]
    for method, params in steps:
        yield method, voice.call(method, **params)
    told = voice.call("payecs_explain", entity=entity)
    number = told.pop("invocation")["invocation"]
    yield "payecs_explain", told
    done = {"entity": entity, "acme:done": True}
    for method, params in [
            ("payecs_setcomponents", {"writes": done, "invocation": 4_000_000_000}),
            ("payecs_advance", {"entity": entity, "writes": done, "invocation": number}),
            ("payecs_wait", {"entity": entity, "until": "acme:done", "timeout": 10}),
            ("payecs_wait", {"entity": entity, "timeout": 10})]:
        yield method, voice.call(method, **params)
    late = voice.call("payecs_setcomponents", writes=done, invocation=number)
    same(late[0], 2207, "an invocation that was answered")
    for one in (trace := voice.call("payecs_systrace", entity=entity))["trace"]:
        # Another step each time, and an answer as fast as the host.
        check(one.pop("step") > 0 and one.pop("answer_ms") >= 0, "a step", one)
        check(one.pop("duration_us", 0) >= 0, "timed where Systems are announced", one)
        del one["time"]
    yield "payecs_systrace", trace


def paying(voice):
    """Pays once by a draft and once by `pay`, and looks at both."""
    bolt11 = voice.call("sim_invoice", amount_msat="3sat", payee="n1")["bolt11"]
    draft = voice.call("payecs_newentity")["entity"]
    writes = {"entity": draft, "lightningd:invoice": bolt11, "lightningd:main-payment": True}
    yield "payecs_setcomponents", voice.call("payecs_setcomponents", writes=writes)
    yield "payecs_setdefaultsystems", voice.call("payecs_setdefaultsystems", entity=draft)
    yield "payecs_advance", voice.call("payecs_advance", entity=draft)
    until("the draft is paid", lambda: voice.call("paystatus", entity=draft)["status"]
          == "complete")
    other = voice.call("sim_invoice", amount_msat=4000, payee="n2")["bolt11"]
    decoded = voice.call("decode", string=f"LIGHTNING:{other.upper()}")
    named = {"invstring": other, "maxfee": "2sat", "label": "shop", "idempotency_key": str(draft)}
    paid = voice.call("pay", **named)
    same(paid["payment_hash"], decoded["payment_hash"], "who is paid")
    again = voice.call("pay", **named)
    check(again.pop("replayed"), again)
    for answer in (paid, again):
        # The Entity is each one's own.
        del answer["entity"], answer["created_at"]
    same(again, paid, "the same request again")
    yield "pay", {name: paid[name] for name in ("status", "amount_msat", "amount_sent_msat")}
    found = voice.call("listpays", payment_hash=paid["payment_hash"])["pays"]
    same(voice.call("listpays", bolt11=other)["pays"], found, "by invoice or by hash")
    check(len(found) == 1 and found[0]["preimage"] == paid["payment_preimage"], found)
    status = voice.call("paystatus", payment_hash=paid["payment_hash"])
    yield "paystatus", {name: status[name] for name in ("status", "fee_msat", "label", "parts")}
    yield "cancelpay", voice.call("cancelpay", payment_hash=paid["payment_hash"])
    lines = voice.call("ledger-list", payment_hash=paid["payment_hash"])["entries"]
    yield "ledger-list", [line["entry"] for entry in lines for line in entry["lines"]]


def receiving(voice, entity):
    """Makes a paycode and an invoice, and does all that can be done without a payer."""
    made = voice.call("paycode", amount_msat="7sat", timeout=60)
    yield "paycode", made["status"]
    payment_hash = made["payment_hash"]
    [found] = voice.call("listpaycodes", payment_hash=payment_hash)["paycodes"]
    same((found["status"], found["amount_msat"]), ("unpaid", 7000))
    waited = voice.call("waitpaycode", payment_hash=payment_hash, timeout=0)
    yield "waitpaycode", waited
    yield "settlepaycode", voice.call("settlepaycode", preimage="07" * 32)
    yield "cancelpaycode", voice.call("cancelpaycode", payment_hash=payment_hash)["status"]
    named = {"payment_hash": payment_hash, "status": "cancelled"}
    yield "delpaycode", voice.call("delpaycode", **named)["status"]
    yield "delpaycode", voice.call("delpaycode", **named)
    label, preimage = f"tea{entity}", f"{entity:064x}"
    wanted = {"amount_msat": "any", "description": "two teas", "preimage": preimage}
    made = voice.call("invoice", label=label, **wanted)
    same(made["payment_hash"], voice.call("decode", string=made["bolt11"])["payment_hash"])
    [found] = voice.call("listinvoices", label=label)["invoices"]
    same((found["status"], found["bolt11"]), ("unpaid", made["bolt11"]))
    yield "invoice", voice.call("invoice", label=label, **wanted)
    yield "delinvoice", voice.call("delinvoice", label=label, status="paid")
    yield "delinvoice", voice.call("delinvoice", label=label, status="unpaid")["description"]
    yield "waitinvoice", voice.call("waitinvoice", label=label)
    same(voice.call("signinvoice", invstring=made["bolt11"])["bolt11"], made["bolt11"])
    yield "signinvoice", True
    again = {"invstring": made["bolt11"], "label": label, "preimage": preimage}
    yield "createinvoice", voice.call("createinvoice", **again)["status"]
    voice.call("delinvoice", label=label, status="unpaid")
    counted = voice.call("wait", subsystem="invoices", indexname="created", nextvalue=1)
    yield "wait", counted["subsystem"]
    yield "waitanyinvoice", voice.call("waitanyinvoice", lastpay_index=0, timeout=0)
    cleaned = voice.call("autoclean-once", subsystem="paidpaycodes", age=4_000_000_000)
    yield "autoclean-once", cleaned["autoclean"]["paidpaycodes"]["cleaned"]
    status = voice.call("autoclean-status", subsystem="expiredinvoices")
    yield "autoclean-status", status["autoclean"]["expiredinvoices"]["enabled"]
    yield "payecs_listholds", voice.call("payecs_listholds")
    listed = voice.call("payecs_changedefaultsystems", append=[], before={})
    same(listed, voice.call("payecs_getdefaultsystems"))
    yield "payecs_changedefaultsystems", list(listed)
    yield "rebalance", voice.call("rebalance", short_channel_id="1x2x3", target="50%")


def layered(voice, entity):
    """Says what it wants to of channels and nodes, and takes it back."""
    name, way, node = f"acme{entity}", "1x2x3/0", "02" * 33
    layer, path = {"layer": name}, [{"short_channel_id_dir": way, "amount_msat": entity}]
    for method, params in [
            ("create-layer", {"persistent": True}), ("create-layer", {}),
            ("create-channel", {"source": node, "destination": "03" * 33,
                                "short_channel_id": "1x2x3", "capacity_msat": "1sat"}),
            ("update-channel", {"short_channel_id_dir": way, "fee_base_msat": 7}),
            ("bias-channel", {"short_channel_id_dir": way, "bias": -9, "description": "slow"}),
            ("bias-node", {"node": node, "direction": "in", "bias": 9, "relative": True}),
            ("disable-node", {"node": node}),
            ("inform-channel", {"short_channel_id_dir": way, "amount_msat": 5,
                                "inform": "succeeded"}),
            ("remove-channel-update", {"short_channel_id_dir": way}),
            ("listlayers", {}), ("age", {"cutoff": 4_000_000_000}), ("remove-layer", {}),
            ("remove-layer", {})]:
        answer = voice.call(f"askrene-{method}", **layer, **params)
        # Each is asked at another time.
        yield method, re.sub("'timestamp': [0-9]+", "'timestamp'", str(answer))
    reserved = {"path": path}
    yield "reserve", voice.call("askrene-reserve", **reserved)
    found = voice.call("askrene-listreservations")["reservations"]
    check(any(one["amount_msat"] == entity for one in found), found)
    yield "unreserve", voice.call("askrene-unreserve", **reserved)
    yield "unreserve", voice.call("askrene-unreserve", **reserved)


def knowing(voice):
    """Says what was seen of liquidity, and looks at what is known."""
    payee = voice.call("sim_invoice", amount_msat=1, payee="n3")["payee"]
    routes = voice.call("getroutes", source=voice.call("getinfo")["id"], destination=payee,
                        amount_msat=1000, layers=[], maxfee_msat="1sat", final_cltv=18)
    way = routes["routes"][0]["path"][-1]["short_channel_id_dir"]
    seen = {"short_channel_id_dir": way, "minimum_msat": "7msat", "age_seconds": 1}
    unknown = {"short_channel_id_dir": "1x2x3/0", "maximum_msat": 7, "time": 1}
    for params in [{"reports": [seen]}, {"reports": [seen, unknown], "skip_unknown": True},
                   {"reports": [seen, unknown]}, {"reports": [{**seen, "acme": 1}]}]:
        yield "payecs_importknowledge", voice.call("payecs_importknowledge", **params)
    found = voice.call("payecs_listknowledge", short_channel_id_dir=way)["knowledge"]
    check(len(found) == 1 and found[0]["minimum_msat"] >= 6 and found[0]["reports"], found)
    found = voice.call("payecs_listknowledge", node=payee, after="0x0x0/0", limit=1)["knowledge"]
    check(len(found) == 1 and payee in (found[0]["source"], found[0]["destination"]), found)


def one_life(voice):
    """What one voice is told, with numbers that differ from life to life replaced."""
    # Numbers that are in nothing else, so that they can be replaced.
    entity = 70_070_000 + voice.call("payecs_newentity")["entity"] * 2
    other = entity + 1
    told = [*components(voice, entity, other), *external(voice, entity), *paying(voice),
            *receiving(voice, entity), *layered(voice, entity), *knowing(voice)]
    return [(method, str(answer).replace(str(other), "OTHER").replace(str(entity), "ENTITY"))
            for method, answer in told]


def looks(daemon):
    """What only looks, asked of everybody in both ways: the same, to the letter."""
    http = Http(daemon)
    info, paid = http.call("getinfo"), http.call("listpays", status="complete")["pays"]
    check(paid, "somebody was paid")
    payee = http.call("sim_invoice", "1sat", "n3")["payee"]
    same(http.call("sim_invoice", "1sat", payee)["name"], "n3")
    routes = {"source": info["id"], "destination": payee, "amount_msat": 1000, "layers": [],
              "maxfee_msat": "1sat", "final_cltv": 18}
    asked = [
        ("payecs_listentities", {}), ("payecs_getdefaultsystems", {}), ("payecs_listsystems", {}),
        ("rpc.discover", {}), ("ledger-balance", {}), ("ledger-list", {"start": 2, "limit": 3}),
        ("ledger-list", {}), ("listpays", {}), ("listpays", {"index": "updated", "limit": 2}),
        ("paystatus", {"payment_hash": paid[0]["payment_hash"]}), ("getroutes", routes),
        ("decode", {"string": paid[0]["bolt11"]}), ("payecs_unheard", {})]
    asked += [("check", {"command_to_check": "getroutes", **routes}),
              ("check", {"command_to_check": "pay"})]
    seen = {}
    for method, params in asked:
        told = {}
        for voice in voices(daemon):
            told[str(voice)] = voice.call(method, **params)
            voice.transport.close()
        first = told[next(iter(told))]
        for voice, answer in told.items():
            same(answer, first, method, voice)
        seen[method, str(params)] = first
    pages(http)
    same(seen["payecs_unheard", "{}"][0], -32601, "an unknown method")
    http.close()
    kept = ("payecs_listentities", "ledger-balance", "ledger-list", "listpays", "paystatus")
    return {key: answer for key, answer in seen.items() if key[0] in kept}


def pages(http):
    """Lists page by page are what they are at once."""
    whole, after, found = http.call("payecs_listentities")["entities"], 0, []
    while page := http.call("payecs_listentities", None, None, 3, after or None)["entities"]:
        found, after = found + page, page[-1]["entity"]
    same(found, whole, "entities by page")
    for method, field in (("ledger-list", "entries"), ("listpays", "pays")):
        params = {"index": "created"} if method == "listpays" else {}
        whole, start, found = http.call(method, limit=1000, **params)[field], 1, []
        while start:
            page = http.call(method, start=start, limit=7, **params)
            found, start = found + page[field], page.get("next")
        same(found, whole, method, "by page")


def stored(daemon):
    """A value comes back as its text. An empty line in it would end an answer of the socket."""
    value = b'{"b":0.50,\n\n"a":9007199254740993,"\\u0061":[1e-3]}'
    write = request("payecs_setcomponents", [{"entity": 70_000_000, "acme:v": "VALUE"}])
    for kind in TRANSPORTS:
        transport = kind(daemon)
        same(transport.answer(write.replace(b'"VALUE"', value)).get("result"), {}, kind.name)
        text = transport.ask(request("payecs_getcomponents", [70_000_000, "acme:v"]))
        wanted = value.replace(b"\n", b" ") if kind is Unix else value
        check(b'"acme:v":' + wanted + b"}" in text, kind.name, text)
        transport.close()


def one_directory_one_daemon(daemon, place):
    """A second daemon is refused the directory, and another the port."""
    second = Daemon(daemon.binary, daemon.dir)
    code, said = second.refusal()
    check(code == 1 and f"is held by process {daemon.process.pid}" in said, code, said)
    elsewhere = Daemon(daemon.binary, pathlib.Path(place) / "port", listen=daemon.address)
    code, said = elsewhere.refusal()
    check(code == 1 and daemon.address in said and "in use" in said, code, said)


def live(daemon, place):
    """The whole life, through a `kill -9` and a stop."""
    opened(daemon)
    lives = {}
    for voice in voices(daemon):
        lives[str(voice)] = one_life(voice)
        voice.transport.close()
    first = lives[next(iter(lives))]
    for voice, told in lives.items():
        same(len(told), len(first), voice)
        for one, wanted in zip(told, first):
            same(one, wanted, voice)
    stored(daemon)
    one_directory_one_daemon(daemon, place)
    before = looks(daemon)
    daemon.kill()
    opened(daemon.start())
    same(looks(daemon), before, "after a kill")
    daemon.stop()
    check(not (daemon.dir / "access/address").exists(), "the address is taken away")
    opened(daemon.start())
    same(looks(daemon), before, "after a stop")
