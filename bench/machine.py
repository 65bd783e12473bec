"""The machine a run happened on: without it a figure says little."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import psutil

from bench.running import ON_DISK
from tocsin import __version__
from tocsin.kit import postgres


def describe() -> dict[str, str]:
    """One line for each thing that figures depend on."""
    return {
        "machine": f"{_processor()}, {os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.1f} GiB",
        "load": " ".join(f"{load:.2f}" for load in os.getloadavg()) + " (1, 5, 15 minutes before)",
        "disk": f"{ON_DISK} on {_filesystem(ON_DISK)}",
        "system": f"{platform.system()} {platform.release()}",
        "tocsin": f"{__version__} {_commit()}".strip(),
        "python": platform.python_version(),
        "libraries": ", ".join(f"{name} {metadata.version(name)}" for name in ("uvicorn", "starlette", "asyncpg")),
        "postgresql": _postgresql(),
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _filesystem(folder: Path) -> str:
    """The type of the file system that holds a folder: the longest mount point above it."""
    parts = [part for part in psutil.disk_partitions(all=True) if folder.is_relative_to(part.mountpoint)]
    return max(parts, key=lambda part: len(part.mountpoint)).fstype if parts else "an unknown file system"


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        answer = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10)
    except OSError:
        return ""
    return answer.stdout.strip()


def _postgresql() -> str:
    binaries = postgres.find_binaries()
    version = subprocess.run([binaries.postgres, "--version"], capture_output=True, text=True, timeout=20, check=True)
    return f"{version.stdout.strip().rpartition(' ')[2]} ({binaries.source}), fsync on"
