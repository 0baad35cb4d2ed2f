"""What is judged before it is done, and what is as large as may be."""

import json

from pipe import Plugin, asked, check, request, same


def judging(plugin):
    """What lightningd's `check` of our commands comes to: it hands it on under its own name."""
    def judge(*params, **named):
        given = named or list(params)
        answer = json.loads(plugin.ask(request("check", given)))
        return answer.get("result") or answer["error"]["code"]

    def fits(name):
        return {"command_to_check": name}
    entity, aged = plugin.call("payecs_newentity")["entity"], "payecs-autoclean-cycle"
    for name in ("payecs_newentity", "payecs-getinfo", "sim_invoice"):
        params = ["1sat"] if name == "sim_invoice" else []
        same(judge(name, *params), fits(name), name)
        same(plugin.call("check", name, *params), fits(name), name)
    same(judge(command_to_check="payecs-decode", string="x"), fits("payecs-decode"))
    same(plugin.call("check", "getinfo"), fits("getinfo"), "as it is called in the engine")
    for params in (["payecs-pay"], ["payecs-decode", "x", 1], ["payecs_advance", 0],
                   ["payecs-check"], []):
        same(judge(*params), -32602, params)
    same(judge(command_to_check="payecs-invoice", amount_msat=0, label="x", description="x"), -32602)
    same((judge("payecs_nothing"), judge("payecs_delentity", entity)), (-32601, 2204))
    setting = {"command_to_check": "setconfig", "config": aged}
    same((judge(**setting, val="60"), judge(**setting, val="soon")), (fits("setconfig"), -32602))


def broken_with_id(plugin, good):
    """lightningd takes in what we don't, and its caller waits for an answer with its id."""
    deep = b"[" * 100 + b"]" * 100
    for what, bad, code in [
            ("no UTF-8", b'{"id":"x","method":"\xc3\x28"}', -32700),
            ("a line that ends in a string", b'{"id":"x","method":"y\n\n', -32700),
            ("half a request", b'{"jsonrpc":"2.0","id":"x","method"', -32700),
            ("half a letter", b'{"jsonrpc":"2.0","params":["\\ud800"],"id":"x"}', -32700),
            ("no number", b'{"params":[01],"id":"x"}', -32700),
            ("a tab", b'{"jsonrpc":"2.0","id":"x","method":"y","params":["\t"]}', -32700),
            ("too deep", b'{"id":"x","params":' + deep + b"}", -32700),
            ("too large", b'{"params":"' + b"x" * (2 << 20) + b'","id":"x"}', -32007)]:
        plugin.send(bad + good)
        found = json.loads(plugin.next()[0])
        same((found["id"], found["error"]["code"]), ("x", code), what)
        same(json.loads(plugin.next()[0])["id"], "good", what)


def large(binary, place):
    """What one request may be, and what an Entity may have, is kept: no record is too long."""
    plugin = Plugin(binary, place / "ln")
    value, kept = "x" * (15 << 17), []
    # More than 16 MiB.
    for at in range(9):
        same(plugin.call("payecs_setcomponents", {"entity": 1, f"acme:x{at}": value}), {}, at)
        kept.append(f"acme:x{at}")
    # As many small ones as fit, each for itself.
    small = [{"entity": at, "a:b": 1} for at in range(2, 80_000)]
    text = asked("payecs_setcomponents", [small], 1)
    check((15 << 17) < len(text) < (2 << 20), "it is as long as may be", len(text))
    same(json.loads(plugin.ask(text))["result"], {})
    plugin.call("payecs_setcomponents", {"entity": 1, "acme:small": 1})
    plugin.kill()
    plugin = Plugin(binary, place / "ln")
    for name in kept:
        found = plugin.call("payecs_getcomponents", 1, [name])
        check(found[name] == value, name, "is there after a kill")
    same(len(plugin.call("payecs_listentities", "a:b")["entities"]), len(small))
    same(plugin.ends(), ([], 0))
