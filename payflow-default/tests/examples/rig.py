"""Daemons, and examples that run beside them."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import threading

from rpc import PATIENCE_S, Daemon, Http, check, same, until

EXAMPLES = pathlib.Path(__file__).resolve().parents[3] / "docs/examples/python"
# For everybody: a shop of the simulated network.
SHOP = "n1"
# Longer than anything takes here, in seconds of a network that is ten times as fast.
LONG_S = 80_000


class Running:
    """An example that runs. What it says is kept."""

    def __init__(self, name, *options, heard="serving", typed=False):
        command = [sys.executable, "-B", str(EXAMPLES / f"{name}.py"), *map(str, options)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE if typed else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.lines = []
        threading.Thread(target=self._listen, daemon=True).start()
        if heard:
            self.until_it_says(heard)

    def types(self, text):
        """Whoever sits there types a line."""
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()

    def _listen(self):
        for line in self.process.stderr:
            self.lines.append(line.rstrip())

    def has_said(self, text):
        return sum(text in line for line in list(self.lines))

    def until_it_says(self, text, times=1):
        def look():
            check(self.process.poll() is None or self.has_said(text) >= times, "it has ended",
                  self.lines)
            return self.has_said(text) >= times
        until(f"it says {text}", look)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE_S)


class World:
    """A daemon, a token for the example, and calls as the owner."""

    def __init__(self, binary, place, *options):
        self.daemon = Daemon(binary, place, *options)
        self.binary, self.dir, self.running = binary, place, []
        self.start()

    def start(self):
        self.daemon.start()
        until("it is open", lambda: self.http.call("getinfo")["intake"]["open"])

    @property
    def http(self):
        """Calls as the owner, over a new connection: one that is silent for long is closed."""
        return Http(self.daemon)

    def again(self):
        """After a `kill -9`, on another port."""
        self.daemon.kill()
        self.start()

    def token(self, name, text):
        """A token as the example's own words make it: the file with it."""
        words = text.split("payecs token create ")[1].split("\"\"\"")[0].split()
        same(words[0], name, "the token's name")
        options = [word for word in words[1:] if word not in ("--data-dir", "D")]
        file = self.dir / f"{name}.token"
        file.write_text(self.daemon.token(name, *options))
        return file

    def runs(self, name, *options, **more):
        """An example that serves this daemon, with the least token, as its own words say."""
        file = self.dir / f"{TOKENS[name]}.token"
        if not file.exists():
            self.token(TOKENS[name], (EXAMPLES / f"{name}.py").read_text())
        found = Running(name, "--data-dir", self.dir, "--token-file", file, *options, **more)
        self.running.append(found)
        self.patient()
        return found

    def patient(self):
        """Whatever is registered may take long, however busy this machine is."""
        for one in self.http.call("payecs_listsystems")["systems"]:
            if one.get("timeout") == 60:
                same_again = {name: one[name] for name in ("system", "required", "disallowed")}
                self.http.call("payecs_newsystem", **same_again, timeout=LONG_S)

    def invoice(self, amount, payee=SHOP):
        return self.http.call("sim_invoice", amount_msat=amount, payee=payee)["bolt11"]

    def pays(self, invoice, *options):
        """Pays with `pay.py`, to be waited for."""
        command = [sys.executable, "-B", str(EXAMPLES / "pay.py"), "--data-dir", str(self.dir),
                   "--retry-for", str(LONG_S), *options, invoice]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def paid(self, invoice, *options):
        return ended(self.pays(invoice, *options))

    def listed(self, *required):
        return self.http.call("payecs_listentities", list(required))["entities"]

    def end(self):
        for one in self.running:
            one.kill()
        self.daemon.kill()


TOKENS = {"tip": "tip", "approve": "approver", "fee_limits": "fees", "exchange": "exchange"}


def ended(process):
    """How a payment ended: its Components."""
    out, said = process.communicate(timeout=PATIENCE_S)
    check(out, "it says nothing", said)
    return json.loads(out)


def complete(found):
    same(found.get("lightningd:status"), "complete", found)
    return found


def failed(found, code):
    same(found.get("lightningd:error", {}).get("code"), code, found)
    return found["lightningd:error"]


def refused(name, *options):
    """What an example says that does not start."""
    done = subprocess.run([sys.executable, "-B", str(EXAMPLES / f"{name}.py"), *options],
                          capture_output=True, text=True, check=False, timeout=PATIENCE_S,
                          stdin=subprocess.DEVNULL, env={**os.environ, "PAYECS_DATA_DIR": ""})
    check(done.returncode in (1, 2), done.returncode, done.stdout, done.stderr)
    check("Traceback" not in done.stderr, done.stderr)
    return done.stderr


def holder(place, name, script):
    """A program of the test, in Python, that waits while the file `hold` is there, which may have
    the word of those calls that wait. How to call it, the file whose lines are its calls, and
    `hold`."""
    calls, hold = place / f"{name}.calls", place / f"{name}.hold"
    file = place / f"{name}.py"
    file.write_text(
        "import json, os, pathlib, subprocess, sys, time\n"
        f"CALLS, HOLD = pathlib.Path({str(calls)!r}), pathlib.Path({str(hold)!r})\n"
        "def called(word):\n"
        "    with CALLS.open('a') as file:\n"
        "        file.write(word + '\\n')\n"
        "    while held() in ('', word):\n"
        "        time.sleep(0.02)\n"
        "def held():\n"
        "    try:\n"
        "        return HOLD.read_text()\n"
        "    except FileNotFoundError:\n"
        "        return None\n" + script)
    calls.write_text("")
    return [sys.executable, "-B", str(file)], calls, hold
