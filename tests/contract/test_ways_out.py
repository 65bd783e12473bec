"""No field that becomes a host leads inside: every such field there is, with every hostile target (H3).

The fields are read from the document and from the providers' own forms. One that nobody has classified here fails,
so a new field cannot be forgotten.
"""

import ast
import contextlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import tocsin
from tests.channels.browser import Browser
from tests.channels.google import key_pair
from tests.client import Client, Project, Reply, sign_up
from tests.connections.build import LOGIN, MAIL
from tests.contract.endpoints import WITH_BODY, resolved
from tests.hostile_targets import INSIDE, NO_URL, PORTS
from tests.running import Site, running_api
from tests.signin.hostile import CLIENT, Liar, lying
from tests.signin.providers import APP
from tocsin.channels.registry import providers

OPENED = "127.0.0.2"
"""The one address that the operator of the strict installation opened: a provider must answer before it can lie."""


@dataclass(frozen=True)
class Way:
    """A field whose value we connect to; ``takes`` is a URL or a host alone."""

    pointer: str
    put: Callable[[Project, str, Liar], Awaitable[Reply]]
    takes: str = "url"


async def webhook(project: Project, target: str, liar: Liar) -> Reply:
    return await project.key.post("/connections", {"provider": "webhook", "name": "x", "settings": {"url": target}})


async def mail(project: Project, target: str, liar: Liar) -> Reply:
    settings = {**MAIL, "host": target, "security": "starttls", "port": 587}
    body = {"provider": "smtp", "name": "x", "settings": settings, "credentials": LOGIN}
    return await project.key.post("/connections", body)


async def google(project: Project, target: str, liar: Liar) -> Reply:
    """The file of a service account says where its tokens are asked for."""
    account = {"project_id": "x", "client_email": "x@x.example", "private_key": key_pair()[0], "token_uri": target}
    body = {"provider": "fcm", "name": "x", "credentials": {"serviceAccount": json.dumps(account)}}
    return await project.key.post("/connections", body)


async def browser(project: Project, target: str, liar: Liar) -> Reply:
    """A browser's subscription says where its messages go."""
    user = await project.add_user()
    body = {"channel": "webpush", "value": Browser(target).address}
    return await project.key.post(f"/users/{user['id']}/addresses", body)


def connection(provider: str, part: str, field: str, **others: Any) -> Callable[[Project, str, Liar], Awaitable[Reply]]:
    """A connection whose ``part`` (settings or credentials) has the target in that field; ``others`` are parts."""

    async def put(project: Project, target: str, liar: Liar) -> Reply:
        body = {"provider": provider, "name": "x", **others, part: {**others.get(part, {}), field: target}}
        return await project.key.post("/connections", body)

    return put


async def listening(project: Project, target: str, liar: Liar) -> Reply:
    return await project.key.post("/webhook-endpoints", {"url": target, "eventTypes": ["*"]})


async def moved(project: Project, target: str, liar: Liar) -> Reply:
    """An endpoint that was made at a public address, which nobody asks, and is to lead elsewhere."""
    made = await project.key.post("/webhook-endpoints", {"url": "https://1.1.1.1/", "eventTypes": ["quota.warning"]})
    assert made.status == 201, made.json
    return await project.key.put(f"/webhook-endpoints/{made.json['id']}", {"url": target})


async def short_form(project: Project, target: str, liar: Liar) -> Reply:
    return await project.key.put("/projects/me/webhook", {"url": target})


async def issuer(project: Project, target: str, liar: Liar) -> Reply:
    return await project.key.put("/projects/me/sso", {"issuer": target, **CLIENT, "returnUrls": [APP]})


def said_by_the_issuer(name: str) -> Callable[[Project, str, Liar], Awaitable[Reply]]:
    async def put(project: Project, target: str, liar: Liar) -> Reply:
        liar.discovery = {name: target}
        return await issuer(project, liar.issuer, liar)

    return put


