"""Schemathesis reads the document, calls everything in it rightly and wrongly, and finds nothing to complain of.

Under several identities, each with all phases where it may do most: what one may not do must be refused as documented
too, which the person, who may do least, tries everywhere. `schemathesis.toml` says which checks are off where, and why.
`TOCSIN_FUZZ_EXAMPLES` makes the run longer.
"""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.client import Client, Project, sign_up
from tests.contract.endpoints import ALL
from tests.engines import temporary_folder
from tests.operators import operator
from tests.people import join
from tests.running import Site, running_api

CONFIG = Path(__file__).parent / "schemathesis.toml"
ROOT = CONFIG.parents[2]
EXAMPLES = os.environ.get("TOCSIN_FUZZ_EXAMPLES", "4")
SECONDS = 300 + 20 * int(EXAMPLES)

# What would end the caller's own rights, so that the rest would be refused for no better reason.
LAST_WORDS = (
    "sign_out|end_own_session|end_other_sessions|cancel_project|transfer_project|change_password|confirm_second"
)


@dataclass(frozen=True)
class Identity:
    """Who calls, with what, and what of the document is for them."""

    auth: Mapping[str, tuple[str, str]]
    """Per security scheme of the document: the kind of its value and the value."""
    options: Sequence[str] = ()
    phases: str = "examples,coverage"
    least: int = 100
    """Cases that have to pass, lest nothing was tried."""


async def _key(project: Project, api: Client, site: Site) -> Identity:
    key, secret = (project.key.headers[name] for name in ("X-API-Key", "X-API-Secret"))
    auth = {"apiKey": ("api_key", key), "apiSecret": ("api_key", secret), "publicKey": ("api_key", key)}
    phases = "examples,coverage,fuzzing,stateful"
    return Identity(auth, ("--exclude-path-regex", "^/api/v1/platform"), phases=phases, least=1_000)


async def _owner(project: Project, api: Client, site: Site) -> Identity:
    """What is for nobody else; the rest an owner may do just as a key may."""
    own = "|".join(str(operation) for operation in ALL if operation.caller == "owner")
    options = ("--include-operation-id-regex", f"^({own})$", "--exclude-operation-id-regex", LAST_WORDS)
    return Identity(_token(project.owner), options, phases="examples,coverage,fuzzing")


async def _person(project: Project, api: Client, site: Site) -> Identity:
    person = await join(api, project)
    return Identity(_token(person.client), ("--exclude-operation-id-regex", LAST_WORDS), phases="fuzzing")


async def _operator(project: Project, api: Client, site: Site) -> Identity:
    admin = await operator(api, site)
    return Identity(_token(admin.client), ("--include-path-regex", "^/api/v1/platform"))


def _token(caller: Client) -> dict[str, tuple[str, str]]:
    return {"bearer": ("bearer", caller.headers["Authorization"].removeprefix("Bearer "))}


@pytest.fixture(scope="module")
async def fuzzed(database: str, home: Path, http: aiohttp.ClientSession) -> AsyncIterator[tuple[Client, Site]]:
    """An installation of its own, whose settings and plans nobody else's tests need."""
    site = Site(database, home)
    with running_api(site) as process:
        yield Client(http, process.url), site


Identify = Callable[[Project, Client, Site], Awaitable[Identity]]


@pytest.mark.parametrize("identify", [_key, _owner, _person, _operator], ids=lambda make: make.__name__[1:])
async def test_schemathesis_finds_nothing_to_complain_of(identify: Identify, fuzzed: tuple[Client, Site]) -> None:
    api, site = fuzzed
    who = await identify(await sign_up(api, "Fuzzed"), api, site)
    command = Path(sys.executable).with_name("schemathesis")
    assert command.exists() or shutil.which("schemathesis")
    with temporary_folder() as folder:
        config = folder / "schemathesis.toml"
        config.write_text(CONFIG.read_text() + _auth(who))
        run = await asyncio.create_subprocess_exec(
            str(command),
            *("--config-file", str(config), "run", f"{api.base}/openapi.json"),
            *("--phases", who.phases, "--max-examples", EXAMPLES, "--seed", "1", *who.options),
            *("--no-color", "--continue-on-failure", "--request-timeout", "10"),
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(run.communicate(), SECONDS)
    report = output.decode(errors="replace")
    assert run.returncode == 0, report[-20_000:]
    cases = re.search(r"(\d+) generated, (\d+) passed", report.replace(",", ","))
    assert cases is not None and int(cases[1]) > who.least, report[-2_000:]


def _auth(who: Identity) -> str:
    return "".join(f'\n[auth.openapi.{scheme}]\n{kind} = "{value}"\n' for scheme, (kind, value) in who.auth.items())
