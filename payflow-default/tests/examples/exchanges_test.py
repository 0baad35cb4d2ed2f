"""`exchange.py`: an invoice of another currency is paid for once, and proved."""

import hashlib
import json

import bolt11
from rig import World, complete, ended, failed, holder, refused
from rpc import check, same, until

EXCHANGED = ("--before", "lightningd:check_currency=exchange:order", "--tell", "exchange:paid")
# The foreign network: its payee's key, and when the simulated networks begin.
KEY, BEGIN_S = 0xF0E1, 1_767_225_600
PARTNER = "n7"


class Abroad(World):
    """A daemon, and a partner who is paid here and pays there: it knows the preimages of there."""

    def __init__(self, binary, place):
        super().__init__(binary, place)
        self.known = place / "preimages.json"
        self.known.write_text("{}")
        self.command, self.calls, self.hold = holder(
            place, "partner",
            "import hashlib\n"
            "facts, word = json.load(sys.stdin), sys.argv[-1]\n"
            "if word == 'quote':\n"
            "    called(word)\n"
            # Half the price, and one satoshi for the work.
            "    price = facts['amount_msat'] // 2 + 1000\n"
            f"    words = [{binary!r}, 'call', '--data-dir', {str(place)!r}, 'sim_invoice']\n"
            f"    out = subprocess.run([*words, str(price), {PARTNER!r}], check=True,\n"
            "                         capture_output=True)\n"
            "    print(json.dumps({'bolt11': json.loads(out.stdout)['bolt11']}))\n"
            "else:\n"
            "    called(word)\n"
            "    proof = hashlib.sha256(bytes.fromhex(facts['preimage'])).hexdigest()\n"
            "    assert proof == facts['payment_hash'], 'it was not paid'\n"
            f"    known = json.loads(pathlib.Path({str(self.known)!r}).read_text())\n"
            "    print(json.dumps({'preimage': known[facts['bolt11']]}))\n")
        self.made = 0

    def foreign(self, amount="200n", network="tb", known=True):
        """An invoice of the other network; `amount` as its prefix says it. And its preimage. What
        is `known` of it is what the partner has."""
        self.made += 1
        preimage = hashlib.sha256(f"abroad {self.made}".encode()).digest()
        text = bolt11.invoice(KEY, BEGIN_S, preimage, amount=amount, network=network,
                              expiry=10_000_000)
        if known:
            all_known = json.loads(self.known.read_text())
            has = preimage.hex() if known is True else known
            self.known.write_text(json.dumps({**all_known, text: has}))
        return text, preimage.hex()

    def exchange(self, *options):
        return self.runs("exchange", "--rate", "tb=3/4", "--max", 100_000, *options, "--partner",
                         *self.command)

    def count(self, word):
        return self.calls.read_text().split().count(word)


def payments_to_the_partner(world):
    return world.listed("exchange:for")


def deals(world):
    """It is paid by the rule, and the proof is that of the foreign invoice."""
    one = world.exchange()
    invoice, preimage = world.foreign()
    found = world.paid(invoice, *EXCHANGED)
    same(found.get("lightningd:error"), None, found)
    same(found["exchange:paid"]["preimage"], preimage, "the proof")
    same(found["exchange:paid"]["price_msat"], 11_000, "half of 20 sat, and one")
    payment, = payments_to_the_partner(world)
    complete(payment)
    same(payment["lightningd:amount"], "11000msat")
    # Our own network's are none of its business.
    complete(world.paid(world.invoice(5_000), *EXCHANGED))
    same(len(payments_to_the_partner(world)), 1)
    # The same invoice again: the partner is not paid again.
    failed(world.paid(invoice, *EXCHANGED), 201)
    same(sum("lightningd:fee" in one for one in payments_to_the_partner(world)), 1, "paid once")
    return one


def no_deals(world):
    """Too dear, too large, without an amount, or of a currency without a rate."""
    before = world.http.call("ledger-balance")["spendable_msat"]
    for amount, network, code, said in (
            ("30n", "tb", 7101, "more than the rate"), ("3u", "tb", 7101, "more than the rate"),
            ("", "tb", 7101, "no amount"), ("200n", "bc", -32602, "another network")):
        invoice, _ = world.foreign(amount, network)
        error = failed(world.paid(invoice, *EXCHANGED), code)
        check(said in error["message"], error)
    same(world.http.call("ledger-balance")["spendable_msat"], before, "nothing was spent")


def broken(world):
    """A partner who is paid and has no proof, or a wrong one: that is said, with what was paid."""
    for known, said in ((False, "deliver: "), ("11" * 32, "no proof"), ("none", "did not deliver"),
                        (7, "did not deliver")):
        invoice, _ = world.foreign(known=known)
        error = failed(world.paid(invoice, *EXCHANGED), 7102)
        check(said in error["message"], error)
        same(error["data"]["price_msat"], 11_000)
        status = world.http.call("paystatus", payment_hash=error["data"]["payment_hash"])
        same(status["status"], "complete", "what it tells of was paid")


def killed(world, one):
    """Killed while the partner delivers, with the daemon after it, and started again: proved."""
    invoice, preimage = world.foreign()
    asked, paid = world.count("deliver"), len(payments_to_the_partner(world))
    paying = world.http.call("payecs_newentity")["entity"]
    world.http.call("payecs_setdefaultsystems", entity=paying,
                    before={"lightningd:check_currency": "exchange:order"})
    world.hold.write_text("deliver")
    world.http.call("payecs_advance", paying, {
        "entity": paying, "lightningd:invoice": invoice, "lightningd:main-payment": True})
    until("the partner is shown the proof", lambda: world.count("deliver") > asked)
    one.kill()
    world.again()
    world.hold.unlink()
    second = world.exchange()
    found = until("it is proved", lambda: attached(world, paying, "exchange:paid"))
    same(found["preimage"], preimage)
    same(len(payments_to_the_partner(world)), paid + 1, "one payment")
    return second


def attached(world, entity, name):
    return world.http.call("payecs_getcomponents", entity, name)[name]


def two_at_once(world):
    """Two programs, and several invoices."""
    world.exchange()
    invoices = [world.foreign(f"{200 + at}n") for at in range(4)]
    paying = [world.pays(invoice, *EXCHANGED) for invoice, _ in invoices]
    for one, (_, preimage) in zip(paying, invoices):
        same(ended(one)["exchange:paid"]["preimage"], preimage)


def misused():
    for options, said in [
            ((), "--rate"), (("--rate", "tb:1", "--max", "1", "--partner", "x"), "`tb:1` is not"),
            (("--rate", "tb=1/0", "--max", "1", "--partner", "x"), "`tb=1/0` is not"),
            (("--rate", "tb=1", "--max", "1", "--partner"), "name a program")]:
        check(said in refused("exchange", *options), options, refused("exchange", *options))


def all_of_it(binary, place):
    misused()
    world = Abroad(binary, place / "d")
    try:
        one = deals(world)
        no_deals(world)
        broken(world)
        killed(world, one)
        two_at_once(world)
    finally:
        world.end()