SETTINGS = {
    ("webhook", "url"): Way("/settings/url", webhook),
    ("smtp", "host"): Way("/settings/host", mail, takes="host"),
    ("slack", "webhookUrl"): Way("/credentials/webhookUrl", connection("slack", "credentials", "webhookUrl")),
    ("discord", "webhookUrl"): Way("/credentials/webhookUrl", connection("discord", "credentials", "webhookUrl")),
    ("teams", "webhookUrl"): Way("/credentials/webhookUrl", connection("teams", "credentials", "webhookUrl")),
    ("ntfy", "url"): Way("/settings/url", connection("ntfy", "settings", "url", settings={"topic": "x"})),
    ("pusher", "url"): Way(
        "/settings/url",
        connection("pusher", "settings", "url", settings={"appId": "1", "key": "k"}, credentials={"secret": "x"}),
    ),
    # Its targets are addresses of another form, which test_apprise.py puts together.
    ("apprise", "url"): Way("/credentials/url", connection("apprise", "credentials", "url"), takes="apprise"),
    ("http", "url"): Way("/settings/url", connection("http", "settings", "url")),
    ("fcm", "serviceAccount"): Way("/credentials/serviceAccount", google),
    ("twilio", "url"): Way(
        "/settings/url",
        connection(
            "twilio", "settings", "url", settings={"accountSid": "AC", "sender": "x"}, credentials={"authToken": "x"}
        ),
    ),
}
"""Of the providers' settings and credentials."""

BODIES = {
    ("save_sso", "/issuer"): Way("/issuer", issuer),
    ("create_webhook_endpoint", "/url"): Way("/url", listening),
    ("change_webhook_endpoint", "/url"): Way("/url", moved),
    ("set_project_webhook", "/url"): Way("/url", short_form),
}
"""Of the bodies of our operations."""

ENDPOINTS = ("token_endpoint", "jwks_uri", "userinfo_endpoint")
WAYS = {
    **{"-".join(name): way for name, way in SETTINGS.items()},
    **{name: way for (name, _), way in BODIES.items()},
    "add_address": Way("/value", browser),
    **{name: Way("/issuer", said_by_the_issuer(name)) for name in ENDPOINTS},
}

NOT_CALLED = {
    ("apns", "topic"): "a header",
    ("apns", "teamId"): "signed",
    ("apns", "kid"): "signed",
    ("apns", "privateKey"): "signs",
    ("fcm", "defaultChannel"): "sent to the server",
    ("webpush", "subject"): "signed, for those who run push services",
    ("webpush", "vapidPublic"): "sent to the server",
    ("webpush", "privateKey"): "signs",
    ("webpush", "previousPrivateKey"): "signs",
    ("smtp", "fromAddress"): "a header of the mail",
    ("smtp", "fromName"): "a header of the mail",
    ("smtp", "replyTo"): "a header of the mail",
    ("smtp", "username"): "sent to the server",
    ("smtp", "password"): "sent to the server",
    ("webhook", "secret"): "signs",
    ("webhook", "previousSecret"): "signs",
    ("ntfy", "topic"): "sent to the server",
    ("ntfy", "token"): "sent to the server",
    ("pusher", "appId"): "a part of the path",
    ("pusher", "key"): "a part of the query",
    ("pusher", "cluster"): "a label of a name at Pusher",
    ("pusher", "secret"): "signs",
    ("http", "body"): "sent to the server",
    ("http", "header"): "sent to the server",
    ("http", "headerValue"): "sent to the server",
    ("http", "secret"): "sent to the server, or judged with the address that it stands in",
    ("twilio", "accountSid"): "a part of the path",
    ("twilio", "sender"): "sent to the server",
    ("twilio", "messagingServiceSid"): "sent to the server",
    ("twilio", "username"): "sent to the server",
    ("twilio", "authToken"): "sent to the server",
    ("twilio", "accountToken"): "checks signatures",
    ("whatsapp", "phoneNumberId"): "a part of the path",
    ("whatsapp", "businessAccountId"): "a part of the path",
    ("whatsapp", "graphVersion"): "a part of the path",
    ("whatsapp", "template"): "sent to the server",
    ("whatsapp", "templateLanguage"): "sent to the server",
    ("whatsapp", "accessToken"): "sent to the server",
    ("whatsapp", "appSecret"): "checks signatures",
    ("telegram", "mode"): "one of two words",
    ("telegram", "botToken"): "a part of the path",
    ("slack", "signingSecret"): "checks signatures",
    ("discord_bot", "channelId"): "a part of the path",
    ("discord_bot", "botToken"): "sent to the server",
    ("discord_bot", "publicKey"): "checks signatures",
    ("create_destination", "/address"): "a name at the provider: a topic, a chat, a mailbox",
    ("change_destination", "/address"): "a name at the provider",
    ("lift_opt_out", "/address"): "one that is known already, compared",
    ("create_user", "/avatarUrl"): "shown by browsers",
    ("change_user", "/avatarUrl"): "shown by browsers",
    ("sync_users", "/users/*/avatarUrl"): "shown by browsers",
    ("create_rule", "/action/url"): "opened by people",
    ("change_rule", "/action/url"): "opened by people",
    ("test_rule_draft", "/rule/action/url"): "opened by people",
    ("replay_rule", "/rule/action/url"): "opened by people",
    ("change_branding", "/logoUrl"): "shown by browsers",
    ("change_branding", "/favicon"): "shown by browsers",
    ("claim_domain", "/domain"): "asked of name servers",
    ("save_sso", "/returnUrls/*"): "browsers are sent there",
    ("save_sso", "/allowedDomains/*"): "compared with e-mails",
}
"""Fields that look like a target and that no process of ours connects to, and what they are for instead."""

