"""`fee_limits.py`: a label limits what fees may be."""

import json

from rig import World, complete, ended, refused
from rpc import check, same, until

LIMITED = ("--before", "lightningd:compute_feebudget=fees:limit")
TOLD = ("--tell", "lightningd:feebudget", "--tell", "fees:limited")
RULES = [{"label": "shop-*", "maxfeepercent": 0.25, "exemptfee": "700msat"},
         {"label": "rent", "maxfeepercent": 2},
         {"label": "n[ao]thing", "maxfeepercent": "0"}]
AMOUNT = 400_000


def budgets(world):
    """The smaller of what is wanted and what the rule allows."""
    for label, amount, rule, budget in (
            # Of 0.5 %, at least 5 sat, the rule leaves 0.25 %, or its own least.
            ("shop-7", AMOUNT, 1, 1_000), ("shop-7", 100_000, 1, 700),
            ("shop-", 2_000_000, 1, 5_000),
            # What is wanted is less than what is allowed.
            ("rent", AMOUNT, 2, 5_000),
            # No rule.
            ("Shop-7", AMOUNT, None, 5_000), (None, AMOUNT, None, 5_000)):
        more = ("--label", label) if label else ()
        found = complete(world.paid(world.invoice(amount), *LIMITED, *TOLD, *more))
        same(found["lightningd:feebudget"], f"{budget}msat", label, amount)
        same(found["fees:limited"]["rule"], rule, label)
        check(int(found["lightningd:fee"][:-4]) <= budget, found)


def given(world):
    """A budget that the caller gives is bounded too, and one that is less is left alone."""
    for wanted, budget in ((900, 900), (1_000, 1_000), (9_999_999, 1_000)):
        entity = world.http.call("payecs_newentity")["entity"]
        world.http.call("payecs_setdefaultsystems", entity=entity,
                        before={"lightningd:compute_feebudget": "fees:limit"})
        world.http.call("payecs_advance", entity, {
            "entity": entity, "lightningd:invoice": world.invoice(AMOUNT),
            "lightningd:main-payment": True, "lightningd:label": "shop-1",
            "lightningd:feebudget": wanted})
        until("it has ended", lambda: world.http.call(
            "payecs_getcomponents", entity, "lightningd:systems")["lightningd:systems"] is None)
        found = world.http.call("payecs_getcomponents", entity, "lightningd:feebudget")
        same(found["lightningd:feebudget"], f"{budget}msat", wanted)


def killed(world, one):
    """What comes while it is away waits for it; two of them share the work, over HTTP and the
    owner's socket."""
    one.kill()
    paying = [world.pays(world.invoice(AMOUNT + at), *LIMITED, *TOLD, "--label", "shop-2")
              for at in range(4)]
    until("they wait", lambda: len(world.listed("lightningd:amount", "lightningd:nonce")) >= 4
          and sum("lightningd:feebudget" not in entity
                  for entity in world.listed("lightningd:main-payment")) == 4)
    rules = world.dir / "rules.json"
    for way in ("http", "unix"):
        world.runs("fee_limits", "--rules", rules, "--connect", way)
    for payment in paying:
        same(complete(ended(payment))["fees:limited"]["rule"], 1)


def strangers(world):
    """Who has no token, or one for less, is told so and ends."""
    rules, wrong, less = (world.dir / name for name in ("rules.json", "wrong", "less"))
    wrong.write_text("0" * 64)
    less.write_text(world.daemon.token("less", "--scope", "read", "--scope", "flow",
                                       "--component", "fees:"))
    for way in ("ws", "http"):
        for file, said in ((wrong, "does not know the token"), (less, "1502: Not permitted")):
            found = refused("fee_limits", "--rules", str(rules), "--data-dir", str(world.dir),
                            "--token-file", str(file), "--connect", way)
            check(said in found, way, found)


def misused(place):
    place.mkdir()
    file = place / "wrong.json"
    for text, said in [
            ("[", "wrong.json: "), ("[]", "list of rules"), ("[{}]", "rule 1: a rule has `label`"),
            ('[{"label": "a", "maxfeepercent": 1}, {"label": "a", "maxfeepercent": 100.5}]',
             "rule 2: `100.5` is no share"),
            ('[{"label": "a", "maxfeepercent": 1, "exemptfee": "1sat"}]', "`1sat` is no amount"),
            ('[{"label": 7, "maxfeepercent": 1}]', "rule 1: `label` is a text")]:
        file.write_text(text)
        found = refused("fee_limits", "--rules", str(file), "--data-dir", str(place))
        check(said in found, text, found)
    check("No such file" in refused("fee_limits", "--rules", str(place / "none.json")))


def all_of_it(binary, place):
    misused(place / "wrong")
    world = World(binary, place / "d")
    try:
        rules = world.dir / "rules.json"
        rules.write_text(json.dumps(RULES))
        one = world.runs("fee_limits", "--rules", rules)
        budgets(world)
        given(world)
        strangers(world)
        killed(world, one)
    finally:
        world.end()
