"""A folder's browser tests, run by its npm against a Tocsin that runs."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.panel.built import ROOT, builder, chromium
from tests.running import Process


def drive(folder: Path, installation: Process, screenshots: str, most_seconds: float, more: Mapping[str, str]) -> None:
    """What failed stands above the assertion, as vitest says it. Screenshots are kept in ``.cache``; ``more`` is told
    to the tests by their environment."""
    node = builder().find_node()
    environ = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(node[0]).parent), os.environ.get("PATH", "")]),
        "TOCSIN_URL": installation.url,
        "TOCSIN_SCREENSHOTS": str(ROOT / ".cache" / screenshots),
        "CHROMIUM": chromium() or "",
        **more,
    }
    command = [*node, "run", "--silent", "test:browser"]
    done = subprocess.run(command, cwd=folder, env=environ, timeout=most_seconds, check=False)
    assert done.returncode == 0, "What failed stands above."
