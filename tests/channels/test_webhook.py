"""The webhook channel against a receiver that checks signatures with the official library (H1, H2, D2)."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from pydantic import ValidationError
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from tocsin.channels.contract import ANSWER_LIMIT, Message, Recipient, Rejected, SendFailure, Unavailable
from tocsin.channels.webhook import Webhook, WebhookCredentials, WebhookSettings, new_secret
from tocsin.kit.http import Door

Build = Callable[..., Message]


@dataclass
class Receiver:
    """An endpoint that keeps what it gets and answers what it is told to."""

    port: int = 0
    status: int = 200
    text: str = "ok"
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.calls.append((dict(request.headers), await request.read()))
        await asyncio.sleep(self.delay)
        return web.Response(status=self.status, text=self.text, headers=self.headers)

    @property
    def settings(self) -> WebhookSettings:
        return WebhookSettings.model_validate({"url": f"http://127.0.0.1:{self.port}/hook?a=1"})


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.port = runner.addresses[0][1]
    yield receiver
    await runner.cleanup()


@pytest.fixture
def credentials() -> WebhookCredentials:
    return Webhook().issue()


def secret_of(credentials: WebhookCredentials) -> str:
    return credentials.secret.get_secret_value()


async def failure_of(receiver: Receiver, message: Message, door: Door) -> SendFailure:
    with pytest.raises(SendFailure) as failed:
        await Webhook().send(message, None, receiver.settings, Webhook().issue(), door)
    return failed.value


async def test_the_body_says_what_happened_and_to_whom(
    receiver: Receiver, credentials: WebhookCredentials, message: Build, door: Door
) -> None:
    second = Recipient(user_id=UUID("0199a000-0000-7000-8000-00000000000b"))
    sent = message(recipients=(message().recipient, second))
    receipt = await Webhook().send(sent, None, receiver.settings, credentials, door)
    assert (receipt.delivered, receipt.status, receipt.answer) == (True, 200, "ok")
    headers, body = receiver.calls[0]
    assert headers["Content-Type"] == "application/json"
    assert headers["webhook-id"] == receipt.provider_message_id
    assert json.loads(body) == {
        "event": "notification.created",
        "projectId": "0199a000-0000-7000-8000-000000000003",
        "timestamp": "2026-11-21T06:30:00.123Z",
        "data": {
            "notificationId": "0199a000-0000-7000-8000-000000000002",
            "deliveryId": "0199a000-0000-7000-8000-000000000001",
            "channel": "webhook",
            "env": "live",
            "title": "Oven 3 is too hot",
            "message": "It has been at 312 °C for 4 minutes.\nSomebody should look.",
            "sound": "alarm",
            "soundUrl": None,
            "priority": "critical",
            "action": {"label": "Open the oven", "url": "https://acme.example.com/ovens/3?a=1&b=2"},
            "requireAck": True,
            "createdAt": "2026-11-21T06:30:00.123Z",
            "event": {
                "id": "0199a000-0000-7000-8000-000000000004",
                "type": "oven.hot",
                "clientEventId": "evt-9",
            },
            "users": [
                {"userId": "0199a000-0000-7000-8000-00000000000a", "externalUserId": "ann-7"},
                {"userId": "0199a000-0000-7000-8000-00000000000b", "externalUserId": None},
            ],
        },
    }


async def test_a_message_without_its_extras_is_sent_too(
    receiver: Receiver, credentials: WebhookCredentials, message: Build, door: Door
) -> None:
    bare = message(action=None, event=None, sound=None, recipient=None, recipients=())
    await Webhook().send(bare, None, receiver.settings, credentials, door)
    data = json.loads(receiver.calls[0][1])["data"]
    assert (data["action"], data["event"], data["sound"], data["users"]) == (None, None, None, [])


async def test_the_official_library_accepts_the_signature_and_nothing_altered(
    receiver: Receiver, credentials: WebhookCredentials, message: Build, door: Door
) -> None:
    await Webhook().send(message(title="ü ☎ 漢"), None, receiver.settings, credentials, door)
    headers, body = receiver.calls[0]
    verifier = Verifier(secret_of(credentials))
    assert verifier.verify(body, headers)["data"]["title"] == "ü ☎ 漢"
    for other_body, other_headers in (
        (body + b" ", headers),
        (body, headers | {"webhook-id": "msg_other"}),
        (body, headers | {"webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}),
    ):
        with pytest.raises(WebhookVerificationError):
            verifier.verify(other_body, other_headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(new_secret()).verify(body, headers)


async def test_plain_hmac_over_the_raw_body_is_there_too(
    receiver: Receiver, credentials: WebhookCredentials, message: Build, door: Door
) -> None:
    await Webhook().send(message(), None, receiver.settings, credentials, door)
    headers, body = receiver.calls[0]
    key = base64.b64decode(secret_of(credentials).removeprefix("whsec_"))
    expected = hmac.new(key, body, hashlib.sha256).hexdigest()
    assert headers["X-Tocsin-Signature"] == f"sha256={expected}"


async def test_both_secrets_verify_while_they_are_rotated(
    receiver: Receiver, credentials: WebhookCredentials, message: Build, door: Door
) -> None:
    rotated = Webhook().issue(credentials)
    assert secret_of(rotated) != secret_of(credentials)
    await Webhook().send(message(), None, receiver.settings, rotated, door)
    headers, body = receiver.calls[0]
    for secret in (secret_of(credentials), secret_of(rotated)):
        assert Verifier(secret).verify(body, headers)
    assert len(headers["webhook-signature"].split(" ")) == 2


async def test_every_attempt_carries_one_id_and_the_same_bytes(
    receiver: Receiver, credentials: WebhookCredentials, message: Build, door: Door
) -> None:
    for attempt in (1, 2, 3):
        await Webhook().send(message(attempt=attempt), None, receiver.settings, credentials, door)
    assert len({(headers["webhook-id"], body) for headers, body in receiver.calls}) == 1


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_any_2xx_is_delivered(
    receiver: Receiver, credentials: WebhookCredentials, message: Build, door: Door, status: int
) -> None:
    receiver.status = status
    receipt = await Webhook().send(message(), None, receiver.settings, credentials, door)
    assert (receipt.delivered, receipt.status) == (True, status)


@pytest.mark.parametrize(
    "status", [300, 301, 302, 304, 307, 308, 400, 401, 403, 404, 408, 413, 422, 425, 429, 500, 502, 503, 599]
)
async def test_anything_else_is_tried_again(receiver: Receiver, message: Build, door: Door, status: int) -> None:
    receiver.status = status
    receiver.headers = {"Location": "/hook"} if status < 400 else {}
    failure = await failure_of(receiver, message(), door)
    assert isinstance(failure, Unavailable)
    assert failure.status == status
    assert failure.retry_after is None
    assert len(receiver.calls) == 1


async def test_gone_is_for_ever(receiver: Receiver, message: Build, door: Door) -> None:
    receiver.status, receiver.text = 410, "moved to the country"
    failure = await failure_of(receiver, message(), door)
    assert isinstance(failure, Rejected)
    assert (failure.status, failure.answer) == (410, "moved to the country")


@pytest.mark.parametrize(("header", "seconds"), [("120", 120.0), ("-1", None), ("x", None), ("1e12", 86400.0)])
async def test_the_wait_that_a_receiver_asks_for_is_heard(
    receiver: Receiver, message: Build, door: Door, header: str, seconds: float | None
) -> None:
    receiver.status, receiver.headers = 503, {"Retry-After": header}
    failure = await failure_of(receiver, message(), door)
    assert isinstance(failure, Unavailable)
    assert failure.retry_after == seconds


async def test_answers_are_cut_at_4_kib(
    receiver: Receiver, credentials: WebhookCredentials, message: Build, door: Door
) -> None:
    receiver.text = "x" * 100_000
    receipt = await Webhook().send(message(), None, receiver.settings, credentials, door)
    assert receipt.answer == "x" * ANSWER_LIMIT
    receiver.status = 500
    failure = await failure_of(receiver, message(), door)
    assert len(failure.answer) == ANSWER_LIMIT


async def test_a_receiver_slower_than_its_timeout_is_tried_again(
    receiver: Receiver, credentials: WebhookCredentials, message: Build, door: Door
) -> None:
    receiver.delay = 2
    settings = receiver.settings.model_copy(update={"timeout_seconds": 1})
    with pytest.raises(Unavailable, match="1 s"):
        await Webhook().send(message(), None, settings, credentials, door)


async def test_a_target_inside_is_rejected_and_never_called(
    receiver: Receiver, credentials: WebhookCredentials, message: Build
) -> None:
    async with Door() as strict:
        with pytest.raises(Rejected):
            await Webhook().send(message(), None, receiver.settings, credentials, strict)
        errors = await Webhook().check(receiver.settings, credentials, strict)
    assert [(error.pointer, error.code) for error in errors] == [("/settings/url", "address_not_allowed")]
    assert not receiver.calls


async def test_a_name_that_means_the_inside_is_found_when_it_is_saved(
    credentials: WebhookCredentials, door: Door
) -> None:
    async def resolve(host: str) -> list[str]:
        return ["127.0.0.1"]

    settings = WebhookSettings.model_validate({"url": "https://lvh.me/"})
    async with Door(resolve=resolve) as strict:
        errors = await Webhook().check(settings, credentials, strict)
    assert [error.code for error in errors] == ["address_not_allowed"]
    assert await Webhook().check(WebhookSettings(url="http://127.0.0.1:9/"), credentials, door) == []


async def test_verifying_sends_a_signed_test_call(
    receiver: Receiver, credentials: WebhookCredentials, door: Door
) -> None:
    account = await Webhook().verify(receiver.settings, credentials, door)
    assert (account.id, account.name) == (receiver.settings.url, "127.0.0.1")
    headers, body = receiver.calls[0]
    assert Verifier(secret_of(credentials)).verify(body, headers)["event"] == "webhook.test"
    receiver.status = 404
    with pytest.raises(Unavailable):
        await Webhook().verify(receiver.settings, credentials, door)


# --- settings and secrets


def whsec(size: int) -> str:
    return "whsec_" + base64.b64encode(b"\xfb" * size).decode()


def test_a_new_secret_is_standard_base64_of_32_bytes() -> None:
    secret = new_secret()
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    assert secret != new_secret()


@pytest.mark.parametrize("secret", [whsec(24), whsec(32), whsec(64)])
def test_a_secret_of_24_to_64_bytes_is_taken(secret: str) -> None:
    assert secret_of(WebhookCredentials.model_validate({"secret": secret})) == secret


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        whsec(23),
        whsec(65),
        whsec(32).removeprefix("whsec_"),
        whsec(32).rstrip("="),
        whsec(32).replace("+", "-").replace("/", "_"),
        whsec(32) + "\n",
        "whsec_" + "ü" * 40,
    ],
)
def test_a_secret_that_libraries_would_read_differently_is_refused(secret: str) -> None:
    with pytest.raises(ValidationError) as refused:
        WebhookCredentials.model_validate({"secret": secret})
    assert len(secret) < 12 or secret not in str(refused.value.errors(include_input=False))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"url": ""},
        {"url": "https://example.com/" + "a" * 2_048},
        {"url": "https://example.com/", "timeoutSeconds": 0},
        {"url": "https://example.com/", "timeoutSeconds": 31},
        {"url": "https://example.com/", "headers": {"X": "y"}},
    ],
)
async def test_nonsense_settings_are_refused(
    settings: dict[str, Any], credentials: WebhookCredentials, door: Door
) -> None:
    try:
        valid = WebhookSettings.model_validate(settings)
    except ValidationError:
        return
    assert await Webhook().check(valid, credentials, door)
