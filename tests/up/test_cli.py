"""The command line: help for everything, and failures in words."""

import json
import os
from pathlib import Path

import pytest

from tests.engines import free_port, running_postgres, temporary_folder
from tests.up.installation import tocsin_command
from tocsin import __version__
from tocsin.kit.migrate import newest

COMMANDS = ("up", "api", "worker", "migrate", "db-roles", "openapi", "doctor", "demo", "mail", "version")


GROUPED = (
    ("audit", "verify"),
    ("keys", "status"),
    ("keys", "rotate-data"),
    ("keys", "rotate-master"),
    ("keys", "drop-master"),
    ("import", "telegram"),
    ("import", "whatsapp"),
    ("import", "all"),
    ("import", "rollback"),
)


@pytest.mark.parametrize("command", GROUPED, ids=" ".join)
def test_every_command_of_a_group_explains_itself(command: tuple[str, str]) -> None:
    answer = tocsin_command(*command, "--help")
    assert answer.returncode == 0
    assert f"Usage: tocsin {' '.join(command)}" in answer.stdout and "Example" in answer.stdout
    assert "..." not in tocsin_command(command[0], "--help").stdout.partition("Commands:")[2]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    answer = tocsin_command(command, "--help")
    assert answer.returncode == 0
    assert f"Usage: tocsin {command}" in answer.stdout
    assert command in ("mail", "version") or "Example: " in answer.stdout


def test_the_list_names_every_command_with_a_whole_sentence() -> None:
    listed = tocsin_command("--help").stdout
    for command in COMMANDS:
        assert f"\n  {command} " in listed
    assert "..." not in listed.partition("Commands:")[2]


def test_version() -> None:
    assert tocsin_command("version").stdout == f"{__version__}\n"


def test_an_unknown_command_is_a_mistake_of_usage() -> None:
    assert tocsin_command("uup").returncode == 2


@pytest.mark.parametrize("command", ["api", "worker", "migrate"])
def test_without_a_database_they_say_how_to_get_one(command: str, tmp_path: Path) -> None:
    failed(command, {"home": str(tmp_path)}, "TOCSIN_DATABASE_URL", "tocsin up")


@pytest.mark.parametrize("command", ["api", "worker", "migrate", "up"])
def test_a_database_that_does_not_answer_is_named(command: str, tmp_path: Path) -> None:
    settings = {
        "home": str(tmp_path),
        "port": str(free_port()),
        "database_url": f"postgresql://postgres:x@127.0.0.1:{free_port()}/tocsin",
    }
    failed(command, settings, "does not answer", "TOCSIN_DATABASE_URL")


@pytest.mark.parametrize("command", ["api", "worker"])
def test_a_login_that_sees_through_walls_is_refused(command: str, tmp_path: Path) -> None:
    with running_postgres(fsync=False) as server:
        settings = {"home": str(tmp_path), "port": str(free_port()), "app_database_url": server.dsn()}
        failed(command, settings, "superuser", "TOCSIN_APP_DATABASE_URL")
        settings = {"home": str(tmp_path), "port": str(free_port()), "database_url": server.dsn()}
        failed(command, settings, "refuses the login", "tocsin migrate")


@pytest.mark.parametrize("command", ["up", "api", "worker", "migrate", "doctor"])
def test_nonsense_in_the_environment_is_named(command: str, tmp_path: Path) -> None:
    failed(command, {"home": str(tmp_path), "port": "eighty"}, "TOCSIN_PORT")
    failed(command, {"home": str(tmp_path), "master_key": "c2hvcnQ="}, "TOCSIN_MASTER_KEY", "32 bytes")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    failed("up", {"home": str(tmp_path / "file" / "home")}, str(tmp_path / "file"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may listen anywhere")
def test_a_port_that_needs_root_is_named(tmp_path: Path) -> None:
    allowed_from = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if allowed_from > 1:
        failed("up", {"home": str(tmp_path), "port": "1"}, "above 1023")


def test_openapi_is_the_same_each_time_and_makes_no_files(tmp_path: Path) -> None:
    home = tmp_path / "home"
    printed = tocsin_command("openapi", settings={"home": str(home), "public_url": "https://example.com"})
    written = tocsin_command("openapi", "--write", str(tmp_path / "openapi.json"))
    assert (printed.returncode, written.returncode) == (0, 0)
    assert printed.stdout == (tmp_path / "openapi.json").read_text()
    assert "/api/v1/events" in json.loads(printed.stdout)["paths"]
    assert not home.exists()


def test_db_roles_prints_sql_that_migrate_builds_upon(tmp_path: Path) -> None:
    with temporary_folder() as home, running_postgres(fsync=False) as server:
        settings = {"home": str(home), "database_url": server.dsn()}
        printed = tocsin_command("db-roles", "--print", settings=settings).stdout
        assert "CREATE ROLE tocsin_owner NOLOGIN" in printed
        assert "PASSWORD" not in printed
        assert (
            "ALTER ROLE tocsin_app PASSWORD"
            in tocsin_command("db-roles", "--print", "--with-passwords", settings=settings).stdout
        )
        assert tocsin_command("migrate", settings=settings).returncode == 0
        assert tocsin_command("migrate", settings=settings).stdout == f"The schema is at revision {newest()}.\n"


def test_db_roles_does_nothing_by_itself(tmp_path: Path) -> None:
    answer = tocsin_command("db-roles", settings={"home": str(tmp_path)})
    assert answer.returncode == 2
    assert "--print" in answer.stderr


def test_a_demonstration_without_tocsin_says_so() -> None:
    failed("demo", {"port": str(free_port())}, "Nothing answers", "tocsin up")


def test_a_demonstration_names_the_line_that_is_no_event(tmp_path: Path) -> None:
    sample = tmp_path / "events.ndjson"
    sample.write_text('{"type": "order.created", "payload": {}}\n\n{"type": 7}\n')
    answer = tocsin_command("demo", str(sample))
    assert answer.returncode == 1
    assert "line 3" in answer.stderr


def failed(command: str, settings: dict[str, str], *words: str) -> None:
    """The command ends with 1 and these words, and shows no trace."""
    answer = tocsin_command(command, settings=settings)
    assert answer.returncode == 1, answer.stderr
    assert "Traceback" not in answer.stderr
    for word in words:
        assert word in answer.stderr
