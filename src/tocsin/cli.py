"""`tocsin`: one command for every process and for what an operator does around them.

Each command imports what it needs itself, so that `tocsin --help` answers at once. Exit codes: 0 done, 1 it
cannot be done and the last lines say why, 2 the command line is wrong.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from tocsin.startup import Installation

app = typer.Typer(
    name="tocsin",
    help="The notification platform that insists until somebody answers.",
    epilog="Settings come from the environment; all begin with TOCSIN_. Start with: tocsin up",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

mail = typer.Typer(help="See the platform's own mails and their links.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(mail, name="mail")
audit = typer.Typer(help="The record of every change.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(audit, name="audit")
keys = typer.Typer(help="The keys that secrets are sealed with.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(keys, name="keys")
imports = typer.Typer(
    help="Bring in what a single-tenant installation had.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(imports, name="import")


def main() -> None:
    app(prog_name="tocsin")


@app.command(epilog="Example: TOCSIN_PORT=9000 TOCSIN_HOME=/var/lib/tocsin tocsin up")
def up() -> None:
    """Run everything on this machine: database, API and worker.

    Brings its own PostgreSQL unless TOCSIN_DATABASE_URL names one. Ctrl-C, q or SIGTERM ends it in order.
    """
    with _clear_failures():
        from rich.console import Console

        from tocsin.up.claim import AlreadyRunning
        from tocsin.up.supervisor import run

        console = Console()
        try:
            run(_installation(), console)
        except AlreadyRunning as already:
            where = f"already running at {already.url}" if already.url else "already starting"
            typer.echo(f"Tocsin is {where} (pid {already.pid}).")


@app.command(epilog="Example: TOCSIN_APP_DATABASE_URL=postgresql://... TOCSIN_HOST=0.0.0.0 tocsin api")
def api() -> None:
    """Serve the HTTP API and the realtime sockets."""
    with _clear_failures():
        from tocsin.api import serve
        from tocsin.logins import with_logins
        from tocsin.up.port import usable_port

        installation = _installation()
        if installation.settings.port:
            usable_port(installation.settings.host, installation.settings.port)
        serve(with_logins(installation, platform=True))


@app.command(epilog="Example: TOCSIN_APP_DATABASE_URL=postgresql://... tocsin worker")
def worker() -> None:
    """Match events and send deliveries.

    Start as many as there is work for, on any machine that reaches the database.
    """
    with _clear_failures():
        from tocsin.logins import with_logins
        from tocsin.worker import work

        installation = _installation()
        work(with_logins(installation))


@app.command(epilog="Example: TOCSIN_DATABASE_URL=postgresql://installer:...@db/tocsin tocsin migrate")
def migrate() -> None:
    """Bring the database's schema up to date.

    Makes the roles too; nothing happens when all is there. Needs the installer's
    login in TOCSIN_DATABASE_URL; without one, a running `tocsin up`.
    """
    with _clear_failures():
        import asyncio

        from tocsin.kit.migrate import migrate as bring_up_to_date

        installation = _installation(beside_up=True)
        revision = asyncio.run(bring_up_to_date(installation.installer_url, installation.roles, installation.master))
        typer.echo(f"The schema is at revision {revision}.")


@app.command("db-roles", epilog="Example: tocsin db-roles --print --server-version 16 | psql -U postgres tocsin")
def db_roles(
    print_: Annotated[bool, typer.Option("--print", help="Print the SQL; nothing is run.")] = False,
    server_version: Annotated[int, typer.Option(help="Major version of the server.", min=15)] = 16,
    with_passwords: Annotated[bool, typer.Option(help="Also set the passwords that Tocsin derives.")] = False,
) -> None:
    """Print the SQL that makes the database roles.

    For those who let no program do that. Run it as an administrator, connected to
    Tocsin's database, as the login that will run `tocsin migrate`.
    """
    if not print_:
        raise typer.BadParameter("`tocsin migrate` makes the roles; add --print to see the SQL.")
    with _clear_failures():
        from tocsin.kit.roles import bootstrap_script

        installation = _installation()
        roles = installation.roles
        typer.echo(bootstrap_script(roles, server_version=server_version))
        if with_passwords:
            for login in (roles.app, roles.platform):
                typer.echo(f"ALTER ROLE {login} PASSWORD '{installation.master.database_password(login)}';")


admin_commands = typer.Typer(help="People who run this installation.", no_args_is_help=True)
app.add_typer(admin_commands, name="admin")


@admin_commands.command("create", epilog="Example: tocsin admin create ann@example.com --role support")
def create_admin(
    email: Annotated[str, typer.Argument(help="What they sign in with.")],
    name: Annotated[str | None, typer.Option(help="Their name.")] = None,
    role: Annotated[str, typer.Option(help="super_admin, support or billing.")] = "super_admin",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input; no link then.")
    ] = False,
) -> None:
    """Make a platform admin, or help one back in.

    Prints a link with which the person chooses a password: once, within 24 hours. For somebody who is an admin
    already, the link sets a new password and nothing else changes.
    """
    with _clear_failures():
        import asyncio
        import sys

        from tocsin.admin import NotMade, create

        installation = _installation(beside_up=True)
        password = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
        try:
            link = asyncio.run(create(installation, email, name, role, password))
        except NotMade as error:
            _fail(str(error))
        typer.echo(link or f"{email} can sign in.")


@app.command(epilog="Example: tocsin openapi --write openapi.json")
def openapi(
    write: Annotated[Path | None, typer.Option(help="File to write instead of printing.", dir_okay=False)] = None,
) -> None:
    """Print or write the OpenAPI document.

    Of this version; without a database and without a server.
    """
    with _clear_failures():
        from tocsin.described import openapi_text

        if write is None:
            typer.echo(openapi_text(), nl=False)
        else:
            write.write_text(openapi_text(), encoding="utf-8")


@app.command(epilog="Example: tocsin doctor && echo all is well")
def doctor() -> None:
    """Examine this installation.

    Each finding that is not well comes with what to do, and makes the exit code 1.
    """
    with _clear_failures():
        import asyncio

        from tocsin.doctor import examine

        findings = asyncio.run(examine(_installation(beside_up=True)))
        for finding in findings:
            typer.echo(f"{'ok  ' if finding.ok else 'FAIL'} {finding.name}: {finding.detail}")
            if not finding.ok and finding.fix:
                typer.echo(f"     fix: {finding.fix}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


@app.command(epilog="Example: tocsin demo --url http://127.0.0.1:8700 my-events.ndjson")
def demo(
    file: Annotated[
        Path | None,
        typer.Argument(help="Events, one JSON object a line as POST /events takes it.", exists=True, dir_okay=False),
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="The running Tocsin. Default: TOCSIN_PUBLIC_URL, HOST and PORT.")
    ] = None,
    per_second: Annotated[float, typer.Option(help="Events sent per second.", min=0.1, max=100)] = 8.0,
) -> None:
    """Send sample events and watch what arrives.

    Signs up a project on the running Tocsin, installs rules, and shows each notification with its latency.
    """
    with _clear_failures():
        import asyncio

        from rich.console import Console

        from tocsin.demo.play import NoDemo, play
        from tocsin.demo.sample import BadSample, read_sample
        from tocsin.settings import Settings

        try:
            events = read_sample(file)
            asyncio.run(play(url or Settings().base_url, events, per_second, Console()))
        except (NoDemo, BadSample) as error:
            _fail(str(error))


@mail.command("list", epilog="Example: tocsin mail list --project acme")
def list_mails(
    project: Annotated[str | None, typer.Option(help="Slug of one project. Default: all.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that were sent or captured.")] = False,
) -> None:
    """List the newest mails that have not left, with the reason.

    Needs the installer's login in TOCSIN_DATABASE_URL; without one, a running `tocsin up`.
    """
    with _clear_failures():
        import asyncio

        from tocsin.mail.printed import listed

        installation = _installation(beside_up=True)
        found = asyncio.run(listed(installation.installer_url, installation.roles, project_slug=project, every=every))
        for row in found:
            error = f"  {row.last_error}" if row.last_error else ""
            typer.echo(
                f"{row.id}  {row.created_at:%Y-%m-%d %H:%M}  {row.state:<8}  {row.kind:<19}"
                f"  {row.project_slug}  {row.recipient}{error}"
            )
        if not found:
            typer.echo("No mail waits.")


@mail.command("show", epilog="Example: tocsin mail show 01942f7e-...")
def show_mail(mail_id: Annotated[str, typer.Argument(metavar="ID", help="As `tocsin mail list` prints it.")]) -> None:
    """Print one mail with its link.

    Whoever has the link can be that person: pass it on to them alone. It is for
    installations without a mail server.
    """
    with _clear_failures():
        import asyncio

        from tocsin.kit.crypto import Unreadable
        from tocsin.kit.ids import parse_id
        from tocsin.kit.vault import Vault
        from tocsin.mail.printed import printed

        installation = _installation(beside_up=True)
        id_ = parse_id(mail_id)
        if id_ is None:
            _fail(f"{mail_id} is no id of a mail; `tocsin mail list` prints them.")
        try:
            look = printed(installation.installer_url, installation.roles, Vault(installation.master), id_)
            found = asyncio.run(look)
        except Unreadable as error:
            _fail(f"This mail does not open under this master key: {error}.")
        if found is None:
            _fail("There is no such mail; they are kept for 30 days.")
        typer.echo(f"To: {found.mail.recipient}\nSubject: {found.words.subject}\n\n{found.words.text}")
        if found.url:
            typer.echo(f"\n{found.words.button}: {found.url}")


@audit.command("verify", epilog="Example: tocsin audit verify --project acme --anchor /backup/anchors.jsonl")
def audit_verify(
    project: Annotated[str | None, typer.Option(help="Slug of the one project to look at.")] = None,
    anchor: Annotated[
        Path | None,
        typer.Option(help="Anchors to hold the chains against. Default: those of TOCSIN_HOME.", exists=True),
    ] = None,
) -> None:
    """See that no entry was changed, moved, put in or taken out.

    Names the first bad entry of each project; the exit code is then 1. Needs the
    installer's login, or a running `tocsin up`.
    """
    with _clear_failures():
        import asyncio

        from tocsin.verifying import look

        report = asyncio.run(look(_installation(beside_up=True), project, anchor))
        for fault in report.faults:
            where = f"entry {fault.seq}" + (f" ({fault.entry})" if fault.entry else "")
            typer.echo(f"FAIL {fault.project}: {where} {fault.kind}: {fault.words}")
        typer.echo(
            f"{report.entries} entries of {report.projects} projects ({report.ending} are being purged), "
            f"{report.anchors} anchors"
            f" ({report.erased} entries with erased details, on record): "
            + (f"{len(report.faults)} chains are broken" if report.faults else "all as they were sealed")
        )
    if report.faults:
        raise typer.Exit(1)


@keys.command("status", epilog="Example: tocsin keys status")
def keys_status() -> None:
    """Show the keys, and what still hangs on old ones."""
    with _clear_failures():
        import asyncio

        from tocsin.rotating import in_words, key_status

        for line in in_words(asyncio.run(key_status(_installation(beside_up=True)))):
            typer.echo(line)


@keys.command("rotate-data", epilog="Example: tocsin keys rotate-data --project acme")
def keys_rotate_data(
    project: Annotated[str | None, typer.Option(help="Slug of the one project to rotate.")] = None,
    per_second: Annotated[int, typer.Option(help="Values sealed anew per second at most.", min=1)] = 500,
) -> None:
    """Give projects a new data key.

    Everything goes on meanwhile. Stopped half-way, it goes on from there when it is run again.
    """
    with _clear_failures():
        import asyncio

        from tocsin.rotating import rotate_data

        done = asyncio.run(rotate_data(_installation(beside_up=True), project, per_second))
        for place in done.unreadable:
            typer.echo(f"FAIL {place} opens under no key; its owner must set it again.")
        typer.echo(f"{done.values} values of {done.projects} projects sealed anew, {done.removed} old keys removed.")
    if done.unreadable:
        raise typer.Exit(1)


@keys.command("rotate-master", epilog="Example: tocsin keys rotate-master")
def keys_rotate_master() -> None:
    """Wrap all data keys with a new master key.

    Makes the key where it is kept in TOCSIN_HOME; where the environment gives it,
    docs/keys-and-secrets.md says how. The old one is accepted until `drop-master`.
    """
    with _clear_failures():
        import asyncio

        from tocsin.rotating import in_words, rotate_master

        done = asyncio.run(rotate_master(_installation(beside_up=True)))
        for id_ in done.unreadable:
            typer.echo(f"FAIL data key {id_} opens under no accepted master key.")
        typer.echo(f"{done.wrapped} data keys wrapped anew.")
        for line in in_words(done.status):
            typer.echo(line)
    if done.unreadable:
        raise typer.Exit(1)


@keys.command("drop-master", epilog="Example: tocsin keys drop-master")
def keys_drop_master(
    force: Annotated[bool, typer.Option("--force", help="Also when recovery codes are lost with them.")] = False,
) -> None:
    """Accept the old master keys no longer.

    Who did not use Tocsin since the rotation has to sign in again. API keys go on working.
    """
    with _clear_failures():
        import asyncio

        from tocsin.rotating import drop_master

        typer.echo(f"{asyncio.run(drop_master(_installation(beside_up=True), force=force))} old master keys removed.")


_Project = Annotated[str, typer.Option(help="Slug of the project that gets the connections.")]
_FromEnv = Annotated[bool, typer.Option("--from-env", help="Read the variables in the environment of this command.")]
_FromFile = Annotated[
    Path | None,
    typer.Option("--from-file", help="Read a .env file, or an export in JSON.", exists=True, dir_okay=False),
]
_For = Annotated[
    str | None,
    typer.Option(
        "--for", help="project (the default), admins (each of them), or somebody's e-mail. An export says it itself."
    ),
]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen; write nothing.")]
_ReportFile = Annotated[Path | None, typer.Option("--report", help="File for the report as JSON.", dir_okay=False)]


@imports.command(
    "telegram",
    epilog="Examples: tocsin import telegram --from-env --project acme;"
    " tocsin import telegram --from-file shop.env --project acme --for admins --dry-run",
)
def import_telegram(
    project: _Project,
    from_env: _FromEnv = False,
    from_file: _FromFile = None,
    for_: _For = None,
    dry_run: _DryRun = False,
    report: _ReportFile = None,
) -> None:
    """Make connections of Telegram bots.

    Of TELEGRAM_ variables, each with the destinations orders and inventory, or of an export. All are pending until
    somebody verifies them. A connection of the same owner with the same bot is replaced. docs/import.md lists what is
    read. Exit code 1 where anything was skipped.
    """
    _import("telegram", project, from_env, from_file, for_, dry_run, report)


@imports.command(
    "whatsapp",
    epilog="Examples: tocsin import whatsapp --from-env --project acme;"
    " tocsin import whatsapp --from-file export.json --project acme --report report.json",
)
def import_whatsapp(
    project: _Project,
    from_env: _FromEnv = False,
    from_file: _FromFile = None,
    for_: _For = None,
    dry_run: _DryRun = False,
    report: _ReportFile = None,
) -> None:
    """Make connections of WhatsApp numbers.

    Of WHATSAPP_ variables or of an export, as `tocsin import telegram` does of bots.
    """
    _import("whatsapp", project, from_env, from_file, for_, dry_run, report)


@imports.command("all", epilog="Example: tocsin import all --from-file export.json --project acme --dry-run")
def import_all(
    project: _Project,
    from_env: _FromEnv = False,
    from_file: _FromFile = None,
    for_: _For = None,
    dry_run: _DryRun = False,
    report: _ReportFile = None,
) -> None:
    """Make connections of bots and numbers alike.

    As one import, which is put back as one.
    """
    _import(None, project, from_env, from_file, for_, dry_run, report)


@imports.command("rollback", epilog="Example: tocsin import rollback 01942f7e-...")
def import_rollback(
    import_id: Annotated[str, typer.Argument(metavar="ID", help="As the import printed it.")],
) -> None:
    """Put back what an import has changed.

    All of it, or nothing where somebody has changed or verified one of its connections since. Within 30 days.
    """
    with _clear_failures():
        import asyncio

        from tocsin.importing import NotImported, undo
        from tocsin.logins import with_logins

        installation = with_logins(_installation(beside_up=True))
        try:
            done = asyncio.run(undo(installation, import_id))
        except NotImported as error:
            _fail(str(error))
        for line in done:
            typer.echo(line)
        typer.echo("Everything is as it was before." if done else "This import was put back before.")


def _import(
    provider: str | None,
    project: str,
    from_env: bool,
    from_file: Path | None,
    whose: str | None,
    dry_run: bool,
    told: Path | None,
) -> None:
    """Import and tell of it; the report's file is opened first, so that nothing is written that cannot be reported."""
    if from_env == (from_file is not None):
        raise typer.BadParameter("Give --from-env, or --from-file with a file: one of them.")
    with _clear_failures(), told.open("ab") if told else nullcontext() as opened:
        import asyncio
        import os

        from tocsin.importing import NotImported, bring
        from tocsin.imports.report import as_json, in_words
        from tocsin.logins import with_logins

        installation = with_logins(_installation(beside_up=True))
        run = bring(installation, from_file, os.environ, project, whose, provider, dry_run=dry_run)
        try:
            report = asyncio.run(run)
        except NotImported as error:
            _fail(str(error))
        if opened is not None:
            opened.truncate(0)
            opened.write(as_json(report))
        for line in in_words(report):
            typer.echo(line)
        if not report.complete:
            raise typer.Exit(1)


@app.command()
def version() -> None:
    """The version of this program."""
    from tocsin import __version__

    typer.echo(__version__)


def _installation(*, beside_up: bool = False) -> "Installation":
    """What the environment says. ``beside_up`` takes the running embedded database where none is given."""
    from tocsin.settings import Settings
    from tocsin.startup import NotConfigured, installation
    from tocsin.up.database import with_database

    settings = Settings()
    try:
        return installation(with_database(settings) if beside_up else settings)
    except ValueError as error:
        raise NotConfigured(f"TOCSIN_MASTER_KEY, or the file {settings.home / 'master.key'}: {error}") from error


@contextmanager
def _clear_failures() -> Iterator[None]:
    """Expected failures end the command with words on stderr and exit code 1."""
    from tocsin.failures import Failed, in_words

    try:
        with in_words():
            yield
    except Failed as failed:
        _fail(str(failed))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _fail(words: str) -> NoReturn:
    typer.echo(f"tocsin: {words}", err=True)
    raise typer.Exit(1)
