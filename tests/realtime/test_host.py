"""A key at the host of another project opens no socket (T1)."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.client import Client, Project, sign_up
from tests.hosted import BASE, PUBLIC, Hosted, prove
from tests.realtime.serving import read

MISMATCH = 4010


@pytest.fixture(scope="module")
async def acme(hosted: Hosted) -> Project:
    return await sign_up(hosted.api, "Acme")


@pytest.fixture(scope="module")
async def rival(hosted: Hosted) -> Project:
    return await sign_up(hosted.api, "Rival")


@contextlib.asynccontextmanager
async def asking(
    api: Client, key: str, host: str, *, query: str = "", **headers: str
) -> AsyncIterator[ClientConnection]:
    """A socket by a public key, asked for under a host name and with further headers."""
    address = urlsplit(api.base)
    uri = f"ws://{host}/app/{key}?protocol=7{query}"
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    async with connect(
        uri, host=address.hostname, port=address.port, compression=None, additional_headers=more, proxy=None
    ) as connection:
        yield connection


async def greeting(api: Client, key: str, host: str, **more: Any) -> str:
    """What a socket hears first."""
    async with asking(api, key, host, **more) as connection:
        return str((await read(connection))["event"])


async def goodbye(api: Client, key: str, host: str, **more: Any) -> tuple[int, int]:
    """The codes of the error frame and of the close that a socket ends with."""
    async with asking(api, key, host, **more) as connection:
        frame = await read(connection)
        assert frame["event"] == "pusher:error", frame
        with pytest.raises(ConnectionClosed) as closed:
            await read(connection)
    assert closed.value.rcvd
    return frame["data"]["code"], closed.value.rcvd.code


def key_of(project: Project, env: str = "live") -> str:
    return str(project.signed_up["apiKeys"][env]["key"])


def below(project: Project) -> str:
    return f"{project.slug}.{BASE}"


@pytest.mark.parametrize("env", ["live", "test"])
async def test_a_key_at_the_subdomain_of_another_project_is_refused_for_good(
    hosted: Hosted, acme: Project, rival: Project, env: str
) -> None:
    assert await goodbye(hosted.api, key_of(acme, env), below(rival)) == (MISMATCH, MISMATCH)
    assert await greeting(hosted.api, key_of(acme, env), below(acme)) == "pusher:connection_established"
    assert await greeting(hosted.api, key_of(rival, env), below(rival)) == "pusher:connection_established"


@pytest.mark.parametrize("host", [BASE, PUBLIC, f"{PUBLIC}:8443", "127.0.0.1", "localhost", f"www.{BASE}", "x.example"])
async def test_at_a_host_of_nobody_the_key_chooses(hosted: Hosted, acme: Project, host: str) -> None:
    assert await greeting(hosted.api, key_of(acme), host) == "pusher:connection_established"


@pytest.mark.parametrize("host", [f"no-such-project.{BASE}", f"platform.{BASE}"])
async def test_a_name_below_the_base_domain_that_is_not_the_keys_is_refused(
    hosted: Hosted, acme: Project, host: str
) -> None:
    assert await goodbye(hosted.api, key_of(acme), host) == (MISMATCH, MISMATCH)


async def test_a_proven_domain_opens_sockets_of_its_project_alone(
    hosted: Hosted, acme: Project, rival: Project
) -> None:
    domain = "sockets.client-of-rival.com"
    await prove(hosted, rival, domain)
    assert await goodbye(hosted.api, key_of(acme), domain) == (MISMATCH, MISMATCH)
    assert await goodbye(hosted.api, key_of(acme), f"{domain.upper()}.:8443") == (MISMATCH, MISMATCH)
    assert await greeting(hosted.api, key_of(rival), domain) == "pusher:connection_established"
    assert (await rival.owner.delete("/projects/me/domain")).status == 204
    assert await greeting(hosted.api, key_of(acme), domain) == "pusher:connection_established"


async def test_a_tenant_in_header_or_query_may_agree_and_may_not_differ(
    hosted: Hosted, acme: Project, rival: Project
) -> None:
    for mine in (acme.slug, acme.id):
        assert await greeting(hosted.api, key_of(acme), PUBLIC, X_Tenant_Id=mine) == "pusher:connection_established"
        assert (
            await greeting(hosted.api, key_of(acme), PUBLIC, query=f"&tenant={mine}") == "pusher:connection_established"
        )
    for other in (rival.slug, rival.id):
        assert await goodbye(hosted.api, key_of(acme), PUBLIC, X_Tenant_Id=other) == (MISMATCH, MISMATCH)
        assert await goodbye(hosted.api, key_of(acme), PUBLIC, query=f"&tenant={other}") == (MISMATCH, MISMATCH)


async def test_an_unknown_key_hears_nothing_of_projects(hosted: Hosted, rival: Project) -> None:
    """Otherwise the difference would tell which names are taken."""
    for host in (below(rival), f"no-such-project.{BASE}"):
        assert await goodbye(hosted.api, "pk_live_nobody", host) == (4001, 4001)
