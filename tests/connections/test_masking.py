"""Whatever a far end repeats of what it was sent, no secret of a connection is kept or answered (C3)."""

import base64
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import quote
from uuid import uuid4

import msgspec
import pytest

from tests.channels.conftest import LOOPBACK, MESSAGE
from tests.channels.far_end import Asked, FarEnd, answering
from tests.channels.google import Google, service_account
from tests.connections.build import MAIL, mail_server
from tocsin.channels.contract import Channel, Receipt, SendFailure
from tocsin.channels.masking import without_secrets
from tocsin.channels.registry import providers
from tocsin.connections.checks import asked
from tocsin.connections.configuration import Configuration, configured
from tocsin.connections.opened import Opened
from tocsin.connections.trial import Trial, tried
from tocsin.deliveries.record import Count, judged
from tocsin.kit.http import Door

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")

CANARY = "canary/0 of+every=channel"
PLAIN = "canary-0123456789-of-a-header"
BOT = "7000001:AAcanary0123456789ab-0123456789abcd"


class Case(NamedTuple):
    """A connection whose far end is at ``url``; ``secret`` is what is sent there of it."""

    settings: dict[str, Any]
    credentials: dict[str, Any]
    secret: str
    target: str | None = None


def of_address(path: str, secret: str) -> Callable[[str], Case]:
    return lambda url: Case({}, {"webhookUrl": f"{url}{path}"}, secret)


CASES: dict[str, Callable[[str], Case]] = {
    "apprise": lambda url: Case({}, {"url": f"json://acme:{PLAIN}@{url.removeprefix('http://')}/{BOT}"}, PLAIN),
    "discord": of_address(f"/api/webhooks/22370/{PLAIN}", PLAIN),
    "discord_bot": lambda url: Case({"channelId": "1" * 18}, {"botToken": PLAIN, "publicKey": "0" * 64}, PLAIN),
    "fcm": lambda url: Case({}, {"serviceAccount": service_account(Google(url=url))}, "PRIVATE KEY", "x" * 40),
    "http": lambda url: Case(
        {"url": f"{url}/push?key={{secret}}", "header": "X-Key", "headerValue": "Key {secret}", "body": '"{secret}"'},
        {"secret": CANARY},
        CANARY,
    ),
    "ntfy": lambda url: Case({"url": url, "topic": "ovens"}, {"token": PLAIN}, PLAIN),
    "pusher": lambda url: Case({"appId": "1001", "key": "app", "url": url}, {"secret": PLAIN}, PLAIN),
    "slack": of_address(f"/services/T0AAAAAAA/B0BBBBBBB/{PLAIN}", PLAIN),
    "twilio": lambda url: Case(
        {"url": url, "accountSid": "AC" + "a" * 32, "sender": "+15017122661"},
        {"authToken": PLAIN},
        PLAIN,
        "+436601234567",
    ),
    "teams": of_address(f"/workflows/0f3c/triggers?sig={PLAIN}", PLAIN),
    "telegram": lambda url: Case({}, {"botToken": BOT}, BOT, "4503599627370495"),
    "webhook": lambda url: Case({"url": f"{url}/hook"}, {}, "whsec_"),
    "whatsapp": lambda url: Case(
        {"phoneNumberId": "106540352242922", "businessAccountId": "102290129340398", "template": "alert"},
        {"accessToken": PLAIN, "appSecret": "0123456789abcdef" * 2},
        PLAIN,
        "+16505551234",
    ),
}
"""Every channel that asks by HTTP/1.1 with a secret of its connection."""

OTHERWISE = {"apns", "smtp", "webpush"}
"""What asks in another way, below; the keys of the first and the last only sign."""


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with Door(allowed=LOOPBACK) as door:
        yield door


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[FarEnd], None]:
    def lead(far: FarEnd) -> None:
        for provider in ("telegram", "whatsapp", "fcm", "discord"):
            monkeypatch.setenv(f"TOCSIN_{provider.upper()}_API_URL", far.url)

    return lead


def echo(status: int) -> Callable[[Asked], tuple[int, str]]:
    """Everything that was asked, as a debugging proxy shows it."""

    def told(asked: Asked) -> tuple[int, str]:
        lines = [f"{asked.method} {asked.path}", *(f"{name}: {value}" for name, value in asked.headers.items())]
        query = "&".join(f"{name}={value} {quote(value)}" for name, value in asked.query.items())
        return status, "\n".join([*lines, query, asked.body.decode(errors="replace")])

    return told


