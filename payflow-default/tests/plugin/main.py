"""Runs one part against a binary: `main.py PART BINARY DIRECTORY`. Ends with 1 and what was found
where something is not as it should be."""

import json
import pathlib
import subprocess
import sys
import time

from pipe import Plugin, asked, check, request, same

import life
from limits import broken_with_id, judging, large
from rpc import Refused, until

# What lightningd 26 has of ours, and of what ours may have.
LIGHTNINGDS = """pay paystatus listpays keysend xpay renepay invoice listinvoices waitinvoice wait
decode decodepay getroute getroutes getinfo check help stop listpeers sendpay waitsendpay bkpr-listbalances
fetchinvoice offer signinvoice sql""".split()

# What is told, and topics that are lightningd's alone.
TOPICS = ["payecs_system_invoke", "paycode_payment", "payecs_invoice_payment"]
NATIVE = """channel_opened channel_open_failed channel_state_changed connect disconnect warning
invoice_payment invoice_creation forward_event sendpay_success sendpay_failure coin_movement
balance_snapshot block_added openchannel_peer_sigs shutdown custommsg onionmessage_forward_fail
deprecated_oneshot log plugin_started plugin_stopped""".split()


def handshake(binary, place):
    plugin = Plugin(binary, place / "ln", start=False)
    same(plugin.code("payecs_newentity"), -32600, "before init")
    early = {"config": "payecs-autoclean-cycle", "val": "60"}
    same(plugin.code("setconfig", **early), -32600, "before init")
    manifest = plugin.begin()
    names = [one["name"] for one in manifest["rpcmethods"]]
    same(len(set(names)), len(names), "no two have one name")
    check(not set(names) & set(LIGHTNINGDS), "names that lightningd has")
    for name in ("payecs_newentity", "payecs_advance", "payecs-pay", "payecs-decode", "cancelpay"):
        check(name in names, name)
    for one in manifest["rpcmethods"]:
        check(isinstance(one["usage"], str) and one["description"], one)
    for one in manifest["options"]:
        check(one["type"] in ("string", "int", "flag") and one["description"], one)
        check(one["name"].startswith("payecs-"), one)
    same(manifest["notifications"], [{"method": topic} for topic in TOPICS])
    check(not set(TOPICS) & set(NATIVE), "lightningd refuses a plugin that declares one of its own")
    same((manifest["nonnumericids"], manifest["dynamic"], manifest["cancheck"], manifest["hooks"]),
         (True, True, True, []))
    same(manifest["subscriptions"], ["shutdown"])
    same(plugin.code("init", {}, {}), -32600, "a second init")
    same(plugin.code("getmanifest"), 0, "again")
    same(plugin.code("pay", "x"), -32602, "payecs-pay")
    for name in ("pay", "decode", "payecs_newentit", "", "x" * 1000):
        found = json.loads(plugin.ask(request(name)))["error"]
        same(found["code"], -32601, found)
    check("payecs_newentity" in json.loads(plugin.ask(request("payecs_newentit")))["error"]
          ["message"], "which one may be meant")
    dynamic = [one["name"] for one in manifest["options"] if one.get("dynamic")]
    same(len(dynamic), 5, dynamic)
    for config, val in [(one, "60") for one in dynamic] + [("payecs-autoclean-cycle", 61)]:
        same(plugin.call("setconfig", config=config, val=val), {}, config)
    for sub, status in plugin.call("autoclean-status")["autoclean"].items():
        same(status, {"enabled": True, "age": 60, "cleaned": 0}, sub)
    for wrong in ({}, {"config": "payecs-nodes", "val": "9"}, {"config": dynamic[0]},
                  {"config": dynamic[0], "val": "soon"}):
        same(plugin.code("setconfig", **wrong), -32602, wrong)
    check((place / "ln/payecs/journal").is_dir(), "it is kept below lightningd's directory")
    second = Plugin(binary, place / "ln", start=False)
    for options, why in [({"payecs-nodes": 1}, "payecs-nodes"), ({}, "held")]:
        other = Plugin(binary, place / "ln", start=False)
        answer = other.call("init", options=options,
                            configuration={"lightning-dir": str(place / "ln")})
        check(why in answer["disable"] or why == "held" and "process" in answer["disable"], answer)
        # lightningd says why only where it logs what is for debugging.
        said = {"level": "unusual", "message": f"not started: {answer['disable']}"}
        same([one["params"] for one in other.told if one["method"] == "log"], [said])
        same(other.code("payecs_newentity"), -32600, "it is not started")
        same(other.ends(), ([], 0), "and ends")
    same(second.ends(), ([], 0), "one that was never asked")
    # payz's programs say hardly anything, and by position.
    bare = Plugin(binary, place / "bare", start=False)
    same(bare.call("init", {"payecs-nodes": 20}, {"lightning-dir": str(place / "bare")}), {})
    same(bare.call("payecs_newentity"), {"entity": 1})
    same(bare.ends(), ([], 0))
    same(plugin.ends(), ([], 0))
    same([one for one in plugin.told if one["method"] not in ("log", "payecs_system_invoke")], [])


