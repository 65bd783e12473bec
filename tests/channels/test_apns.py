"""Apple's push service as its documentation describes it, played by an HTTP/2 server on loopback; Apple itself was not
reached. Answers: "Handling notification responses from APNs"."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import ValidationError

from tests.channels.conftest import ANN, LOOPBACK, Builder
from tests.channels.http2_server import Answer, Http2Server, http2_server
from tocsin.channels import apns
from tocsin.channels.apns import LIMIT, NOBODY, TOKEN_SECONDS, Apns, ApnsCredentials, ApnsSettings
from tocsin.channels.contract import AddressGone, BadCredentials, Rejected, Unavailable
from tocsin.kit.http import Door

TOKEN = "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0"
KEY = ec.generate_private_key(ec.SECP256R1())
SETTINGS = ApnsSettings.model_validate({"topic": "com.example.acme"})


def p8(key: Any) -> str:
    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


def credentials(key: Any = KEY, **changes: Any) -> ApnsCredentials:
    given = {"teamId": "TEAM123456", "kid": "KEY1234567", "privateKey": p8(key)}
    return ApnsCredentials.model_validate(given | changes)


def failed(status: int, reason: str, **headers: str) -> Answer:
    return Answer(status, f'{{"reason":"{reason}"}}'.encode(), headers)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def apple(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Http2Server]:
    async with http2_server(authority) as served:
        monkeypatch.setenv("TOCSIN_APNS_API_URL", served.url)
        yield served


@pytest.fixture
async def door(authority: trustme.CA) -> AsyncIterator[Door]:
    tls = ssl.create_default_context()
    authority.configure_trust(tls)
    async with Door(allowed=LOOPBACK, tls=tls) as door:
        yield door


async def test_a_notification_has_its_words_its_sound_and_one_id_for_all_tries(
    message: Builder, door: Door, apple: Http2Server
) -> None:
    apple.answers = [Answer(200, b"", {"apns-id": "0199A000-0000-7000-8000-000000000001"})]
    receipt = await Apns().send(message(sound="alarm.caf"), TOKEN, SETTINGS, credentials(), door)
    [asked] = apple.asked
    assert (receipt.delivered, receipt.provider_message_id) == (False, "0199A000-0000-7000-8000-000000000001")
    assert (asked.headers[":method"], asked.headers[":path"]) == ("POST", f"/3/device/{TOKEN}")
    assert asked.headers["apns-topic"] == "com.example.acme"
    assert asked.headers["apns-push-type"] == "alert"
    assert asked.headers["apns-id"] == str(message().delivery_id)
    assert asked.headers["apns-collapse-id"] == str(message().notification_id)
    assert asked.headers["apns-priority"] == "10"
    assert asked.headers["apns-expiration"] == str(int(message().created_at.timestamp()) + 86_400)
    assert asked.json["aps"] == {
        "alert": {
            "title": "Oven 3 is too hot",
            "body": "It has been at 312 °C for 4 minutes.\nSomebody should look.",
        },
        "sound": "alarm.caf",
        "interruption-level": "time-sensitive",
    }
    assert asked.json["url"] == "https://acme.example.com/ovens/3?a=1&b=2"
    assert asked.json["ackUrl"] == "https://tocsin.example.com/ack/abc"


async def test_a_critical_alert_sounds_on_a_muted_phone_where_the_app_may(
    message: Builder, door: Door, apple: Http2Server
) -> None:
    entitled = ApnsSettings.model_validate({"topic": "com.example.acme", "criticalAlerts": True})
    await Apns().send(message(sound="alarm.caf"), TOKEN, entitled, credentials(), door)
    await Apns().send(message(priority="high"), TOKEN, entitled, credentials(), door)
    critical, high = (asked.json["aps"] for asked in apple.asked)
    assert critical["sound"] == {"critical": 1, "name": "alarm.caf", "volume": 1.0}
    assert critical["interruption-level"] == "critical"
    assert (high["sound"], high["interruption-level"]) == ("alarm", "time-sensitive")


async def test_a_sound_of_the_library_is_the_file_of_that_name_in_the_app(
    message: Builder, door: Door, apple: Http2Server
) -> None:
    """C9: its name with the ending that the app's files have."""
    caf = ApnsSettings.model_validate({"topic": "com.example.acme", "criticalAlerts": True, "soundExtension": "caf"})
    await Apns().send(message(sound_url="https://tocsin.example.com/x"), TOKEN, SETTINGS, credentials(), door)
    await Apns().send(message(sound_url="https://tocsin.example.com/x"), TOKEN, caf, credentials(), door)
    plain, critical = (asked.json["aps"]["sound"] for asked in apple.asked)
    assert plain == "alarm.wav"
    assert critical == {"critical": 1, "name": "alarm.caf", "volume": 1.0}


