"""Asks a human about payments that the operator wants to be asked about.

The engine asks: with `payecs serve --ask-above AMOUNT` it holds each payment that could spend more
than that, fees included, whoever made it, and fails it with 2310 after `--approval-timeout`. This
program finds what is held, asks, and gives the word. Nothing is kept here: after a restart what is
still held is found again. Several may run at once: the first word counts.

The least token that it needs:

  payecs token create approver --data-dir D --scope read --scope flow --scope approve
      --component lightningd:approval --component lightningd:label
      --component lightningd:destination --method payecs_listentities --method payecs_advance"""

import argparse
import json
import os
import select
import subprocess
import termios
import time

import payecs_client as payecs
from payecs_wire import Place, Refused

ASKED, WORD = "lightningd:approval:asked", "lightningd:approval"
SHOWN = [ASKED, "lightningd:label", "lightningd:destination"]
# So many payments are looked at a time.
PAGE = 100
STDIN = 0


def held(client):
    """The payments that wait for a word."""
    page = {"required": [ASKED], "disallowed": [WORD], "limit": PAGE, "components": SHOWN}
    while True:
        found = client.call("payecs_listentities", **page)["entities"]
        yield from found
        if len(found) < PAGE:
            return
        page["after"] = found[-1]["entity"]


def question(payment):
    """What is asked, as facts."""
    asked = payment[ASKED]
    facts = {"entity": payment["entity"], "requested_msat": asked["requested_msat"],
             "above_msat": asked["above_msat"], "until": asked["until"]}
    for name in SHOWN[1:]:
        facts[name.split(":")[1]] = payment.get(name)
    return facts


def terminal(facts, timeout_s):
    """A yes or no of whoever sits there; False where there is none in time. What was typed before
    the question answers nothing."""
    if os.isatty(STDIN):
        termios.tcflush(STDIN, termios.TCIFLUSH)
    named = f" ({facts['label']})" if facts["label"] else ""
    print(f"Payment {facts['entity']}{named} to {facts['destination']} could spend "
          f"{facts['requested_msat']} msat. Pay? [y/N] ", end="", flush=True)
    if not select.select([STDIN], [], [], timeout_s)[0]:
        print("no answer: refused")
        return False
    typed = os.read(STDIN, 1024)
    if not typed:
        raise SystemExit("error: stdin is closed: nobody can be asked")
    return typed.split(b"\n")[0].strip().lower() in (b"y", b"yes")


def command(words, facts, timeout_s):
    """A word of a program, which has the facts as JSON on stdin: exit code 0 is yes, 1 is no.
    None: it has none, and is asked again."""
    try:
        done = subprocess.run(words, input=json.dumps(facts), text=True, timeout=timeout_s,
                              check=False)
    except subprocess.TimeoutExpired:
        payecs.say(f"payment {facts['entity']}: no answer: refused")
        return False
    except OSError as fault:
        raise SystemExit(f"error: {words[0]}: {fault.strerror}") from fault
    if done.returncode > 1 or done.returncode < 0:
        payecs.say(f"payment {facts['entity']}: {words[0]} ended with {done.returncode}, which is "
                   "neither yes (0) nor no (1): it is asked again")
    return {0: True, 1: False}.get(done.returncode)


def give(client, payment, word):
    """Gives the word, if the same question still stands and nobody else has answered it."""
    entity = payment["entity"]
    same = {"entity": entity, ASKED: payment[ASKED], WORD: None}
    try:
        client.call("payecs_advance", entity=entity, writes=[{"entity": entity, WORD: word}],
                    expected=[same])
        payecs.say(f"payment {entity}: {'approved' if word else 'refused'}")
    except Refused as refused:
        # It has ended, or another was faster.
        if refused.code != payecs.UNEXPECTED:
            raise
        payecs.say(f"payment {entity}: the question is over")


def watch(client, options):
    while True:
        for payment in held(client):
            facts = question(payment)
            word = (command(options.command, facts, options.timeout) if options.command
                    else terminal(facts, options.timeout))
            if word is not None:
                give(client, payment, word)
        time.sleep(options.every)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--timeout", type=float, default=120, metavar="S",
                        help="no answer in so many seconds is a no. Default: 120")
    parser.add_argument("--every", type=float, default=1, metavar="S",
                        help="look so often, in seconds. Default: 1")
    Place.options(parser)
    parser.add_argument("--command", nargs=argparse.REMAINDER, metavar="PROGRAM",
                        help="ask this program, with its arguments, in place of the terminal: the "
                             "facts come as JSON on stdin; exit code 0 is yes, 1 is no. The last "
                             "option")
    options = parser.parse_args()
    place = Place.of(options)
    payecs.run(lambda: payecs.again_and_again(place, lambda client: watch(client, options)))


if __name__ == "__main__":
    main()
