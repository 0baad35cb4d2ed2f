"""Runs one part against a binary: `main.py PART BINARY DIRECTORY`. Ends with 1 and what was found
where something is not as it should be."""

import importlib
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
# The client that shares no code with the daemon, nor with the examples.
sys.path.insert(0, str(HERE.parent / "client"))

PARTS = ("tips", "approvals", "fee_limits", "exchanges", "guide")


def main():
    part, binary, place = sys.argv[1:]
    if part not in PARTS:
        raise SystemExit(f"no part is called {part}")
    since = time.monotonic()
    importlib.import_module(f"{part}_test").all_of_it(binary, pathlib.Path(place))
    print(f"{part}: {time.monotonic() - since:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
