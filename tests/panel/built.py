"""The panel as its sources are, built once where it is not; and the browser that tests drive."""

import functools
import importlib.util
import os
import shutil
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
PANEL = ROOT / "panel"


@functools.cache
def builder() -> ModuleType:
    """``panel/build.py``, which is a script and belongs to no package."""
    spec = importlib.util.spec_from_file_location("panel_build", PANEL / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def chromium() -> str | None:
    """The machine's Chromium, or the one that ``CHROMIUM`` names."""
    named = os.environ.get("CHROMIUM")
    return named or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
