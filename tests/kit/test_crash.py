"""The fault switches: named in one list, each at one place, and nothing happens where nobody asked for it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from tocsin.kit import crash
from tocsin.settings import Settings

SOURCES = Path(crash.__file__).parents[1]


def test_every_point_of_the_list_stands_at_one_place_of_the_product() -> None:
    passed = [
        name
        for file in SOURCES.rglob("*.py")
        for name in re.findall(r'crash\.(?:here|soon)\("([^"]+)"\)', file.read_text())
    ]
    assert sorted(passed) == sorted(crash.POINTS)


def test_no_process_starts_armed_that_was_not_told_that_it_is_in_a_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_CRASH_AT", "send.after_send:1")
    with pytest.raises(ValidationError, match="TOCSIN_CRASH_TESTS"):
        Settings()


@pytest.mark.parametrize("wrong", ["send.after_sent:1", "send.after_send:0", "send.after_send"])
def test_a_point_that_nobody_passes_cannot_be_armed(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"send\.after_send"):
        crash.arm(wrong)


def test_the_nth_pass_ends_the_process_as_a_kill_does() -> None:
    ended = _run("crash.arm('send.after_send:2')", *["crash.here('send.after_send'); print('went on', flush=True)"] * 3)
    assert (ended.returncode, ended.stdout.count("went on\n")) == (crash.EXIT_CODE, 1)
    assert "crashed at send.after_send" in ended.stderr


def test_an_armed_process_passes_every_other_point() -> None:
    ended = _run("crash.arm('send.after_send:1')", *(f"crash.here({p!r})" for p in crash.POINTS if p[:5] != "send."))
    assert ended.returncode == 0


def _run(*lines: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", "\n".join(["from tocsin.kit import crash", *lines])],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
