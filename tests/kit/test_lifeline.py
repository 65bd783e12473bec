"""A process that was told to end does, whatever it hangs on."""

import signal
import subprocess
import sys

HANGS = "import threading; from tocsin.kit.lifeline import end_within; end_within(1); threading.Event().wait()"


def test_a_process_that_hangs_at_its_end_is_ended() -> None:
    assert subprocess.run([sys.executable, "-c", HANGS], timeout=30).returncode == -signal.SIGALRM
