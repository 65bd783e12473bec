import fcntl
from pathlib import Path

import pytest

from tests.panel.built import ROOT, builder

_LOCK = ROOT / ".cache" / "panel.lock"


@pytest.fixture(scope="session")
def dist() -> Path:
    """The panel, built. Test processes side by side build it one after the other, which is once."""
    _LOCK.parent.mkdir(parents=True, exist_ok=True)
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        builder().build()
    folder: Path = builder().DIST
    return folder
