"""lightningd's end of a plugin's pipes."""

import json
import os
import pathlib
import queue
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "client"))

from rpc import PATIENCE_S, Transport, check, request, same  # noqa: E402

OPTIONS = {"payecs-nodes": 30, "payecs-speed": "10"}


class Plugin(Transport):
    """A plugin process in a directory that stands for lightningd's."""

    name = "stdio"

    def __init__(self, binary, place, start=True, **options):
        self.binary, self.dir = binary, pathlib.Path(place)
        self.options = {**OPTIONS, **options}
        self.told, self.said, self.names = [], queue.Queue(), {}
        # The network is the one that is there.
        if (self.dir / "payecs").exists():
            self.options.pop("payecs-nodes")
        self.dir.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            cwd=self.dir, bufsize=0)
        self.errors = []
        for work in (self.listen, self.listen_to_errors):
            threading.Thread(target=work, daemon=True).start()
        if start:
            self.begin()

    def begin(self):
        """The handshake, as lightningd does it."""
        manifest = self.call("getmanifest", **{"allow-deprecated-apis": False})
        # What a method of the engine is called here.
        for one in manifest["rpcmethods"]:
            name = one["name"]
            self.names[name.removeprefix("payecs-")] = name
        configuration = {"lightning-dir": str(self.dir), "rpc-file": "lightning-rpc",
                         "network": "regtest", "feature_set": {"init": "00"}}
        same(self.call("init", options=self.options, configuration=configuration), {}, "init")
        return manifest

    def listen(self):
        """Every message, framed by two newlines; anything else on stdout is a fault."""
        got, fault = b"", None
        while piece := os.read(self.process.stdout.fileno(), 1 << 20):
            got += piece
            *whole, got = got.split(b"\n\n")
            for text in whole:
                try:
                    self.sort(text)
                except (ValueError, AssertionError) as error:
                    fault = fault or f"{error}: {text[:200]}"
        if got:
            fault = fault or f"half a message: {got[:200]}"
        self.said.put(fault)

    def sort(self, text):
        found = json.loads(text)
        same(found.pop("jsonrpc"), "2.0")
        if "method" in found:
            check("id" not in found, "nobody is asked anything")
            self.told.append(found)
        else:
            check("id" in found and ("result" in found) != ("error" in found), found)
            # How much was told before it.
            self.said.put((text, len(self.told)))

    def listen_to_errors(self):
        self.errors.append(self.process.stderr.read())

    def send(self, body):
        self.process.stdin.write(body)

    def next(self):
        """The next answer and how much was told before; `None` at the end."""
        found = self.said.get(timeout=PATIENCE_S)
        if isinstance(found, str):
            raise AssertionError(found)
        return found

    def ask(self, body):
        self.send(body)
        return self.next()[0]

    def call(self, method, *params, **named):
        return super().call(self.names.get(method, method), *params, **named)

    def answers(self, count):
        """So many answers, by id."""
        found = [json.loads(self.next()[0]) for _ in range(count)]
        by_id = {json.dumps(one["id"]): one for one in found}
        same(len(by_id), count, "each once")
        return by_id

    def systems(self):
        """What was told of Systems."""
        return [one["params"] for one in self.told if one["method"] == "payecs_system_invoke"]

    def ends(self):
        """What is still answered, and the exit code, once there is nothing more to read."""
        self.process.stdin.close()
        return self.is_gone()

    def is_gone(self):
        rest = []
        while (one := self.next()) is not None:
            rest.append(json.loads(one[0]))
        return rest, self.process.wait(PATIENCE_S)

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def memory(self):
        """What it holds of memory, in bytes."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) * 1024


def asked(method, params, ident):
    """A request without a blank in it, its letters as they are."""
    fields = {"jsonrpc": "2.0", "id": ident, "method": method, "params": params}
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


__all__ = ["Plugin", "asked", "check", "request", "same"]
