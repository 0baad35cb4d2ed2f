"""`tip.py`: each payment is tipped once, and never beyond what was set."""

from rig import LONG_S, World, complete, ended, holder, refused
from rpc import check, same, until

TIPPED = ("--before", "lightningd:settle=tip:pay")
MAX = 2_500
TAKER = "n7"


class Tips(World):
    """A daemon, and whoever gets the tips."""

    def __init__(self, binary, place):
        super().__init__(binary, place)
        self.command, self.calls, self.hold = holder(
            place, "invoice_of",
            "amount = sys.argv[-1]\n"
            "called(amount)\n"
            f"words = [{binary!r}, 'call', '--data-dir', {str(place)!r}, 'sim_invoice']\n"
            f"out = subprocess.run([*words, amount, {TAKER!r}], check=True, capture_output=True)\n"
            "print(json.loads(out.stdout)['bolt11'])\n")

    def tipper(self, *options, command=None, grace=LONG_S):
        return self.runs("tip", "--max", MAX, "--min", 10, "--grace", grace, *options,
                         "--invoice-command", *(command or self.command))


def tips_of(world):
    """The tips of all payments so far, once they have ended."""
    def look():
        found = world.listed("tip:of")
        return [found] if all("lightningd:systems" not in one for one in found) else None
    return until("the tips have ended", look)[0]


def amounts(world):
    return sorted(one["lightningd:amount"] for one in tips_of(world))


def shares(world):
    """One percent, at most what was set, and nothing where that is next to nothing."""
    first = world.tipper("--percent", "1")
    for amount, tip in ((100_000, 1_000), (149_999, 1_499), (900_000, MAX), (999, None)):
        found = complete(world.paid(world.invoice(amount), *TIPPED, "--tell", "tip:done"))
        same(found["tip:done"].get("amount_msat"), tip, amount)
    same(amounts(world), ["1000msat", "1499msat", f"{MAX}msat"])
    payee = world.http.call("sim_invoice", 1, TAKER)["payee"]
    for one in tips_of(world):
        complete(one)
        same(one["lightningd:destination"], payee, "who gets it")
        trace = world.http.call("payecs_systrace", one["entity"])["trace"]
        check(all(run["system"] != "tip:pay" for run in trace), "a tip of a tip", trace)
    return first


def once(world):
    """What is paid again is not tipped again."""
    invoice = world.invoice(50_000)
    before = len(tips_of(world))
    for _ in range(2):
        complete(world.paid(invoice, *TIPPED))
    same(len(tips_of(world)), before + 1, "one tip")


def killed(world, first):
    """Killed with the work in hand, and started again: one tip."""
    before = len(tips_of(world))
    world.hold.touch()
    paying = world.pays(world.invoice(70_000), *TIPPED)
    calls = len(world.calls.read_text().split())
    until("it asks for an invoice", lambda: len(world.calls.read_text().split()) > calls)
    first.kill()
    world.hold.unlink()
    second = world.tipper()
    complete(ended(paying))
    same(amounts(world).count("700msat"), 1, "one tip")
    same(len(tips_of(world)), before + 1)
    return second


def restarted(world, second):
    """It finds a daemon that was killed and serves elsewhere now."""
    said = second.has_said("serving")
    world.again()
    second.until_it_says("serving", said + 1)
    complete(world.paid(world.invoice(80_000), *TIPPED))
    same(amounts(world).count("800msat"), 1, "one tip")


def two_at_once(world):
    """Two programs share the work."""
    world.tipper()
    before = len(tips_of(world))
    amount = 20_000
    paying = [world.pays(world.invoice(amount + 1_000 * at), *TIPPED) for at in range(6)]
    for one in paying:
        complete(ended(one))
    same(len(tips_of(world)), before + 6, "each once")
    found = world.http.call("payecs_listsystems")["systems"]
    served, = [one for one in found if one["system"] == "tip:pay"]
    same((served["servers"], served["owner"]), (2, "tip"))


def away(world):
    """While nobody serves it, or has no invoice, payments end without a tip."""
    before = len(tips_of(world))
    world.tipper(grace=1).kill()
    complete(world.paid(world.invoice(30_000), *TIPPED))
    liar, _, _ = holder(world.dir, "liar", "print('lnbcrt90n1pvjluez')\n")
    for command in (liar, ["/nowhere/to/be/found"]):
        one = world.tipper(command=command)
        found = complete(world.paid(world.invoice(31_000), *TIPPED, "--tell", "tip:done"))
        check("no invoice" in found["tip:done"]["none"], found)
        one.until_it_says("no tip: ")
        one.kill()
    same(len(tips_of(world)), before, "no tip")


def misused(place):
    for options, said in [
            ((), "--max"), (("--max", "1.5", "--invoice-command", "x"), "`1.5` is no amount"),
            (("--percent", "0.0000001", "--max", "1", "--invoice-command", "x"), "is no share"),
            (("--max", "1", "--invoice-command"), "name a program"),
            (("--max", "1", "--invoice-command", "x"), "--data-dir")]:
        check(said in refused("tip", *options), options, refused("tip", *options))


def all_of_it(binary, place):
    misused(place)
    world = Tips(binary, place / "d")
    try:
        first = shares(world)
        once(world)
        second = killed(world, first)
        restarted(world, second)
        two_at_once(world)
        for one in world.running:
            one.kill()
        away(world)
    finally:
        world.end()