_SUSPECT = re.compile(r"url|uri|host|server|issuer|endpoint|domain|webhook|proxy|link|logo|favicon|address", re.I)


def settings_fields() -> Iterator[tuple[str, str]]:
    """Every text that a provider's forms take, whatever it is called."""
    for name, provider in providers().items():
        described = provider.describe()
        for form in ("settingsSchema", "credentialsSchema"):
            for field, schema in described[form]["properties"].items():
                choices = schema.get("anyOf", [schema])
                if any(choice.get("type") == "string" and "enum" not in choice for choice in choices):
                    yield name, field


def body_fields() -> Iterator[tuple[str, str]]:
    """Every text of a body whose name or format could make it a target."""
    for operation in WITH_BODY:
        for pointer, schema in texts(operation.schema or {}, "", 0):
            named = _SUSPECT.search(pointer.removesuffix("/*").rpartition("/")[2])
            if named or schema.get("format") in ("uri", "hostname", "iri"):
                yield str(operation), pointer


def texts(schema: dict[str, Any], pointer: str, depth: int) -> Iterator[tuple[str, dict[str, Any]]]:
    if depth > 8:
        return
    schema = resolved(schema)
    for choice in [*schema.get("anyOf", []), *schema.get("oneOf", []), *schema.get("allOf", [])]:
        yield from texts(choice, pointer, depth + 1)
    for name, field in schema.get("properties", {}).items():
        yield from texts(field, f"{pointer}/{name}", depth + 1)
    if isinstance(schema.get("items"), dict):
        yield from texts(schema["items"], f"{pointer}/*", depth + 1)
    if schema.get("type") == "string":
        yield pointer, schema


def test_every_field_of_a_provider_is_known_to_be_a_way_out_or_not() -> None:
    fields = set(settings_fields())
    assert fields - set(SETTINGS) - set(NOT_CALLED) == set()
    assert set(SETTINGS) <= fields


def test_every_field_of_a_body_that_looks_like_a_target_is_known_to_be_a_way_out_or_not() -> None:
    fields = set(body_fields())
    assert fields - set(BODIES) - set(NOT_CALLED) == set()
    assert set(BODIES) <= fields
    assert {key for key in NOT_CALLED if key[1].startswith("/")} <= fields


# Who could connect at all.

_CONNECTS = re.compile(
    r"^(aiohttp|aiosmtplib|http\.client|httpx|requests|smtplib|urllib3|urllib\.request)$"
    r"|^(create_connection|open_connection|sock_connect|urlopen)$"
)
"""Clients that are imported, and calls that connect."""

_THE_DOOR = {"kit/http.py", "kit/proxy.py"}
_OVER_ITS_SOCKETS = {"channels/smtp.py", "kit/http2.py"}
_IN_A_JAIL = {"channels/longtail/child.py"}
"""Where every connection is judged as the door does: tests/channels/test_apprise.py."""
_CONNECTING = _THE_DOOR | _OVER_ITS_SOCKETS | _IN_A_JAIL
_TO_THE_INSTALLATION_ITSELF = ("demo/", "up/", "kit/postgres/")
"""To its own API and its own database; no tenant says where."""


