"""`docs/PLUGINS.md`: what it shows is run, in its order, and shows what it says."""

import os
import pathlib
import re
import shutil
import subprocess

from rig import EXAMPLES
from rpc import PATIENCE_S, check, same

ROOT = EXAMPLES.parents[2]
# Between the outputs of two blocks.
MARK = "=== the next block ==="
# Where the Rust that it shows is from.
RUST = [f"tests/example-system/{folder}" for folder in ("src", "examples", "tests")]
# All kinds of blocks that there may be: each is run or compared.
KINDS = {"sh", "python", "rust", "text"}


def blocks(text):
    """The blocks of code, in order: kind and text."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    same({kind for kind, _ in found}, KINDS, "kinds of blocks")
    return found


def shell(found, place):
    """Runs the blocks of shell as one script: what each of them prints, by its place."""
    script, order = "set -eu\ntrap 'kill $(jobs -p)' EXIT\n", []
    for at, (kind, text) in enumerate(found):
        if kind == "sh":
            script += f"{text}echo '{MARK}'\n"
            order.append(at)
    told = place / "told"
    with told.open("w", encoding="utf-8") as out:
        done = subprocess.run(["bash", "-c", script], cwd=place, stdout=out,
                              stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False,
                              timeout=2 * PATIENCE_S)
    text = told.read_text(encoding="utf-8")
    same(done.returncode, 0, text, done.stderr.decode())
    parts = text.split(f"{MARK}\n")
    same(len(parts), len(order) + 1, "every block has ended")
    return dict(zip(order, parts))


def fits(wanted, told):
    """Whether that was printed; `…` is anything."""
    pattern = re.escape(wanted.strip()).replace(re.escape("…"), ".*")
    return re.fullmatch(pattern, told.strip(), re.DOTALL) is not None


def all_of_it(binary, place):
    text = (ROOT / "docs/PLUGINS.md").read_text(encoding="utf-8")
    found = blocks(text)
    needed = text[text.index("You need"):text.index("```sh")]
    for name in re.findall(r"\(examples/python/(\w+\.py)\)", needed):
        shutil.copy(EXAMPLES / name, place / name)
    for kind, code in found:
        if kind == "python":
            name, = re.match(r"# (\w+\.py)\n", code).groups()
            (place / name).write_text(code, encoding="utf-8")
    bin_dir = pathlib.Path(binary).parent
    os.environ["PATH"] = f"{bin_dir}{os.pathsep}{os.environ['PATH']}"
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    told = shell(found, place)
    for at, (kind, wanted) in enumerate(found):
        if kind == "text":
            check(fits(wanted, told[at - 1]), "printed:\n", told[at - 1], "\nsays:\n", wanted)
    sources = [file.read_text(encoding="utf-8") for folder in RUST
               for file in sorted((ROOT / folder).glob("*.rs"))]
    for kind, code in found:
        if kind == "rust":
            check(any(code in source for source in sources), "is nowhere:\n", code)
