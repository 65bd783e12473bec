"""Debian's ``wrk`` as the driver of HTTP loads, and what it reports."""

import asyncio
import os
import re
import resource
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bench.events import OPEN_EVENT
from tests.client import Project

LUA = Path(__file__).parent / "lua"
_NUMBER = r"(\d+(?:\.\d+)?)"


@dataclass(frozen=True, slots=True)
class Driven:
    """One load. ``faults`` counts answers other than 2xx and broken or overdue requests."""

    requests: int
    seconds: float
    faults: int
    cpu_seconds: Mapping[str, float]
    """By who spent them; of wrk itself as ``driver``."""

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    def costing(self, others: Mapping[str, float]) -> "Driven":
        """The same load with what it cost others."""
        return replace(self, cpu_seconds={**others, **self.cpu_seconds})


class NoWrk(RuntimeError):
    """The load driver is not installed."""


def require_wrk() -> str:
    path = shutil.which("wrk")
    if path is None:
        raise NoWrk("These scenarios are driven by wrk, which is not installed: apt-get install wrk")
    return path


async def drive(
    url: str, script: str, *, connections: int, seconds: float, environment: Mapping[str, str] | None = None
) -> Driven:
    """Keep ``connections`` requests under way for some seconds. ``environment`` reaches the Lua script."""
    command = [require_wrk(), "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "10s", "-s", str(LUA / script)]
    before = _children_cpu()
    process = await asyncio.create_subprocess_exec(
        *command,
        url,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **(environment or {})},
    )
    async with asyncio.timeout(seconds + 30):
        output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"wrk ended with {process.returncode}: {output.decode(errors='replace')}")
    return _read(output.decode(), _children_cpu() - before)


def sending(project: Project, *, size: int, keys: bool) -> dict[str, str]:
    """What ``events.lua`` is told: batches of ``size`` or single events (0), with keys never used before or none."""
    return {
        "EVENT": OPEN_EVENT,
        "SIZE": str(size),
        "RUN": secrets.token_hex(4) if keys else "",
        "KEY": project.key.headers["X-API-Key"],
        "SECRET": project.key.headers["X-API-Secret"],
    }


def _read(output: str, cpu_seconds: float) -> Driven:
    done = re.search(rf"(\d+) requests in {_NUMBER}(s|m),", output)
    if done is None:
        raise RuntimeError(f"wrk said something new: {output}")
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    faults = (int(refused[1]) if refused else 0) + (sum(map(int, broken.groups())) if broken else 0)
    seconds = float(done[2]) * (60 if done[3] == "m" else 1)
    return Driven(int(done[1]), seconds, faults, {"driver": cpu_seconds})


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
