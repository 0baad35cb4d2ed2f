"""Runs one part against a binary: `main.py PART BINARY DIRECTORY`.

Prints which codes came over which transports, as JSON. Ends with 1 and what was found where
something is not as it should be."""

import json
import pathlib
import sys
import time

import bad
import codes
import life
import serving
import told
from rpc import SEEN, Daemon


def main():
    part, binary, place = sys.argv[1:]
    # Waits are short where the network lives fast.
    speed = "60" if part == "codes" else "10"
    daemon = Daemon(binary, pathlib.Path(place) / part, speed=speed)
    since = time.monotonic()
    try:
        daemon.start()
        if part == "life":
            life.live(daemon, place)
        elif part == "bad":
            bad.all_of_it(daemon)
        elif part == "serving":
            serving.all_of_it(daemon)
        elif part == "told":
            told.all_of_it(daemon)
        elif part == "codes":
            codes.all_of_them(daemon, place)
        else:
            raise SystemExit(f"no part is called {part}")
    finally:
        daemon.kill()
    print(f"{part}: {time.monotonic() - since:.1f} s", file=sys.stderr)
    print(json.dumps({str(code): sorted(names) for code, names in sorted(SEEN.items())}))


if __name__ == "__main__":
    main()