def connected(provider: str, case: Case) -> Configuration:
    channel = providers()[provider]
    assert isinstance(channel, Channel)
    given = case.credentials or channel.issue().revealed()  # type: ignore[union-attr]
    return configured(channel, case.settings, given)


def shows(text: str, secret: str) -> bool:
    """In whatever form it may have travelled."""
    forms = (secret, quote(secret), quote(secret, safe=""), msgspec.json.encode(secret).decode()[1:-1])
    return any(form in text for form in forms) or any(
        secret in base64.b64decode(word[: len(word) // 4 * 4]).decode(errors="replace")
        for word in re.findall("[A-Za-z0-9+/]{12,}", text)
    )


def test_every_channel_has_a_case() -> None:
    assert {name for name, each in providers().items() if isinstance(each, Channel)} == CASES.keys() | OTHERWISE


async def everything_told(chosen: Configuration, target: str | None, door: Door) -> str:
    """What verifying, a test message, a check and a delivery keep and answer."""
    trial = Trial(uuid4(), (None, {}), chosen, target, replace(MESSAGE, env="live"))
    outcome = await tried(trial, door)
    problem = outcome.problem and [each.detail for each in outcome.problem.errors]
    finding = await asked(chosen.channel, Opened(datetime.now(UTC), chosen.settings, chosen.credentials), door)
    sent: Receipt | SendFailure
    try:
        sent = await chosen.channel.send(MESSAGE, target, chosen.settings, chosen.credentials, door)
    except SendFailure as failure:
        sent = failure
    result = judged(sent, chosen.channel, chosen.credentials, Count(1, 1, 0.0))
    return f"{outcome.account} {outcome.sent} {problem} {finding} {result}".replace("\\\\", "\\")


@pytest.mark.parametrize("status", [200, 400, 401, 500])
@pytest.mark.parametrize("provider", CASES)
async def test_a_far_end_that_repeats_what_it_was_sent_shows_no_secret(
    provider: str, status: int, door: Door, at: Callable[[FarEnd], None]
) -> None:
    async with answering() as far:
        at(far)
        far.to = echo(status)
        case = CASES[provider](far.url)
        chosen = connected(provider, case)
        told = await everything_told(chosen, case.target, door)
    assert far.asked, "nobody was asked, so nothing could be repeated"
    assert not shows(told, case.secret), told
    for name, value in chosen.credentials.revealed().items():
        assert not isinstance(value, str) or value == chosen.credentials.masked()[name] or value not in told


async def test_a_mail_server_that_repeats_a_login_shows_no_secret(door: Door) -> None:
    async with mail_server() as server:
        case = Case({**MAIL, "port": server.port}, {"username": "acme", "password": PLAIN}, PLAIN, "ann@example.com")
        told = await everything_told(connected("smtp", case), case.target, door)
    assert server.logins and "no entry with ****" in told and not shows(told, PLAIN)


@pytest.mark.parametrize(
    "repeated",
    [
        "Authorization: Basic {}".format(base64.b64encode(f"acme:{CANARY}".encode()).decode()),
        "AUTH PLAIN {}".format(base64.b64encode(f"\0acme\0{CANARY}".encode()).decode()),
        f"https://acme:{quote(CANARY, safe='')}@mail.example.com",
        f'{{"password": "{CANARY}"}}',
    ],
)
def test_a_login_is_known_in_every_form(repeated: str) -> None:
    credentials = providers()["smtp"].credentials.model_validate({"username": "acme", "password": CANARY})
    clean = without_secrets(f"refused: {repeated}", credentials)
    assert clean.startswith("refused: ") and "****" in clean
    assert not shows(clean, CANARY)


def test_words_that_are_no_secret_stay() -> None:
    credentials = providers()["slack"].credentials.model_validate(
        {"webhookUrl": "https://hooks.slack.com/services/T0AAAAAAA/B0BBBBBBB/CCCCCCCCCCCCCCCCCCCCabcd"}
    )
    words = "hooks.slack.com answered 404: no_service among its services, aGVsbG8gd29ybGQ"
    assert without_secrets(words, credentials) == words
