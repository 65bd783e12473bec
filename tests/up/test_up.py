"""`tocsin up` from outside: it starts on nothing, keeps its processes alive, survives kills, and ends clean."""

import os
import signal
import socket
import stat
from collections.abc import Iterator

import psutil
import pytest

from tests.engines import running_postgres
from tests.up.installation import ACCOUNT, Up, at_work_in, enters, installation, tocsin_command, until
from tocsin.kit.migrate import newest


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    """One that stays up for the tests which leave it as it was."""
    with installation() as made:
        made.start()
        yield made


def test_it_starts_on_an_empty_folder_and_says_where_it_serves(up: Up) -> None:
    assert up.ready()
    assert f"ready at http://127.0.0.1:{up.port}\n" in up.output()
    assert set(up.children()) == {"api", "worker"}


def test_output_that_is_no_terminal_gets_plain_lines(up: Up) -> None:
    assert "\x1b" not in up.output()
    assert up.output().splitlines()[0] == "starting the database"


def test_secrets_and_logs_are_private(up: Up) -> None:
    for name in ("master.key", "postgres.password", "logs", "logs/api.log", "logs/worker.log"):
        assert stat.S_IMODE((up.home / name).stat().st_mode) & 0o077 == 0, name


def test_the_processes_get_the_bound_login_and_never_the_installers(up: Up) -> None:
    password = (up.home / "postgres.password").read_text().strip()
    for pid in up.children().values():
        given = psutil.Process(pid).environ()
        assert "TOCSIN_DATABASE_URL" not in given
        assert "//tocsin_app:" in given["TOCSIN_APP_DATABASE_URL"]
        assert not any(password in value for value in given.values())


def test_a_second_one_says_where_the_first_is_and_succeeds(up: Up) -> None:
    answer = tocsin_command("up", settings=up.all_settings())
    assert up.process is not None
    assert answer.returncode == 0
    assert answer.stdout == f"Tocsin is already running at http://127.0.0.1:{up.port} (pid {up.process.pid}).\n"
    assert up.ready()


def test_a_port_that_is_taken_is_refused_with_its_holder(up: Up) -> None:
    with installation() as other:
        answer = tocsin_command("up", settings={**other.all_settings(), "port": str(up.port)})
        assert answer.returncode == 1
        assert f"Port {up.port} is taken by process {up.children()['api']}" in answer.stderr
        assert "TOCSIN_PORT=" in answer.stderr
        assert "Traceback" not in answer.stderr


def test_migrate_beside_it_finds_its_database(up: Up) -> None:
    answer = tocsin_command("migrate", settings=up.all_settings())
    assert (answer.returncode, answer.stdout) == (0, f"The schema is at revision {newest()}.\n")
    assert up.ready()


@pytest.mark.parametrize("name", ["api", "worker"])
def test_a_killed_process_is_started_again(up: Up, name: str) -> None:
    killed = up.children()[name]
    os.kill(killed, signal.SIGKILL)
    until(lambda: up.children()[name] != killed, f"another {name}")
    until(up.ready, "the API")
    until(lambda: f"{name} error: ended (signal 9)" in up.output(), "the notice")


@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_everything_in_order(signal_: signal.Signals) -> None:
    with installation() as up:
        up.start()
        everything = up.tree()
        assert len(everything) > 5  # with the server's own processes and the child of the worker
        assert up.end(signal_) == 0
        assert [process for process in everything if process.is_running()] == []
        assert up.output().endswith("Tocsin has ended\n")
        assert "shut down" in (up.home / "postgres.log").read_text()
        assert not (up.home / "up.json").exists()


def test_after_a_kill_the_next_one_takes_over_with_all_data() -> None:
    with installation() as up:
        up.start()
        assert up.request("POST", "/api/v1/signup", ACCOUNT)[0] == 201
        before = up.tree()
        assert up.end(signal.SIGKILL) == -signal.SIGKILL
        up.start()
        assert [process for process in before if process.is_running()] == []
        login = {name: ACCOUNT[name] for name in ("email", "password")}
        assert up.request("POST", "/api/v1/auth/login", login)[0] == 200


def test_what_it_started_ends_when_it_is_killed() -> None:
    with installation() as up:
        up.start()
        up.end(signal.SIGKILL)
        until(lambda: not at_work_in(up.folder), "the end of API, worker and database")


def test_a_given_database_is_used_and_left_running() -> None:
    with running_postgres(fsync=False) as server, installation(database_url=server.dsn()) as up:
        up.start()
        assert up.request("POST", "/api/v1/signup", ACCOUNT)[0] == 201
        for pid in up.children().values():
            assert server.password not in "".join(psutil.Process(pid).environ().values())
        assert up.end() == 0
        assert not (up.home / "postgres").exists()
        assert "the database stays" in up.output()
        with socket.create_connection(("127.0.0.1", server.port), timeout=5):
            pass


def test_port_0_takes_a_free_one_and_says_which() -> None:
    with installation() as up:
        up.port = 0
        up.start()
        up.port = int(up.output().partition("ready at http://127.0.0.1:")[2].split()[0])
        assert up.port != 0
        assert up.ready()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user; without root all tests are this one")
def test_an_ordinary_user_needs_no_account_of_the_system() -> None:
    if not enters(65534):
        pytest.skip("user 65534 may not enter the folders of Python or of the source")
    with installation(user=65534) as up:
        up.start()
        assert up.ready()
        assert {process.uids().real for process in up.tree()} == {65534}
        assert up.end() == 0


def test_the_first_admin_comes_by_the_link_on_the_screen_once() -> None:
    with installation() as up:
        up.start()
        until(lambda: "first admin" in up.output(), "the link")
        (line,) = [line for line in up.output().splitlines() if "first admin" in line]
        token = line.rpartition("#")[2]
        assert f"http://127.0.0.1:{up.port}/setup#" in line
        body = {"token": token, "email": "first@example.com", "password": ACCOUNT["password"]}
        assert up.request("POST", "/api/v1/platform/setup", body)[0] == 200
        status, answer = up.request("POST", "/api/v1/platform/setup", {**body, "email": "second@example.com"})
        assert (status, answer["code"]) == (401, "invalid_link")
        login = {"email": "first@example.com", "password": ACCOUNT["password"]}
        status, answer = up.request("POST", "/api/v1/platform/auth/login", login)
        assert (status, answer["user"]["roles"]) == (200, ["super_admin"])
        up.end()
        up.start()
        assert "first admin" not in up.output()


def test_nobody_is_an_admin_by_default(up: Up) -> None:
    for email in ("admin@example.com", "root@localhost.local"):
        for password in ("admin", "password", "tocsin"):
            login = {"email": email, "password": password}
            assert up.request("POST", "/api/v1/platform/auth/login", login)[0] == 401
