"""Web Push, held against two implementations of others: the push service of web-push-testing, and http_ece with
py-vapid. Services of browsers were not reached."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from py_vapid import Vapid02  # type: ignore[import-untyped]
from pydantic import ValidationError

from tests.channels.browser import Browser
from tests.channels.conftest import Builder
from tests.channels.far_end import answering
from tests.node import find_node, installed_packages
from tocsin.channels.contract import AddressGone, Rejected, Unavailable
from tocsin.channels.signing import base64url, unbase64url
from tocsin.channels.webpush import LIMIT, WebPush, WebPushCredentials, WebPushSettings
from tocsin.kit.http import Door

SCRIPT = Path(__file__).parent / "push_service"
SETTINGS = WebPushSettings.model_validate({"subject": "mailto:ops@acme.example.com"})
KEYS = WebPush().issue()
SOUND = "https://tocsin.example.com/api/v1/sound-files/abc.mp3"


async def test_a_browser_can_read_it_and_see_who_sent_it(message: Builder, door: Door) -> None:
    async with answering(201, Location="https://push.example.com/m/7") as far:
        browser = Browser(f"{far.url}/push/secret-path")
        receipt = await WebPush().send(message(sound_url=SOUND), browser.address, SETTINGS, KEYS, door)
    [asked] = far.asked
    assert (receipt.delivered, receipt.provider_message_id) == (False, "https://push.example.com/m/7")
    assert asked.headers["Content-Encoding"] == "aes128gcm"
    assert (asked.headers["TTL"], asked.headers["Urgency"]) == ("86400", "high")
    assert asked.headers["Topic"] == base64url(message().notification_id.bytes)
    assert Vapid02.verify(asked.headers["Authorization"])
    assert browser.read(asked.body) == {
        "title": "Oven 3 is too hot",
        "message": "It has been at 312 °C for 4 minutes.\nSomebody should look.",
        "url": "https://acme.example.com/ovens/3?a=1&b=2",
        "label": "Open the oven",
        "ackUrl": "https://tocsin.example.com/ack/abc",
        "sound": "alarm",
        "soundUrl": SOUND,
        "priority": "critical",
        "requireAck": True,
        "notificationId": str(message().notification_id),
        "deliveryId": str(message().delivery_id),
        "event": {"id": str(message().event.id), "type": "oven.hot"},  # type: ignore[union-attr]
    }


async def test_the_signature_is_for_this_service_and_less_than_a_day(message: Builder, door: Door) -> None:
    async with answering(201) as far:
        await WebPush().send(message(), Browser(f"{far.url}/x").address, SETTINGS, KEYS, door)
    token = far.asked[0].headers["Authorization"].partition("t=")[2].partition(",")[0]
    claims = json.loads(unbase64url(token.split(".")[1]))
    assert (claims["aud"], claims["sub"]) == (far.url, "mailto:ops@acme.example.com")
    assert 0 < claims["exp"] - time.time() <= 24 * 3_600
    assert far.asked[0].headers["Authorization"].endswith(f"k={KEYS.vapid_public}")


@pytest.mark.parametrize(("priority", "urgency"), [("high", "high"), ("normal", "normal"), ("low", "low")])
async def test_urgency_follows_the_priority(message: Builder, door: Door, priority: str, urgency: str) -> None:
    async with answering(201) as far:
        await WebPush().send(message(priority=priority), Browser(f"{far.url}/x").address, SETTINGS, KEYS, door)
    assert far.asked[0].headers["Urgency"] == urgency


async def test_long_words_are_shortened_to_what_every_service_takes(message: Builder, door: Door) -> None:
    async with answering(201) as far:
        browser = Browser(f"{far.url}/x")
        await WebPush().send(message(message="日本" * 5_000), browser.address, SETTINGS, KEYS, door)
    assert 4_084 <= len(far.asked[0].body) <= 4_096
    shown = browser.read(far.asked[0].body)
    assert shown["message"].endswith("…") and shown["url"].endswith("b=2")
    assert LIMIT == 4_096 - 86 - 16 - 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Rejected),
        (401, Rejected),
        (403, Rejected),
        (404, AddressGone),
        (410, AddressGone),
        (413, Rejected),
        (429, Unavailable),
        (302, Unavailable),
        (500, Unavailable),
        (503, Unavailable),
    ],
)
async def test_what_an_answer_means(message: Builder, door: Door, status: int, kind: type[Exception]) -> None:
    """Never that the connection is at fault: a browser may name any server."""
    async with answering(status, "words", Retry_After="7") as far:
        with pytest.raises(kind) as failure:
            await WebPush().send(message(), Browser(f"{far.url}/x").address, SETTINGS, KEYS, door)
    assert type(failure.value) is kind
    if isinstance(failure.value, Unavailable):
        assert failure.value.retry_after == 7
        assert failure.value.status == (None if status == 429 else status)


async def test_a_browser_that_subscribed_before_the_keys_changed_is_still_reached(message: Builder, door: Door) -> None:
    renewed = WebPush().issue(KEYS)
    async with answering(403) as far:
        with pytest.raises(Rejected):
            await WebPush().send(message(), Browser(f"{far.url}/x").address, SETTINGS, renewed, door)
    assert [asked.headers["Authorization"].partition("k=")[2] for asked in far.asked] == [
        renewed.vapid_public,
        KEYS.vapid_public,
    ]


@pytest.mark.parametrize(
    "url",
    ["https://localhost/x", "https://127.0.0.1/x", "https://[::ffff:127.0.0.1]/x", "https://169.254.169.254/latest"],
)
async def test_an_endpoint_of_the_inside_is_refused(message: Builder, url: str) -> None:
    async with Door() as strict:
        with pytest.raises(Rejected) as refusal:
            await WebPush().send(message(), Browser(url).address, SETTINGS, KEYS, strict)
    assert "public" in refusal.value.reason or "inside" in refusal.value.reason


def _with(**changes: Any) -> str:
    subscription = json.loads(Browser("https://push.example.com/x").address)
    subscription["keys"] |= {name: value for name, value in changes.items() if name != "endpoint"}
    return json.dumps(subscription | {name: value for name, value in changes.items() if name == "endpoint"})


@pytest.mark.parametrize(
    "address",
    [
        "",
        "{}",
        "[1]",
        _with(auth="AAAA"),
        _with(auth="?"),
        _with(p256dh="AAAA"),
        _with(p256dh=base64url(b"\x04" + b"\x01" * 64)),
        _with(endpoint=f"https://push.example.com/{'x' * 1_500}"),
    ],
    ids=["empty", "none", "list", "short auth", "no auth", "short", "no point", "long"],
)
async def test_what_is_no_subscription_is_refused(message: Builder, door: Door, address: str) -> None:
    assert WebPush().address_problem(address)
    with pytest.raises(Rejected):
        await WebPush().send(message(), address, SETTINGS, KEYS, door)


def test_a_device_is_known_by_its_endpoint_and_shown_by_its_end() -> None:
    browser = Browser("https://push.example.com/send/canary-abcdefghijkl")
    again = Browser(browser.endpoint)
    first, second = WebPush().device(browser.address), WebPush().device(again.address)
    assert first.identity == second.identity and first.value != second.value
    assert (first.shown, first.url) == ("https://push.example.com/****ijkl", browser.endpoint)
    assert WebPush().address_problem(first.value) is None


def test_the_public_key_follows_from_the_private_one_whatever_is_said() -> None:
    given = WebPushCredentials.model_validate({**KEYS.revealed(), "vapidPublic": "canary"})
    assert given == KEYS
    assert given.masked()["vapidPublic"] == KEYS.vapid_public
    assert given.masked()["privateKey"].startswith("****")
    with pytest.raises(ValidationError):
        WebPushCredentials.model_validate({"privateKey": "AAAA"})


@pytest.fixture(scope="module")
async def service() -> AsyncIterator[str]:
    """The address of a push service that somebody else wrote."""
    node = find_node(20)
    packages = await asyncio.to_thread(installed_packages, SCRIPT, node)
    process = await asyncio.create_subprocess_exec(
        node.node, str(SCRIPT / "service.js"), str(packages), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    try:
        async with asyncio.timeout(60):
            started = json.loads(await process.stdout.readline())
        yield f"http://localhost:{started['port']}"
    finally:
        process.kill()
        await process.wait()


async def asked(door: Door, url: str, **form: str) -> Any:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    reply = await door.request("POST", url, headers=headers, body=urlencode(form).encode())
    assert reply.status == 200, reply.body
    return json.loads(reply.body)["data"] if reply.body.startswith(b"{") else None


async def test_a_push_service_of_others_takes_it(message: Builder, door: Door, service: str) -> None:
    subscription = await asked(door, f"{service}/subscribe", applicationServerKey=KEYS.vapid_public)
    address = json.dumps({name: subscription[name] for name in ("endpoint", "keys")})
    receipt = await WebPush().send(message(), address, SETTINGS, KEYS, door)
    assert receipt.status == 201
    got = await asked(door, f"{service}/get-notifications", clientHash=subscription["clientHash"])
    assert [json.loads(text)["title"] for text in got["messages"]] == ["Oven 3 is too hot"]


async def test_a_push_service_of_others_refuses_another_key(message: Builder, door: Door, service: str) -> None:
    subscription = await asked(door, f"{service}/subscribe", applicationServerKey=KEYS.vapid_public)
    address = json.dumps({name: subscription[name] for name in ("endpoint", "keys")})
    with pytest.raises(Rejected):
        await WebPush().send(message(), address, SETTINGS, WebPush().issue(), door)


async def test_a_subscription_that_ended_is_gone(message: Builder, door: Door, service: str) -> None:
    subscription = await asked(door, f"{service}/subscribe", applicationServerKey=KEYS.vapid_public)
    address = json.dumps({name: subscription[name] for name in ("endpoint", "keys")})
    await asked(door, f"{service}/expire-subscription/{subscription['clientHash']}")
    with pytest.raises(AddressGone):
        await WebPush().send(message(), address, SETTINGS, KEYS, door)
