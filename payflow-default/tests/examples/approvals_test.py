"""`approve.py`: a human is asked, and silence is a no."""

import json

from rig import LONG_S, World, complete, ended, failed, holder, refused
from rpc import Http, check, same, until

# Amount and fee budget together are what is asked about.
ABOVE = 50_000
SMALL, LARGE = 40_000, 60_000
REFUSED = 2310


def asker(world, name, then):
    """A program that answers: what it is told is in its calls."""
    return holder(world.dir, name, f"called(json.dumps(json.load(sys.stdin)))\n{then}\n")


def approver(world, command, *options):
    return world.runs("approve", "--every", "0.1", *options, "--command", *command, heard=None)


def yes_and_no(world):
    """A yes pays, a no does not; what is not above the amount is not asked about."""
    last = "CALLS.read_text().splitlines()[-1]"
    command, calls, _ = asker(world, "shop_only", f"sys.exit(0 if 'shop' in {last} else 1)")
    one = approver(world, command)
    complete(world.paid(world.invoice(SMALL)))
    same(calls.read_text(), "", "nobody was asked")
    invoice = world.invoice(LARGE)
    complete(world.paid(invoice, "--label", "shop"))
    one.until_it_says("approved")
    error = failed(world.paid(world.invoice(LARGE), "--label", "casino"), REFUSED)
    check("operator refused" in error["message"], error)
    one.until_it_says("refused")
    facts = json.loads(calls.read_text().splitlines()[0])
    decoded = world.http.call("decode", invoice)
    same((facts["requested_msat"], facts["above_msat"]), (LARGE + 5_000, ABOVE))
    same((facts["label"], facts["destination"]), ("shop", decoded["payee"]))
    one.kill()


def silence(world):
    """A program that has no answer in time has said no."""
    command, _, hold = asker(world, "silent", "sys.exit(0)")
    hold.touch()
    one = approver(world, command, "--timeout", "0.3")
    failed(world.paid(world.invoice(LARGE)), REFUSED)
    one.until_it_says("no answer: refused")
    one.kill()
    hold.unlink()


def nobody(world):
    """Where nobody runs it, the engine's own time is up."""
    options = world.daemon.options
    options[options.index("--approval-timeout") + 1] = "5"
    world.again()
    error = failed(world.paid(world.invoice(LARGE)), REFUSED)
    check("in time" in error["message"], error)


def at_the_terminal(world):
    """Somebody types a yes, a no, and what is neither; then nothing more, and goes away."""
    one = world.runs("approve", "--every", "0.1", "--timeout", "2", heard=None, typed=True)
    one.types("Yes")
    complete(world.paid(world.invoice(LARGE)))
    for said in ("n", "yess", "", None):
        if said is not None:
            one.types(said)
        failed(world.paid(world.invoice(LARGE)), REFUSED)
    one.until_it_says("refused", times=4)
    one.process.stdin.close()
    paying = world.pays(world.invoice(LARGE))
    until("it has ended", lambda: one.process.poll() is not None)
    check(one.has_said("stdin is closed"), one.lines)
    command, _, _ = asker(world, "refuses", "sys.exit(1)")
    two = approver(world, command)
    failed(ended(paying), REFUSED)
    two.kill()


def killed(world):
    """Killed while it asks, and started again: it asks again. So after a restart of the daemon."""
    command, calls, hold = asker(world, "killed", "sys.exit(0)")
    hold.touch()
    one = approver(world, command)
    paying = world.pays(world.invoice(LARGE))
    until("it asks", lambda: calls.read_text())
    one.kill()
    hold.unlink()
    one = approver(world, command)
    complete(ended(paying))
    world.again()
    complete(world.paid(world.invoice(LARGE)))
    same(len(calls.read_text().splitlines()), 3, "asked, asked again, and of the second one")
    one.kill()


def two_at_once(world):
    """The first word counts; and each payment has its own."""
    slow, calls, hold = asker(world, "slow", "sys.exit(1)")
    hold.touch()
    first = approver(world, slow)
    paying = [world.pays(world.invoice(LARGE + at)) for at in range(2)]
    until("the slow one is asked", lambda: calls.read_text())
    quick, _, _ = asker(world, "quick", "sys.exit(0)")
    second = approver(world, quick)
    for one in paying:
        complete(ended(one))
    hold.unlink()
    first.until_it_says("the question is over")
    for one in (first, second):
        one.kill()


def faults(world):
    """A program that breaks gives no word; a token for less gives none either."""
    command, calls, _ = asker(world, "broken", "sys.exit(2 if CALLS.read_text().count('{') < 3 "
                                               "else 0)")
    one = approver(world, command)
    complete(world.paid(world.invoice(LARGE)))
    one.until_it_says("neither yes (0) nor no (1)", times=2)
    same(len(calls.read_text().splitlines()), 3)
    one.kill()
    less = world.daemon.token("less", "--scope", "read", "--scope", "flow")
    http = Http(world.daemon, less)
    same(http.code("payecs_setcomponents", {"entity": 1, "lightningd:approval": True}), 1502)
    approver_only = Http(world.daemon, (world.dir / "approver.token").read_text())
    for method, params in (
            ("payecs_newentity", []), ("pay", [world.invoice(1_000)]),
            ("payecs_advance", [1, {"entity": 1, "lightningd:amount": 1}])):
        same(approver_only.code(method, *params), 1502, method)


def misused():
    check("--data-dir" in refused("approve"), refused("approve"))
    said = refused("approve", "--timeout", "soon")
    check("--timeout" in said, said)


def all_of_it(binary, place):
    misused()
    world = World(binary, place / "d", "--ask-above", f"{ABOVE}msat", "--approval-timeout", str(LONG_S))
    try:
        for part in (yes_and_no, silence, at_the_terminal, killed, two_at_once, faults, nobody):
            part(world)
    finally:
        world.end()
