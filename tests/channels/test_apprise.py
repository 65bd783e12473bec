"""Services of the Apprise library, by the library itself, against far ends on loopback; and who tries to break out."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import quote

import pytest
from pydantic import ValidationError

from tests.channels.conftest import LOOPBACK
from tests.channels.far_end import FarEnd, answering
from tests.hostile_targets import INSIDE
from tocsin.channels.apprise import Apprise, AppriseCredentials
from tocsin.channels.contract import BadCredentials, Message, Nothing, Receipt, Rejected, Unavailable
from tocsin.channels.longtail.library import library_behind
from tocsin.kit.http import Door

Build = Callable[..., Message]

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
SECRET = "canary-of-the-long-tail"


@pytest.fixture(scope="module")
async def door() -> AsyncIterator[Door]:
    """One for the module: the library behind it takes seconds to start."""
    async with Door(allowed=LOOPBACK) as door:
        yield door


@pytest.fixture(scope="module")
async def closed() -> AsyncIterator[Door]:
    async with Door() as door:
        yield door


def credentials(url: str) -> AppriseCredentials:
    return AppriseCredentials.model_validate({"url": url})


def place(far: FarEnd) -> str:
    return far.url.removeprefix("http://")


async def sent(message: Message, url: str, door: Door) -> Receipt:
    return await Apprise().send(message, None, Nothing(), credentials(url), door)


# What real services of the library are sent.


async def test_a_service_gets_title_text_and_links(message: Build, door: Door) -> None:
    async with answering(200, "{}") as far:
        receipt = await sent(message(), f"json://{place(far)}/hook", door)
    [asked] = far.asked
    assert asked.json["title"] == "Oven 3 is too hot"
    assert asked.json["message"].splitlines() == [
        "It has been at 312 °C for 4 minutes.",
        "Somebody should look.",
        "Acknowledge: https://tocsin.example.com/ack/abc",
        "Open the oven: https://acme.example.com/ovens/3?a=1&b=2",
    ]
    assert asked.json["type"] == "failure"
    assert (receipt.delivered, receipt.status) == (False, 200)


async def test_a_title_without_a_text_is_the_text(message: Build, door: Door) -> None:
    async with answering(200, "{}") as far:
        await sent(message(message="", action=None, ack_url=None), f"json://{place(far)}/hook", door)
    [asked] = far.asked
    assert (asked.json["title"], asked.json["message"]) == ("", "Oven 3 is too hot")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("ntfy://{place}/ovens", "/"),
        ("gotify://{place}/AbCdEfGhIjKlMnO", "/message"),
        ("xml://user:password@{place}/hook", "/hook"),
        ("form://{place}/hook?method=put", "/hook"),
        ("mmost://{place}/3ccdd113474722377935511fc85d3dd4", "/hooks/3ccdd113474722377935511fc85d3dd4"),
        ("rocket://user:password@{place}/%23ovens", "/api/v1/login"),
        ("matrix://user:password@{place}/%23ovens", "/_matrix/client/v3/login"),
        ("JSON://{place}/hook", "/hook"),
    ],
)
async def test_services_of_the_library_reach_their_server(message: Build, door: Door, url: str, path: str) -> None:
    async with answering(200, '{"status": "success", "data": {"authToken": "t", "userId": "u"}}') as far:
        try:
            await sent(message(), url.format(place=place(far)), door)
        except (Rejected, Unavailable, BadCredentials) as failure:
            assert failure.status == 200, failure  # the far end does not speak the service's whole protocol
    assert far.asked[0].path == path


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (400, Rejected),
        (413, Rejected),
        (401, BadCredentials),
        (403, BadCredentials),
        (404, BadCredentials),
        (302, Unavailable),
        (429, Unavailable),
        (500, Unavailable),
    ],
)
async def test_the_last_answer_says_whose_fault_it_was(
    message: Build, door: Door, status: int, failure: type[Exception]
) -> None:
    async with answering(status, "because", Retry_After="7", Location="/elsewhere") as far:
        with pytest.raises(failure) as failed:
            await sent(message(), f"json://{place(far)}/{SECRET}", door)
    assert len(far.asked) == 1
    assert getattr(failed.value, "retry_after", None) == (7 if failure is Unavailable else None)
    assert SECRET not in f"{failed.value} {vars(failed.value)}"


@pytest.mark.parametrize("text", ["x" * 70_000, "ü" * 35_000, "\ufffd" * 2_000])
async def test_a_long_answer_says_the_same(message: Build, door: Door, text: str) -> None:
    async with answering(400, text) as far:
        with pytest.raises(Rejected):
            await sent(message(), f"json://{place(far)}/x", door)


async def test_nobody_there_is_worth_another_try(message: Build, door: Door) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Unavailable):
            await sent(message(), f"json://127.0.0.1:{taken.getsockname()[1]}/x", door)


async def test_verifying_and_saving_send_nothing(door: Door) -> None:
    async with answering(200, "{}") as far:
        url = f"json://{place(far)}/{SECRET}"
        account = await Apprise().verify(Nothing(), credentials(url), door)
        assert await Apprise().check(Nothing(), credentials(url), door) == []
    assert far.asked == []
    assert account.name == "JSON"
    assert SECRET not in f"{account}"


@pytest.mark.parametrize("url", ["tgram://nonsense", "gotify://example.com", "discord://x"])
async def test_an_address_that_apprise_cannot_read_is_refused(message: Build, door: Door, url: str) -> None:
    [error] = await Apprise().check(Nothing(), credentials(url), door)
    assert (error.pointer, error.code) == ("/credentials/url", "url_invalid")
    with pytest.raises(BadCredentials):
        await sent(message(), url, door)


# Schemes.


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "syslog://",
        "dbus://",
        "gnome://",
        "kde://",
        "windows://",
        "macosx://",
        "blink1://",
        "mailto://user:password@example.com",
        "rsyslog://10.0.0.1",
        "irc://example.com/x",
        "mqtt://example.com/x",
        "xmpp://user:password@example.com",
        "vapid://mailto/x",
        "fcm://project/x?keyfile=/etc/passwd",
        "http://example.com/",
        "https://discord.com/api/webhooks/1/2",
        "json+file://example.com",
        "exec://ls",
        "json//example.com",
        "json://",
        "",
    ],
)
def test_what_is_no_service_reached_by_http_is_refused(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        credentials(url)
    assert not url or url not in str(refused.value.errors(include_input=False))


@pytest.mark.parametrize(
    "url",
    [
        "json://1.1.1.1/ file:///etc/passwd",
        "json://1.1.1.1/\nsyslog://",
        " json://1.1.1.1/",
        "json://1.1.1.1/\x00",
        "jso\u0144://1.1.1.1/",
    ],
)
def test_a_second_address_cannot_hide_behind_the_first(url: str) -> None:
    with pytest.raises(ValidationError):
        credentials(url)


async def test_a_list_of_addresses_is_one_address(message: Build, door: Door) -> None:
    async with answering(200, "{}") as far:
        await sent(message(), f"json://{place(far)}/one,json://{place(far)}/two", door)
    assert len(far.asked) == 1


# Where it may lead.


@pytest.mark.parametrize("target", [target for target in INSIDE if target.isascii()])
@pytest.mark.parametrize("scheme", ["json", "gotify"])
async def test_no_service_leads_inside(message: Build, closed: Door, scheme: str, target: str) -> None:
    host = target.partition("://")[2].partition("/")[0]
    url = f"{scheme}://{host}/AbCdEfGhIjKlMnO"
    errors = await Apprise().check(Nothing(), credentials(url), closed)
    assert [error.pointer for error in errors] == ["/credentials/url"]
    with pytest.raises((Rejected, BadCredentials)) as refused:
        await sent(message(), url, closed)
    assert refused.value.status is None


@pytest.mark.parametrize(
    "url",
    [
        "json://1.1.1.1:22/x",
        "json://1.1.1.1:6379/x",
        "json://user:password@10.0.0.1/x",
        "json://example.com@10.0.0.1/x",
        "json://example.com%40@10.0.0.1/x",
        "json://10.0.0.1%23@/x",
        "json://[::ffff:10.0.0.1]/x",
        "json://[fe80::1%25eth0]/x",
        "ntfy://example.com@127.0.0.1/x",
        "apprise://127.0.0.1/token?redirect=yes",
        "matrix://user:password@169.254.169.254/%23room",
        "form://10.0.0.1/x?attach-as=/etc/passwd",
    ],
)
async def test_tricks_with_users_ports_and_forms_lead_nowhere(message: Build, closed: Door, url: str) -> None:
    with pytest.raises((Rejected, BadCredentials)) as refused:
        await sent(message(), url, closed)
    assert refused.value.status is None


async def test_the_installation_is_no_target_of_its_own(message: Build) -> None:
    async with answering(200, "{}") as far, Door(allowed=LOOPBACK, own=[far.url]) as door:
        with pytest.raises(Rejected):
            await sent(message(), f"json://{place(far)}/x", door)
        assert far.asked == []


async def test_no_project_is_a_target_by_its_name_below_the_installations(message: Build) -> None:
    async with Door(own_domain="tocsin.example.com") as door:
        with pytest.raises(Rejected, match="this installation itself"):
            await sent(message(), "jsons://acme.tocsin.example.com/api/v1/events", door)


async def test_a_redirect_is_not_followed(message: Build, door: Door) -> None:
    async with answering(200, "{}") as inside, answering(307, "", Location=f"{inside.url}/taken") as far:
        with pytest.raises(Unavailable):
            await sent(message(), f"json://{place(far)}/x?redirect=yes", door)
    assert inside.asked == []


async def test_a_name_that_leads_inside_is_refused_when_it_is_connected(message: Build) -> None:
    """Its text may pass: the operator has opened something on this machine, and not this."""
    async with answering(200, "{}") as far, Door(allowed=(ip_network("127.0.0.2/32"),)) as door:
        url = f"json://localhost:{far.url.rpartition(':')[2]}/x"
        with pytest.raises(Rejected):
            await sent(message(), url, door)
        [error] = await Apprise().check(Nothing(), credentials(url), door)
        assert error.code == "address_not_allowed"
    assert far.asked == []


@pytest.mark.parametrize("scheme", ["file://", ""])
async def test_a_template_is_not_read_from_a_file(message: Build, door: Door, tmp_path: Path, scheme: str) -> None:
    """Some services take one from wherever their address says, before they call."""
    template = tmp_path / "template.json"
    card = {"contentType": "application/vnd.microsoft.card.adaptive", "content": {"type": "AdaptiveCard", "body": []}}
    template.write_text(json.dumps({"type": "message", "attachments": [card]}))
    calls: list[object] = []

    def heard(_: object, writer: asyncio.StreamWriter) -> None:
        calls.append(writer)
        writer.close()

    async with await asyncio.start_server(heard, "127.0.0.1", 0) as far:
        service = f"workflows://127.0.0.1:{far.sockets[0].getsockname()[1]}/workflow4fadddd/signaturexx"
        with pytest.raises((BadCredentials, Unavailable)):
            await sent(message(), f"{service}?template={quote(scheme + str(template), safe='')}", door)
        assert calls == []
        with pytest.raises(Unavailable):
            await sent(message(), service, door)
        assert calls


async def test_behind_an_outgoing_proxy_everything_leaves_through_it(message: Build) -> None:
    async with answering(200, "{}") as proxy, Door(proxy=proxy.url) as door:
        await sent(message(), "json://service.example.com/x", door)
        [asked] = proxy.asked
        assert asked.headers["Host"] == "service.example.com"
        for inside in ("json://10.0.0.1/x", "json://printer/x"):
            with pytest.raises(Rejected):
                await sent(message(), inside, door)
        assert len(proxy.asked) == 1


# How much it may take.


async def test_a_service_that_hangs_is_ended_and_holds_up_nobody(
    message: Build, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.channels.longtail.library.SEND_SECONDS", 2)
    async with await asyncio.start_server(lambda *_: asyncio.sleep(60), "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        hanging = asyncio.create_task(sent(message(), f"json://127.0.0.1:{port}/x", door))
        async with answering(200, "{}") as far:
            await sent(message(), f"json://{place(far)}/x", door)
        assert not hanging.done()
        with pytest.raises(Unavailable, match="too long"):
            await hanging
        silent.close()


async def test_a_process_that_ends_is_replaced(message: Build) -> None:
    async with answering(200, "{}") as far, Door(allowed=LOOPBACK) as door:
        url = f"json://{place(far)}/x"
        await sent(message(), url, door)
        process = library_behind(door)._process
        assert process is not None
        process.kill()
        await process.wait()
        await sent(message(), url, door)
        assert len(far.asked) == 2


async def test_the_process_ends_with_its_door() -> None:
    async with Door() as door:
        assert await Apprise().check(Nothing(), credentials("json://10.0.0.1/x"), door)
        process = library_behind(door)._process
        assert process is not None and process.returncode is None
    assert process.returncode is not None


def test_we_import_apprise_in_its_own_process_alone() -> None:
    code = "import sys, tocsin.app, tocsin.worker; sys.exit('apprise' in sys.modules or 'requests' in sys.modules)"
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )


# The jail, tried from inside.

TRIES: dict[str, str] = {
    "connect": "socket.create_connection(('127.0.0.1', PORT))",
    "connect by number and name": "socket.socket().connect(('localhost', PORT))",
    "connect_ex": "socket.socket().connect_ex(('127.0.0.1', PORT))",
    "udp": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', PORT))",
    "udp, connected": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('1.1.1.1', 443))",
    "unix": "socket.socket(socket.AF_UNIX).connect('/tmp/x')",
    "listen": "socket.socket().bind(('127.0.0.1', 0))",
    "another port": "socket.create_connection(('1.1.1.1', 22))",
    "a name that leads inside": (
        "socket.getaddrinfo = lambda *a, **k: [(2, 1, 6, '', ('127.0.0.1', PORT))];"
        "requests.get(f'http://innocent.example.com:{PORT}/')"
    ),
    "read": "open('/etc/passwd')",
    "read through a library folder": "open(os.path.dirname(os.__file__) + '/../../../../../../etc/passwd')",
    "write": "open(os.__file__ + '.new', 'w')",
    "os.open": "os.open('/etc/passwd', os.O_RDONLY)",
    "list": "os.listdir('/etc')",
    "program": "subprocess.run(['true'])",
    "shell": "os.system('true')",
    "fork": "os.fork()",
    "remove": "os.remove('/tmp/nothing')",
    "link": "os.symlink('/etc/passwd', '/tmp/nothing')",
    "kill": "os.kill(os.getppid(), 0)",
    "library": "ctypes.CDLL('libc.so.6')",
}


@pytest.mark.parametrize("name", TRIES)
def test_who_runs_in_the_jail_cannot(name: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        code = f"""
import ctypes, os, requests, socket, subprocess, sys
from tocsin.channels.longtail.exchange import Rules
from tocsin.channels.longtail.jail import Jail
PORT = {listener.getsockname()[1]}
socket.setdefaulttimeout(3)
Jail(Rules([], [], [], None, None)).close()
try:
    {TRIES[name]}
except BaseException as refused:
    print(type(refused).__name__)
"""
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, timeout=60)
        assert run.stdout.strip() in ("Blocked", "PermissionError"), run
        with pytest.raises(BlockingIOError):
            listener.accept()
