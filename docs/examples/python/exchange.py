"""Pays invoices of other networks through a partner who takes our money and pays in theirs.

The System `exchange:order` stands before `lightningd:check_currency`, which would refuse them:

  pay.py --before lightningd:check_currency=exchange:order INVOICE

The rule: for an invoice of a currency with a --rate the partner is asked for an invoice of our own
network. If that asks for no more than the rate allows, and for no more than --max, it is paid as a
payment of its own, which claims its hash, reserves its money and is in the books as any other. The
payment of the foreign invoice claims nothing: its currency is detached, it waits for the other
one (`lightningd:join`), and ends when `exchange:settle` has the foreign preimage, whose SHA256 must
be the foreign payment hash. Invoices of all other currencies are left to the default list.

What is trusted: that the partner, once paid, pays. Where it does not, the payment fails with 7102,
and says what was paid and the proof's hash. A foreign invoice is paid for once: the payment to the
partner has the foreign hash in its idempotency key, so that a second try ends as the first did.

The partner is a program. It is called with one word and gets JSON on stdin:

  quote    {"bolt11", "currency", "amount_msat"}       answers {"bolt11": one of our network}
  deliver  {"bolt11", "payment_hash", "preimage"}      answers {"preimage": the foreign one}

`deliver` has hash and preimage of what we paid; it may be called again, and has to answer the same.

The least token that it needs, with --secrets as it shows the partner the proof of payment:

  payecs token create exchange --data-dir D --scope read --scope flow --secrets
      --component exchange: --component lightningd:"""

import argparse
import hashlib
import json
import re
import subprocess
import time
from fractions import Fraction

import payecs_client as payecs
from payecs_money import amount_of, msat
from payecs_wire import Place

NO_DEAL, NOT_DELIVERED = 7101, 7102
LONG_AGO = "2000-01-01T00:00:00Z"


class NoAnswer(Exception):
    """The partner does not answer as agreed."""


def rate(text):
    """`CURRENCY=N/D`: at most so many of our msat for one of theirs."""
    found = re.fullmatch(r"([a-z]+)=([0-9]+)(?:/([1-9][0-9]*))?", text)
    if not found:
        raise argparse.ArgumentTypeError(f"`{text}` is not of the form CURRENCY=N or CURRENCY=N/D")
    return found[1], Fraction(int(found[2]), int(found[3] or 1))


def ask(options, word, facts):
    """The partner's answer to a word."""
    try:
        done = subprocess.run([*options.partner, word], input=json.dumps(facts), text=True,
                              stdout=subprocess.PIPE, timeout=options.partner_timeout, check=True)
        found = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as fault:
        raise NoAnswer(f"{word}: {fault}") from fault
    if not isinstance(found, dict):
        raise NoAnswer(f"{word}: no object came")
    return found


def order(client, entity, options):
    """Makes the payment to the partner, and has this one wait for it."""
    number = entity["entity"]
    currency = entity["lightningd:invoice:currency"]
    if currency not in options.rate:
        return {"exchange:seen": True}
    foreign, foreign_hash = entity["lightningd:invoice"], entity["lightningd:invoice:payment_hash"]
    amount = amount_of(foreign)
    if amount is None:
        return payecs.error(NO_DEAL, "the invoice names no amount, so that there is no price")
    allowed = min(int(amount * options.rate[currency]), options.max)
    try:
        quoted = ask(options, "quote", {"bolt11": foreign, "currency": currency,
                                        "amount_msat": amount}).get("bolt11")
        price = amount_of(quoted) if isinstance(quoted, str) else None
    except NoAnswer as fault:
        return payecs.error(NO_DEAL, f"the partner has no offer: {fault}")
    if price is None or price > allowed:
        return payecs.error(NO_DEAL, "the partner asks for more than the rate allows",
                            price_msat=price, allowed_msat=allowed)
    payment = client.call("payecs_newentity")["entity"]
    systems = client.call("payecs_getdefaultsystems")["systems"]
    return payecs.Answer(
        {"lightningd:invoice:currency": None,
         "exchange:order": {"payment": payment, "price_msat": price, "currency": currency},
         "lightningd:join": {"entities": [payment], "mode": "all"},
         # The default list would pay the foreign node on our network.
         "lightningd:systems": {"systems": ["exchange:settle"]}},
        others=[{"entity": payment, "exchange:for": number, "lightningd:main-payment": True,
                 "lightningd:invoice": quoted, "lightningd:label": f"exchange {currency}",
                 "lightningd:feebudget": f"{options.max_fee}msat",
                 "lightningd:idempotency_key": f"exchange:{foreign_hash}",
                 "lightningd:systems": {"systems": systems},
                 "lightningd:wake_at": LONG_AGO}])


