"""What processes cost: processor time and memory of whole trees."""

import contextlib
from collections.abc import Iterator, Mapping

import psutil


def cpu_seconds(pids: Mapping[str, int]) -> dict[str, float]:
    """Processor seconds so far of each root process with all that it started, ended children included."""
    return {name: _tree_cpu(psutil.Process(pid)) for name, pid in pids.items()}


def spent(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Processor seconds between two looks. A child that ended unseen between them makes no negative figure."""
    return {name: max(0.0, seconds - before[name]) for name, seconds in after.items()}


def pss_bytes(pids: Mapping[str, int]) -> dict[str, int]:
    """Memory of each tree, pages that processes share divided among them (PSS), so that trees may be added up."""
    return {name: sum(_pss(process) for process in _tree(psutil.Process(pid))) for name, pid in pids.items()}


def _tree(root: psutil.Process) -> Iterator[psutil.Process]:
    yield root
    yield from root.children(recursive=True)


def _tree_cpu(root: psutil.Process) -> float:
    total = 0.0
    for process in _tree(root):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def _pss(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.NoSuchProcess:
        return 0