def connecting(path: Path) -> Iterator[str]:
    """The clients and calls that a module uses."""
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Attribute):
            names = [node.attr]
        yield from filter(_CONNECTS.match, names)


def test_nothing_but_the_door_connects_to_where_a_tenant_says() -> None:
    root = Path(tocsin.__file__).parent
    modules = {str(path.relative_to(root)): set(connecting(path)) for path in root.rglob("*.py")}
    assert {name for name in _CONNECTING if modules[name]} == _CONNECTING
    others = {
        name: found
        for name, found in modules.items()
        if found and name not in _CONNECTING and not name.startswith(_TO_THE_INSTALLATION_ITSELF)
    }
    assert others == {}


# Each way, with everything hostile.


@pytest.fixture(scope="module")
async def closed(site: Site, http: aiohttp.ClientSession) -> AsyncIterator[Project]:
    """A project of an installation whose operator opened nothing."""
    async with installed(site, http, "") as project:
        yield project


@pytest.fixture(scope="module")
async def opened(site: Site, http: aiohttp.ClientSession) -> AsyncIterator[Project]:
    """A project of an installation whose operator opened one address, which is none of the targets."""
    async with installed(site, http, f"{OPENED}/32") as project:
        yield project


@contextlib.asynccontextmanager
async def installed(site: Site, http: aiohttp.ClientSession, allowed: str) -> AsyncIterator[Project]:
    settings = {"TOCSIN_ALLOW_PRIVATE_TARGETS": allowed, "TOCSIN_REALTIME": "0"}
    with running_api(replace(site, settings=settings)) as process:
        yield await sign_up(Client(http, process.url), "Strict")


@pytest.fixture(scope="module")
async def liar() -> AsyncIterator[Liar]:
    async with lying(OPENED) as issuer:
        issuer.userinfo = {"sub": "s-1"}
        yield issuer


TARGETS = [
    *[(url, "address_not_allowed") for url in INSIDE],
    *[(url, "url_invalid") for url in NO_URL],
    *[(f"https://1.1.1.1:{port}/", "port_not_allowed") for port in PORTS],
]
# Once anything inside is open, a name of the inside is judged by what it resolves to: tests/kit/test_http_targets.py.
NUMBERS = [(url, code) for url, code in TARGETS if not re.search("printer|internal|localhost", url)]


@pytest.mark.parametrize(("target", "code"), TARGETS)
@pytest.mark.parametrize("name", [name for name, way in WAYS.items() if way.takes == "url" and name not in ENDPOINTS])
async def test_no_url_of_ours_leads_inside(closed: Project, liar: Liar, name: str, target: str, code: str) -> None:
    await check_refused(closed, liar, name, target, code)


@pytest.mark.parametrize("target", INSIDE)
@pytest.mark.parametrize("name", [name for name, way in WAYS.items() if way.takes == "host"])
async def test_no_host_of_ours_leads_inside(closed: Project, liar: Liar, name: str, target: str) -> None:
    host = target.partition("://")[2].partition("/")[0].strip("[]")
    await check_refused(closed, liar, name, host, "address_not_allowed")


@pytest.mark.parametrize(("target", "code"), NUMBERS)
@pytest.mark.parametrize("name", ENDPOINTS)
async def test_nothing_an_issuer_names_leads_inside(
    opened: Project, liar: Liar, name: str, target: str, code: str
) -> None:
    await check_refused(opened, liar, name, target, code)
    # It was asked for its discovery document, and for nothing that it named there.
    assert set(liar.calls) == {"/.well-known/openid-configuration"}


async def check_refused(project: Project, liar: Liar, name: str, target: str, code: str) -> None:
    reply = await WAYS[name].put(project, target, liar)
    assert reply.status == 422, reply.json
    errors = [(error["pointer"], error["code"]) for error in reply.json["errors"]]
    assert errors == [(WAYS[name].pointer, code)]


@pytest.mark.parametrize("name", [name for name, way in WAYS.items() if way.takes == "url"])
async def test_the_installation_is_no_target_of_its_own(acme: Project, name: str) -> None:
    """A notification that comes back as an event would go round forever (bad input 69). Loopback is open here."""
    async with lying() as liar:
        liar.userinfo = {"sub": "s-1"}
        await check_refused(acme, liar, name, f"{acme.key.base}/hook", "address_not_allowed")