def whole_life(binary, place):
    """Every command, twice: by name and by position."""
    plugin = Plugin(binary, place / "ln")
    until("it is open", lambda: (found := plugin.call("getinfo"))["synced"]
          and found["intake"]["open"])
    until("the history is there", lambda: plugin.code("listpays", status="failed") != 2321)
    called = set()
    plain = plugin.call

    def noted(method, *params, **named):
        called.add(plugin.names.get(method, method))
        return plain(method, *params, **named)
    plugin.call = noted
    told = [life.one_life(life.Voice(plugin, by_name)) for by_name in (True, False)]
    same(told[0], told[1], "by name and by position")
    entity = plugin.call("payecs_newentity")["entity"]
    plugin.call("payecs_setcomponents", {"entity": entity, "acme:x": 1})
    same(plugin.call("payecs_wait", entity=entity, until="acme:x"), plugin.call(
        "payecs_wait", entity, "acme:x"))
    info = plugin.call("getinfo")
    payee = plugin.call("sim_invoice", "1sat", "n3")["payee"]
    routes = plugin.call("getroutes", source=info["id"], destination=payee, amount_msat=1000,
                         layers=[], maxfee_msat=1000, final_cltv=18)
    check(routes["routes"], routes)
    check("accounts" in plugin.call("ledger-balance"), "the books")
    judging(plugin)
    check("lightningd:settle" in str(plugin.call("payecs_listsystems")), "Systems")
    check("lightningd:settle" in plugin.call("payecs_getdefaultsystems")["systems"], "the list")
    same(plugin.call("payecs_events", 0)["events"][0]["event"], "pay_success")
    plugin.call("payecs_newsystem", "acme:tip", "acme:tip:asked")
    same(plugin.call("payecs_invocations", "acme:tip", 0), {"invocations": []})
    left = set(plugin.names.values()) - called
    same(left, set(), "every command was called")
    same(plugin.ends(), ([], 0))


def received(binary, place):
    """What is paid is told on the topics of the manifest, and only while the plugin runs."""
    def of_receipts(plugin):
        return [(one["method"], one["params"]) for one in plugin.told
                if one["method"] in TOPICS[1:]]

    plugin = Plugin(binary, place / "ln", **{"payecs-announce": "external"})
    until("it is open", lambda: plugin.call("getinfo")["intake"]["open"])
    for label in ("tea", "cake"):
        bolt11 = plugin.call("invoice", "7sat", label, "to ourselves")["bolt11"]
        plugin.call("pay", bolt11)
    channel = plugin.call("ledger-balance")["accounts"][0]["account"].rsplit(":", 1)[1]
    moved = plugin.call("rebalance", channel, "70%")
    until("all are told of", lambda: len(of_receipts(plugin)) == 3)
    events = plugin.call("payecs_events", since=0, events=["paycode_payment", "invoice_payment"])
    tea, cake, around = events["events"]
    same(of_receipts(plugin), [("payecs_invoice_payment", tea), ("payecs_invoice_payment", cake),
                               ("paycode_payment", around)])
    same([(one["label"], one["amount_msat"]) for one in (tea, cake)],
         [("tea", 7000), ("cake", 7000)])
    same([around[name] for name in ("payment_hash", "amount_msat", "circular")],
         [moved["payment_hash"], moved["amount_msat"], True])
    check("preimage" not in str(of_receipts(plugin)), "no secret is told")
    same(plugin.ends(), ([], 0))
    again = Plugin(binary, place / "ln", **{"payecs-announce": "external"})
    same(again.call("payecs_events", since=0, events=["paycode_payment", "invoice_payment"]), events)
    same(again.ends(), ([], 0))
    same(of_receipts(again), [], "what was before is not told again")


