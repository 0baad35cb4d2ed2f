"""Follows each payment with a tip: a share of what the payee got, paid to somebody else.

The System `tip:pay` stands before `lightningd:settle` in a payment's list, so that it runs once the
payee has been paid:

  pay.py --before lightningd:settle=tip:pay INVOICE

The tip is a payment of its own, with the default list: it is never tipped. It is made in the one
call that marks the payment as tipped, and its idempotency key has the payment's hash, so that no
payment is tipped twice, whatever is restarted. No tip is above --max, and no fee of one above
--max-fee. A tip that fails changes nothing about the payment, and neither does a tip program that
is away: after --grace seconds the payment ends without one.

Whoever gets the tips is asked for an invoice by --invoice-command. On a simulated network:

  tip.py --data-dir D --max 10000 --invoice-command ./invoice-of.sh n7

where invoice-of.sh has: payecs call --data-dir D sim_invoice "$2" "$1" | jq -r .bolt11

The least token that it needs; it makes payments, so that it may write what a payer writes:

  payecs token create tip --data-dir D --scope read --scope flow
      --component tip: --component lightningd:"""

import argparse
import subprocess

import payecs_client as payecs
from payecs_money import amount_of, micro_percent, msat, share
from payecs_wire import Place

# A tip begins at once: a moment that is over is now.
LONG_AGO = "2000-01-01T00:00:00Z"


class NoInvoice(Exception):
    """Whoever gets the tips has no invoice for this one."""


def invoice(words, amount_msat, timeout_s):
    """An invoice of that amount: the first word that the command says, with the amount as its last
    argument."""
    try:
        done = subprocess.run([*words, str(amount_msat)], stdout=subprocess.PIPE, text=True,
                              timeout=timeout_s, check=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError) as fault:
        raise NoInvoice(str(fault)) from fault
    bolt11 = done.stdout.strip()
    if amount_of(bolt11) != amount_msat:
        raise NoInvoice(f"asked for {amount_msat} msat, got an invoice of {amount_of(bolt11)}")
    return bolt11


def tip(client, entity, options):
    """The tip as a payment of its own, or why there is none."""
    paid = msat(entity["lightningd:amount"])
    amount = min(share(paid, options.percent), options.max)
    if amount < options.min:
        return {"tip:done": {"none": f"{amount} msat is less than a tip"}}
    try:
        bolt11 = invoice(options.invoice_command, amount, options.invoice_timeout)
    except NoInvoice as fault:
        payecs.say(f"payment {entity['entity']}: no tip: {fault}")
        return {"tip:done": {"none": f"no invoice: {fault}"}}
    number = client.call("payecs_newentity")["entity"]
    systems = client.call("payecs_getdefaultsystems")["systems"]
    return payecs.Answer(
        {"tip:done": {"entity": number, "amount_msat": amount}},
        others=[{"entity": number, "tip:of": entity["entity"],
                 "lightningd:main-payment": True, "lightningd:invoice": bolt11,
                 "lightningd:feebudget": f"{options.max_fee}msat", "lightningd:label": "tip",
                 "lightningd:idempotency_key": f"tip:{entity['lightningd:payment_hash']}",
                 "lightningd:systems": {"systems": systems},
                 "lightningd:wake_at": LONG_AGO}])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--percent", type=micro_percent, default=micro_percent("1"), metavar="P",
        help="the share, in percent, with at most 6 decimals. Default: 1")
    add("--max", type=msat, required=True, metavar="AMOUNT", help="no tip is above this, in msat")
    add("--min", type=msat, default=1, metavar="AMOUNT",
        help="what would be less is left out, in msat. Default: 1")
    add("--max-fee", type=msat, default=5000, metavar="AMOUNT",
        help="the most that the fees of a tip may be, in msat. Default: 5000")
    add("--grace", type=int, default=10, metavar="S",
        help="payments wait so long for this program while it is away. Default: 10")
    add("--invoice-timeout", type=float, default=10, metavar="S",
        help="the command has so many seconds. Default: 10")
    Place.options(parser)
    add("--invoice-command", nargs=argparse.REMAINDER, required=True, metavar="PROGRAM",
        help="prints an invoice of the amount in msat that is its last argument. The last option")
    options = parser.parse_args()
    if not options.invoice_command:
        parser.error("--invoice-command: name a program")
    system = payecs.System(
        "tip:pay", lambda client, entity: tip(client, entity, options),
        requires=["lightningd:main-payment", "lightningd:preimage", "lightningd:payment_hash",
                  "lightningd:amount"],
        # Not while parts are out, not what was paid before or to ourselves, and no tip.
        disallows=["lightningd:parts:open", "lightningd:parts:failed", "lightningd:replayed",
                   "lightningd:to-self", "tip:of", "tip:done"],
        writes=["tip:done"], grace_s=options.grace)
    place = Place.of(options)
    payecs.run(lambda: payecs.serve(place, [system]))


if __name__ == "__main__":
    main()