def settle(client, entity, options):
    """Ends the payment as the one to the partner ended, with the proof that the partner paid."""
    made = entity["exchange:order"]
    ended = client.read(made["payment"], "lightningd:status", "lightningd:error",
                        "lightningd:payment_hash", "lightningd:preimage")
    if ended["lightningd:status"] != "complete":
        fault = ended["lightningd:error"] or {}
        return {"lightningd:error": {
            "code": fault.get("code", NO_DEAL), "message": "The partner could not be paid: "
            + fault.get("message", "the payment has ended"), "data": made}}
    facts = {"bolt11": entity["lightningd:invoice"],
             "payment_hash": ended["lightningd:payment_hash"],
             "preimage": ended["lightningd:preimage"]}
    try:
        preimage = bytes.fromhex(delivered(options, facts))
    except (NoAnswer, ValueError, TypeError) as fault:
        return undelivered(made, facts, str(fault))
    if hashlib.sha256(preimage).hexdigest() != entity["lightningd:invoice:payment_hash"]:
        return undelivered(made, facts, "what came is no proof")
    return {"exchange:paid": {**made, "preimage": preimage.hex()}, "lightningd:systems": None}


def delivered(options, facts):
    """What the partner has for the proof; asked again where it has no answer."""
    for left in reversed(range(options.partner_tries)):
        try:
            return ask(options, "deliver", facts).get("preimage", "")
        except NoAnswer as fault:
            payecs.say(str(fault))
            if not left:
                raise
        time.sleep(1)


def undelivered(made, facts, why):
    return payecs.error(NOT_DELIVERED, f"The partner was paid and did not deliver: {why}", **made,
                        payment_hash=facts["payment_hash"], final=False)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--rate", type=rate, action="append", required=True, metavar="CURRENCY=N/D",
        help="at most N of our msat for D of theirs; may be given several times")
    add("--max", type=msat, required=True, metavar="AMOUNT",
        help="the partner gets no more than this for one invoice, in msat")
    add("--max-fee", type=msat, default=5000, metavar="AMOUNT",
        help="the most that the way to the partner may cost, in msat. Default: 5000")
    add("--partner-timeout", type=float, default=10, metavar="S",
        help="the partner has so many seconds for an answer. Default: 10")
    add("--partner-tries", type=int, choices=range(1, 101), default=3, metavar="N",
        help="a partner without an answer for the proof is asked so often, 1 to 100. Default: 3")
    Place.options(parser)
    add("--partner", nargs=argparse.REMAINDER, required=True, metavar="PROGRAM",
        help="the partner's program. The last option")
    options = parser.parse_args()
    if not options.partner:
        parser.error("--partner: name a program")
    options.rate = dict(options.rate)
    systems = [
        payecs.System(
            "exchange:order", lambda client, entity: order(client, entity, options),
            requires=["lightningd:main-payment", "lightningd:invoice",
                      "lightningd:invoice:currency", "lightningd:invoice:payment_hash",
                      "lightningd:invoice:unchecked"],
            disallows=["exchange:seen", "exchange:order", "lightningd:failing"],
            writes=["exchange:seen", "exchange:order", "lightningd:invoice:currency",
                    "lightningd:join", "lightningd:systems", "lightningd:error"]),
        payecs.System(
            "exchange:settle", lambda client, entity: settle(client, entity, options),
            requires=["exchange:order", "lightningd:join:done", "lightningd:invoice",
                      "lightningd:invoice:payment_hash"],
            disallows=["exchange:paid", "lightningd:failing"],
            writes=["exchange:paid", "lightningd:systems", "lightningd:error"],
            timeout_s=3600)]
    place = Place.of(options)
    payecs.run(lambda: payecs.serve(place, systems))


if __name__ == "__main__":
    main()
