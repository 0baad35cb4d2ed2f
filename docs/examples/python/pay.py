"""Pays an invoice by the default list with Systems of others in it, and waits for the end.

  pay.py --before lightningd:settle=tip:pay --label tea INVOICE

Prints how it ended as JSON; exit code 0: paid, 1: not. Whoever calls this makes payments and says
which Systems judge them: it needs a token for all Components, with the scopes `read` and `flow`."""

import argparse
import json
import sys
import time

import payecs_client as payecs
from payecs_wire import Place

# It is looked so often whether the payment has ended, in seconds.
LOOK_S = 0.1
TOLD = ["lightningd:status", "lightningd:amount", "lightningd:fee", "lightningd:error"]


def beside(text):
    """`DEFAULT=SYSTEM`: where a System goes."""
    default, found, system = text.partition("=")
    if not (default and found and system):
        raise argparse.ArgumentTypeError(f"`{text}` is not of the form DEFAULT=SYSTEM")
    return default, system


def grouped(pairs):
    """By default System, all that go beside it."""
    found = {}
    for default, system in pairs:
        found.setdefault(default, []).append(system)
    return found


def pay(client, options):
    """Makes the payment and waits for its end: its Components."""
    entity = client.call("payecs_newentity")["entity"]
    given = {"lightningd:invoice": options.invoice, "lightningd:main-payment": True,
             "lightningd:label": options.label, "lightningd:retry_for": options.retry_for,
             "lightningd:idempotency_key": options.key}
    client.call("payecs_setcomponents", writes=[{"entity": entity, **given}])
    client.call("payecs_setdefaultsystems", entity=entity, before=grouped(options.before),
                after=grouped(options.after))
    client.call("payecs_advance", entity=entity)
    while client.read(entity, "lightningd:systems")["lightningd:systems"] is not None:
        time.sleep(LOOK_S)
    return client.read(entity, *TOLD, *options.tell)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("invoice", metavar="INVOICE", help="what to pay")
    add("--before", type=beside, action="append", default=[], metavar="DEFAULT=SYSTEM",
        help="put a System before a default one; may be given several times")
    add("--after", type=beside, action="append", default=[], metavar="DEFAULT=SYSTEM",
        help="put it behind")
    add("--label", help="what to call the payment")
    add("--key", help="an idempotency key: the same again is the same payment")
    add("--retry-for", type=int, metavar="S", help="try for so many seconds")
    add("--tell", action="append", default=[], metavar="COMPONENT",
        help="print this one too; may be given several times")
    Place.options(parser)
    options = parser.parse_args()
    place = Place.of(options)

    def work():
        with place.connect() as client:
            ended = pay(client, options)
        print(json.dumps({name: value for name, value in ended.items() if value is not None}))
        sys.exit(0 if ended["lightningd:error"] is None else 1)

    payecs.run(work)


if __name__ == "__main__":
    main()