def told(binary, place):
    plugin = Plugin(binary, place / "ln")
    new = plugin.call("payecs_newentity")["entity"]
    plugin.call("payecs_newsystem", "acme:out", ["acme:go"], ["acme:done"])
    plugin.call("payecs_setcomponents", [{"entity": new, "acme:go": {"a": [1.50]},
                "lightningd:systems": {"systems": ["lightningd:generate_nonce", "acme:out"]}}])
    plugin.send(request("payecs_advance", [new], "x"))
    text, before = plugin.next()
    same(json.loads(text), {"jsonrpc": "2.0", "id": "x", "result": {}})
    invoked = plugin.systems()
    check(before == len(plugin.told), "all that it did was told before its answer")
    same([one["system"] for one in invoked], ["lightningd:generate_nonce", "acme:out"])
    same(set(invoked[0]), {"system", "entity"}, "one of the flow waits for nobody")
    same(invoked[1], {"system": "acme:out", "entity": {"entity": new, "acme:go": {"a": [1.5]}},
                      "invocation": invoked[1]["invocation"]})
    # Many at once: each is told of before it is answered.
    many = [plugin.call("payecs_newentity")["entity"] for _ in range(100)]
    plugin.call("payecs_setcomponents", [
        {"entity": one, "acme:go": 1, "lightningd:systems": {"systems": ["acme:out"]}}
        for one in many])
    plugin.send(b"".join(request("payecs_advance", [one], f"a{one}") for one in many))
    for _ in many:
        text, before = plugin.next()
        ident = int(json.loads(text)["id"][1:])
        found = [one["params"]["entity"]["entity"] for one in plugin.told[:before]
                 if one["method"] == "payecs_system_invoke"]
        check(ident in found, ident, "is told of before its answer")
    # Who notifies runs nothing.
    nonce = ["lightningd:nonce"]
    other = plugin.call("payecs_newentity")["entity"]
    plugin.call("payecs_setcomponents", [{"entity": other, "lightningd:systems":
                {"systems": ["lightningd:generate_nonce"]}}])
    invoke = {"system": "lightningd:generate_nonce", "entity": {"entity": other,
              "lightningd:systems": {"systems": ["lightningd:generate_nonce"]}}}
    for note in ({"origin": "evil", "payload": invoke}, invoke, [], None):
        plugin.send(json.dumps({"jsonrpc": "2.0", "method": "payecs_system_invoke",
                                "params": note}).encode())
    for method in ("connect", "payecs_advance", "getmanifest", "init", "x"):
        plugin.send(json.dumps({"jsonrpc": "2.0", "method": method, "params": [other]}).encode())
    same(plugin.call("payecs_getcomponents", other, nonce)["lightningd:nonce"], None)
    plugin.call("payecs_advance", other)
    check(plugin.call("payecs_getcomponents", other, nonce)["lightningd:nonce"], "it can run")
    same(plugin.ends(), ([], 0))
    alone = Plugin(binary, place / "alone", **{"payecs-announce": "external"})
    new = alone.call("payecs_newentity")["entity"]
    alone.call("payecs_newsystem", "acme:out", ["acme:go"], ["acme:done"])
    alone.call("payecs_setcomponents", [{"entity": new, "acme:go": 1, "lightningd:systems":
               {"systems": ["lightningd:generate_nonce", "acme:out"]}}])
    alone.call("payecs_advance", new)
    same([one["system"] for one in alone.systems()], ["acme:out"])
    same(alone.ends(), ([], 0))


