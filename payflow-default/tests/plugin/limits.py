"""What is judged before it is done."""

import json

from pipe import request, same


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