async def test_a_low_priority_neither_lights_the_screen_nor_drains_the_battery(
    message: Builder, door: Door, apple: Http2Server
) -> None:
    await Apns().send(message(priority="low", sound=None), TOKEN, SETTINGS, credentials(), door)
    [asked] = apple.asked
    assert asked.headers["apns-priority"] == "5"
    assert asked.json["aps"]["interruption-level"] == "passive"


async def test_the_token_is_one_that_a_stranger_can_verify(message: Builder, door: Door, apple: Http2Server) -> None:
    await Apns().send(message(), TOKEN, SETTINGS, credentials(), door)
    scheme, token = apple.asked[0].headers["authorization"].split(" ")
    claims = jwt.decode(token, KEY.public_key(), ["ES256"], issuer="TEAM123456", options={"require": ["iat", "iss"]})
    assert scheme == "bearer"
    assert jwt.get_unverified_header(token)["kid"] == "KEY1234567"
    assert set(claims) == {"iss", "iat"}


async def test_all_processes_make_the_same_token_until_it_is_old_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = 1_800_000_000 // TOKEN_SECONDS * TOKEN_SECONDS
    tokens = [apns._bearer(credentials(), begin + second) for second in (0, 1, TOKEN_SECONDS - 1, TOKEN_SECONDS)]
    assert tokens[0] == tokens[1] == tokens[2] != tokens[3]
    assert 20 * 60 <= TOKEN_SECONDS <= 60 * 60


async def test_one_connection_carries_many_at_a_time_and_each_team_has_its_own(
    message: Builder, door: Door, apple: Http2Server
) -> None:
    apple.hold.clear()
    other = credentials(ec.generate_private_key(ec.SECP256R1()), teamId="TEAM999999")
    await_all = asyncio.gather(
        *(Apns().send(message(), TOKEN, SETTINGS, who, door) for who in [credentials()] * 5 + [other] * 2)
    )
    while len(apple.asked) < 7:
        await asyncio.sleep(0.01)
    apple.hold.set()
    await await_all
    carried = [asked.connection for asked in apple.asked]
    assert apple.connections == 2
    assert sorted(carried.count(number) for number in set(carried)) == [2, 5]


