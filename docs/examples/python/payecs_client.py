"""What a program needs that runs Systems of payecs: Python 3.9, and nothing else.

    import payecs_client as payecs

    def greet(client, entity):
        return {"acme:greeted": f"hello {entity['acme:name']}"}

    SYSTEM = payecs.System("acme:greet", greet, requires=["acme:name"],
                           disallows=["acme:greeted"], writes=["acme:greeted"])
    payecs.main("Greets.", [SYSTEM])

It connects, registers the Systems, is given their invocations, and answers each with one call of
payecs_advance. When the daemon goes away, it connects again: what it had and did not answer is
given again, so that a handler may be called twice for the same work. What a handler returns is
written once, all of it or nothing.

Copy it, and payecs_wire.py beside it: it is not a package."""

import argparse
import pathlib
import sys
import time
import traceback

from payecs_wire import Denied, Gone, Place, Refused

# Between two attempts to connect: first, and at most.
PAUSE_FIRST_S, PAUSE_MAX_S = 0.1, 5
# A token that is refused so often in a row is wrong: one refusal may be a cookie that has changed.
DENIED_MAX = 3
# A handler whose `expected` did not hold is called again so often.
UNEXPECTED_MAX = 5
# Codes of payecs (docs/ERRORS.md).
NOTHING_MATCHES, STALE, UNEXPECTED = 2201, 2207, 2244


def say(text):
    """Tells whoever runs this: on stderr, as stdout is for answers."""
    print(text, file=sys.stderr, flush=True)


class Answer:
    """What a handler wants written, if it is more than Components of its own Entity: writes to
    other Entities, and what must still hold (docs/RPC.md, payecs_setcomponents)."""

    def __init__(self, components, others=(), expected=()):
        self.components, self.others, self.expected = components, list(others), list(expected)


class System:
    """A System: on which Components it runs, and what it does.

    `handle(client, entity)` is given the Components that the System requires, by name, without
    those that are secret, and `entity`, the number. It returns the Components to attach (None
    detaches), or an Answer. It must attach one that the System disallows, or detach one that it
    requires: else it goes on matching. It may be called again for the same work. Over WebSocket it
    has half a minute: who is silent for longer is taken to be gone.

    `timeout_s` is how long one invocation may take, `grace_s` how long nobody may serve it before
    its payments fail; both are the daemon's defaults where they are None."""

    def __init__(self, name, handle, *, requires, disallows=(), writes=(), reads=(),
                 timeout_s=None, grace_s=None):
        self.name, self.handle = name, handle
        self.said = {"system": name, "required": list(requires), "disallowed": list(disallows),
                     "writes": list(writes), "reads": list(reads),
                     "owner": pathlib.Path(sys.argv[0]).stem or "python"}
        self.said.update({name: value for name, value in
                          (("timeout", timeout_s), ("grace", grace_s)) if value is not None})


def error(code, message, **data):
    """The Components that fail a payment: take a code from 7000 to 7999."""
    return {"lightningd:error": {"code": code, "message": message, "data": data}}


def answer(client, system, work):
    """Does one piece of work."""
    entity, given = work["entity"]["entity"], work["entity"]
    for _ in range(UNEXPECTED_MAX):
        try:
            wanted = system.handle(client, given)
        except (Gone, Denied):
            raise
        except Exception:  # A fault of one payment is none of the others.
            say(f"{system.name} failed on Entity {entity}; it is given again when its time is "
                f"over, three times at most:\n{traceback.format_exc()}")
            return
        wanted = wanted if isinstance(wanted, Answer) else Answer(wanted)
        refused = advance(client, work, [{"entity": entity, **wanted.components}, *wanted.others],
                          wanted.expected)
        if refused is None or refused.code in (NOTHING_MATCHES, STALE):
            # Nothing is left to do; or the work is another's now, or was answered already.
            return
        if refused.code != UNEXPECTED:
            say(f"{system.name}, Entity {entity}: {refused}")
            return
        given = client.read(entity, *(name for name in given if name != "entity"))
        if None in given.values():
            # It matches no more.
            advance(client, work, [], [])
            return
    say(f"{system.name}, Entity {entity}: what it expects does not come about; it is left")


def advance(client, work, writes, expected):
    """Answers an invocation; how that is refused."""
    try:
        client.call("payecs_advance", entity=work["entity"]["entity"], writes=writes,
                    expected=expected, invocation=work["invocation"])
    except Refused as refused:
        return refused
    return None


def serve(place, systems):
    """Serves until the program is ended. Raises Denied for a wrong token, Refused for Systems that
    can't be registered."""
    known = {system.name: system for system in systems}

    def work(client):
        for system in systems:
            told = client.call("payecs_newsystem", **system.said)
            if "warning" in told:
                say(told["warning"])
        say(f"serving {', '.join(known)}")
        for one in client.works(list(known)):
            answer(client, known[one["system"]], one)

    again_and_again(place, work)


def again_and_again(place, work):
    """Calls `work` with a connection, and again with a new one whenever the daemon goes away."""
    pause, denied, told = PAUSE_FIRST_S, 0, None
    while True:
        since = time.monotonic()
        try:
            with place.connect() as client:
                work(client)
        except Denied:
            denied += 1
            if denied == DENIED_MAX:
                raise
        except Gone as gone:
            denied = 0
            if str(gone) != told:
                told = str(gone)
                say(f"{told}; connecting again")
        if time.monotonic() - since > PAUSE_MAX_S:
            pause, told = PAUSE_FIRST_S, None
        time.sleep(pause)
        pause = min(2 * pause, PAUSE_MAX_S)


def run(work):
    """Runs a program's work; says what ends it in one line."""
    try:
        work()
    except (Refused, Denied, Gone) as ended:
        raise SystemExit(f"error: {ended}") from ended
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def main(about, systems):
    """A whole program that serves Systems without settings of their own."""
    parser = argparse.ArgumentParser(description=about)
    Place.options(parser)
    place = Place.of(parser.parse_args())
    run(lambda: serve(place, systems))