def framing(binary, place):
    plugin = Plugin(binary, place / "ln")
    idents = [1, 0, 2**64 - 1, "", "cli:payecs#7/cln:pay#8", "\u00fc\"\\ \U0001f600", "1"]
    bodies = [asked("payecs_getcomponents", [1, ["acme:\u00fc"]], one) for one in idents]
    for between in (b"", b"\n", b"\n\n", b" \r\n\t"):
        plugin.send(between.join(bodies))
        found = plugin.answers(len(idents))
        same(set(found), {json.dumps(one) for one in idents}, between)
    stream = b"".join(bodies)
    for cut in (1, 2, 3, 5, 17):
        for at in range(0, len(stream), cut):
            plugin.send(stream[at:at + cut])
        same(len(plugin.answers(len(idents))), len(idents), "cut after", cut)
    escaped = json.dumps({"jsonrpc": "2.0", "id": "\u00e9", "method": "payecs_newentity"}).encode()
    check(b"\\u00e9" in escaped, "an escape")
    for at in range(1, len(escaped)):
        plugin.send(escaped[:at])
        plugin.send(escaped[at:])
    same([json.loads(plugin.next()[0])["id"] for _ in range(1, len(escaped))],
         ["\u00e9"] * (len(escaped) - 1), "split anywhere")
    good = request("payecs_getcomponents", [1, "acme:x"], "good")
    for what, bad, code in [
            ("garbage", b"\x00\xff hello", -32700), ("brackets", b"{]", -32700),
            ("too deep", b"[" * 10_000 + b"]" * 10_000, -32700),
            ("too large", b'{"a":"' + b"x" * (2 << 20) + b'"}', -32007),
            ("no request", b"{}", -32600), ("an array", b"[" + good + b"]", -32600),
            ("an object as id", b'{"jsonrpc":"2.0","id":{},"method":"x"}', -32600),
            ("a broken id", b'{"jsonrpc":"2.0","id":1.5,"method":"x"}', -32600),
            ("no version", b'{"id":null,"method":"x"}', -32600),
            ("half a letter", b'{"jsonrpc":"2.0","id":"\\ud800","method":"x"}', -32700)]:
        plugin.send(good + bad + good)
        found = [json.loads(plugin.next()[0]) for _ in range(3)]
        same(sorted(one["id"] or "" for one in found), ["", "good", "good"], what)
        same([one["error"]["code"] for one in found if not one["id"]], [code], what)
    broken_with_id(plugin, good)
    # One large request after the other leaves nothing behind.
    large = [request("payecs_setcomponents", [{"entity": 9, "acme:x": "x" * (15 << 17)}]),
             request("payecs_delentity", [9])]
    for body in large:
        plugin.ask(body)
    before = plugin.memory()
    for _ in range(80):
        for body in large:
            check(b'"result"' in plugin.ask(body), "a large request is taken")
    after = plugin.memory()
    check(after < before + (96 << 20), "memory is given back:", before, after)
    same(plugin.ends(), ([], 0))


def pipelined(binary, place):
    plugin = Plugin(binary, place / "ln")
    count = 20_000
    plugin.send(b"".join(asked("payecs_newentity", [], f"n{at}") for at in range(count)))
    found = plugin.answers(count)
    same({one["result"]["entity"] for one in found.values()}, set(range(1, count + 1)))
    in_turn = [found[f'"n{at}"']["result"]["entity"] for at in range(count)]
    same(in_turn, sorted(in_turn), "begun in the order in which they came")
    plugin.send(b"".join(asked("payecs_setcomponents", [{"entity": at, "acme:x": at}], at)
                         for at in range(1, count + 1)))
    same({one["result"] == {} for one in plugin.answers(count).values()}, {True})
    plugin.send(b"".join(asked("payecs_getcomponents", [at, "acme:x"], at)
                         for at in range(1, count + 1)))
    found = plugin.answers(count)
    same({found[str(at)]["result"]["acme:x"] == at for at in range(1, count + 1)}, {True})
    listed = plugin.call("payecs_listentities", ["acme:x"])["entities"]
    same(len(listed), count, "all are listed")
    # Who waits is answered when it is time, and holds nobody up.
    plugin.send(b"".join(asked("payecs_wait", [7, "acme:y"], f"w{at}") for at in range(1_000)))
    plugin.call("payecs_setcomponents", [{"entity": 7, "acme:y": 1}])
    same(len(plugin.answers(1_000)), 1_000)
    same(plugin.ends(), ([], 0))