async def test_who_only_says_to_be_of_a_team_has_a_connection_of_their_own(
    message: Builder, door: Door, apple: Http2Server
) -> None:
    await Apns().send(message(), TOKEN, SETTINGS, credentials(), door)
    await Apns().send(message(), TOKEN, SETTINGS, credentials(ec.generate_private_key(ec.SECP256R1())), door)
    assert apple.connections == 2


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (failed(400, "BadDeviceToken"), Rejected),
        (failed(400, "DeviceTokenNotForTopic"), Rejected),
        (failed(400, "PayloadEmpty"), Rejected),
        (failed(400, "BadTopic"), BadCredentials),
        (failed(400, "TopicDisallowed"), BadCredentials),
        (failed(400, "IdleTimeout"), Unavailable),
        (failed(403, "BadCertificateEnvironment"), BadCredentials),
        (failed(403, "ExpiredProviderToken"), Unavailable),
        (failed(403, "InvalidProviderToken"), BadCredentials),
        (failed(403, "MissingProviderToken"), BadCredentials),
        (failed(404, "BadPath"), Rejected),
        (failed(405, "MethodNotAllowed"), Rejected),
        (failed(410, "Unregistered"), AddressGone),
        (failed(410, "ExpiredToken"), AddressGone),
        (failed(413, "PayloadTooLarge"), Rejected),
        (failed(429, "TooManyRequests"), Unavailable),
        (failed(500, "InternalServerError"), Unavailable),
        (failed(503, "ServiceUnavailable"), Unavailable),
        (failed(503, "Shutdown"), Unavailable),
        (Answer(403, b"<html>a firewall</html>"), Unavailable),
    ],
    ids=lambda value: value.body.decode()[:40] if isinstance(value, Answer) else value.__name__,
)
async def test_what_an_answer_means(
    message: Builder, door: Door, apple: Http2Server, answer: Answer, kind: type[Exception]
) -> None:
    apple.answers = [answer]
    with pytest.raises(kind) as failure:
        await Apns().send(message(), TOKEN, SETTINGS, credentials(), door)
    assert type(failure.value) is kind


async def test_a_token_that_changes_too_often_waits_for_twenty_minutes(
    message: Builder, door: Door, apple: Http2Server
) -> None:
    apple.answers = [failed(429, "TooManyProviderTokenUpdates")]
    with pytest.raises(Unavailable) as failure:
        await Apns().send(message(), TOKEN, SETTINGS, credentials(), door)
    assert failure.value.retry_after == 1_200


async def test_a_request_that_apple_did_not_look_at_is_made_once_more(
    message: Builder, door: Door, apple: Http2Server
) -> None:
    apple.answers = [Answer(goaway=True), Answer()]
    await Apns().send(message(), TOKEN, SETTINGS, credentials(), door)
    assert (len(apple.asked), apple.connections) == (1, 2)


async def test_long_words_are_shortened_to_what_apple_takes(message: Builder, door: Door, apple: Http2Server) -> None:
    await Apns().send(message(title='"' * 300, message="日本\n" * 9_000), TOKEN, SETTINGS, credentials(), door)
    [asked] = apple.asked
    assert LIMIT - 12 <= len(asked.body) <= LIMIT
    assert asked.json["aps"]["alert"]["body"].endswith("…")
    assert asked.json["url"] == "https://acme.example.com/ovens/3?a=1&b=2"


async def test_verifying_pushes_to_nobody(door: Door, apple: Http2Server) -> None:
    apple.answers = [failed(400, "BadDeviceToken")]
    account = await Apns().verify(SETTINGS, credentials(), door)
    assert (account.id, account.name) == ("TEAM123456.com.example.acme", "com.example.acme")
    assert apple.asked[0].headers[":path"] == f"/3/device/{NOBODY}"


@pytest.mark.parametrize("reason", ["InvalidProviderToken", "TopicDisallowed"])
async def test_verifying_tells_of_a_key_or_topic_that_is_not_ours(door: Door, apple: Http2Server, reason: str) -> None:
    apple.answers = [failed(403, reason)]
    with pytest.raises(BadCredentials):
        await Apns().verify(SETTINGS, credentials(), door)


@pytest.mark.parametrize("address", ["", "xyz", TOKEN[:-1], f"{TOKEN[:-1]}g", f"{TOKEN}/../x", None])
async def test_what_is_no_device_token_is_not_sent(message: Builder, door: Door, address: str | None) -> None:
    with pytest.raises(Rejected):
        await Apns().send(message(recipient=ANN), address, SETTINGS, credentials(), door)


def test_only_a_key_for_push_notifications_is_taken() -> None:
    for bad in ("no key", p8(rsa.generate_private_key(65_537, 2_048)), p8(ec.generate_private_key(ec.SECP384R1()))):
        with pytest.raises(ValidationError) as refused:
            credentials(privateKey=bad)
        assert "BEGIN" not in str(refused.value.errors(include_input=False))