def ends(binary, place):
    plugin = Plugin(binary, place / "ln")
    # Done before the end is seen; one that waits is told that it ends.
    body = b"".join(asked("payecs_setcomponents", [{"entity": at, "acme:x": 1}], at)
                    for at in range(1, 501))
    plugin.send(body + asked("payecs_wait", [3, "acme:never"], "waits"))
    rest, code = plugin.ends()
    same((len(rest), code), (501, 0))
    by_id = {one["id"]: one for one in rest}
    same(by_id.pop("waits")["error"]["code"], -5, "it is told")
    same({json.dumps(one["result"]) for one in by_id.values()}, {"{}"})
    plugin = Plugin(binary, place / "ln")
    same(len(plugin.call("payecs_listentities", "acme:x")["entities"]), 500, "and kept")
    plugin.send(asked("payecs_delentity", [1], 1) + b'{"jsonrpc":"2.0","method":"shutdown"}')
    rest, code = plugin.is_gone()
    same(([one["result"] for one in rest], code), ([{}], 0), "lightningd stops")
    plugin = Plugin(binary, place / "ln")
    same(len(plugin.call("payecs_listentities", "acme:x")["entities"]), 499)
    plugin.process.terminate()
    same(plugin.is_gone(), ([], 0), "SIGTERM")
    plugin = Plugin(binary, place / "ln")
    plugin.send(b'{"jsonrpc":"2.0","id":1,"method":"payecs_newentity"')
    same(plugin.ends(), ([], 0), "in the middle of a request")
    # Who reads no more: it ends all the same, and in order.
    process = subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, cwd=place)
    process.stdout.close()
    process.stdin.write(request("getmanifest"))
    process.stdin.close()
    same(process.wait(60), 0)


def kills(binary, place):
    kept = set()
    for turn in range(3):
        plugin = Plugin(binary, place / "ln")
        found = plugin.call("payecs_listentities", "acme:x")["entities"]
        numbers = {one["entity"] for one in found}
        check(kept <= numbers, "what was answered is there after a kill", kept - numbers)
        same({one["acme:x"] for one in found if one["entity"] in kept}, {"ü\n"} if kept else set())
        for _ in range(50):
            new = plugin.call("payecs_newentity")["entity"]
            check(new not in kept, "a number is given once")
            plugin.call("payecs_setcomponents", [{"entity": new, "acme:x": "ü\n"}])
            kept.add(new)
        body = b"".join(asked("payecs_newentity", [], at) for at in range(1_000))
        plugin.send(body)
        plugin.kill()
    same(len(kept), 150)


def asks(binary, place):
    """A payment above what an operator has set waits for an answer."""
    plugin = Plugin(binary, place / "ln", **{"payecs-ask-above": "100sat"})
    until("it is open", lambda: plugin.call("getinfo")["intake"]["open"])
    until("the history is there", lambda: plugin.code("listpays", status="failed") != 2321)
    small, large = (plugin.call("sim_invoice", amount, "n3")["bolt11"]
                    for amount in ("1sat", "1000sat"))
    same(plugin.call("pay", small)["status"], "complete", "nobody is asked")
    plugin.send(request(plugin.names["pay"], [large], "large"))
    question = "lightningd:approval:asked"
    entity = until("it asks", lambda: [
        one["entity"] for one in plugin.call("payecs_listentities")["entities"]
        if question in one])[0]
    plugin.call("payecs_advance", entity, {"entity": entity, "lightningd:approval": True})
    paid = json.loads(plugin.next()[0])
    same((paid["id"], paid["result"]["status"]), ("large", "complete"), "with the answer")
    same(plugin.ends(), ([], 0))


def spanless(binary, place):
    """A collector is named to a program that was not built for it."""
    plugin = Plugin(binary, place / "ln", start=False)
    answer = plugin.call("init", options={"payecs-otlp": "http://127.0.0.1:4318"},
                         configuration={"lightning-dir": str(place / "ln")})
    for said in ("payecs-otlp: no spans can be sent to http://127.0.0.1:4318", "--features otlp"):
        check(said in answer["disable"], answer)
    check(not (place / "ln/payecs").exists(), "nothing was made")
    same(plugin.ends(), ([], 0))


PARTS = {"handshake": handshake, "life": whole_life, "received": received, "told": told,
         "framing": framing, "large": large, "pipelined": pipelined, "ends": ends, "kills": kills,
         "asks": asks, "spanless": spanless}


def main():
    part, binary, place = sys.argv[1:]
    since = time.monotonic()
    PARTS[part](binary, pathlib.Path(place))
    print(f"{part}: {time.monotonic() - since:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
