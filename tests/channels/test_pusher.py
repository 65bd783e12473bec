"""Notifications through a Pusher app that is not ours: what is sent, and what an answer means.

The same against our own HTTP API: `tests/realtime/test_hosted_app.py`; against soketi: `test_soketi.py`.
"""

import json
from collections.abc import Callable

import pytest
from pusher.signature import sign
from pydantic import ValidationError

from tests.channels.conftest import ANN
from tests.channels.far_end import Asked, answering
from tocsin.channels.contract import BadCredentials, Message, Rejected, Unavailable
from tocsin.channels.pusher import MAX_DATA_BYTES, Pusher, PusherCredentials, PusherSettings, data_of
from tocsin.kit.http import Door
from tocsin.realtime import announcement

Build = Callable[..., Message]

SECRET = "canary-of-a-hosted-app"
CREDENTIALS = PusherCredentials.model_validate({"secret": SECRET})


def settings(url: str) -> PusherSettings:
    return PusherSettings.model_validate({"appId": "1001", "key": "app-key", "url": url})


def signed_as_the_library_does(asked: Asked) -> str:
    query = "&".join(f"{name}={asked.query[name]}" for name in sorted(asked.query) if name != "auth_signature")
    return str(sign(SECRET, f"{asked.method}\n{asked.path}\n{query}"))


async def test_a_person_is_sent_an_event_on_their_own_channel(message: Build, door: Door) -> None:
    async with answering(200, "{}") as far:
        receipt = await Pusher().send(message(), None, settings(far.url), CREDENTIALS, door)
    [asked] = far.asked
    assert (asked.method, asked.path) == ("POST", "/apps/1001/events")
    assert asked.json["name"] == "notification.created"
    assert asked.json["channels"] == [f"private-user-{ANN.user_id}"]
    assert asked.query["auth_signature"] == signed_as_the_library_does(asked)
    assert not receipt.delivered
    assert SECRET not in f"{asked} {receipt}"


def test_the_data_is_what_our_own_sockets_are_told(message: Build) -> None:
    given = message(sound_url="https://tocsin.example.com/api/v1/sound-files/abc.mp3")
    assert given.event and given.action
    row = {
        "id": given.notification_id,
        "title": given.title,
        "message": given.message,
        "sound": given.sound,
        "priority": given.priority,
        "action": json.dumps({"url": given.action.url, "label": given.action.label}),
        "require_ack": given.require_ack,
        "created_at": given.created_at,
        "event_id": given.event.id,
        "event_type": given.event.type,
        "client_event_id": given.event.client_event_id,
        "translations": None,
        "locales": None,
        "ways": None,
        "language": None,
    }
    assert json.loads(data_of(given)) == json.loads(announcement.Created(row, given.sound_url).to(ANN.user_id))
    bare = message(event=None, action=None, sound=None)
    row |= {"event_id": None, "action": None, "sound": None}
    assert json.loads(data_of(bare)) == json.loads(announcement.Created(row, None).to(ANN.user_id))


@pytest.mark.parametrize("letter", ["a", "ü", "🎉", "\x01", '"'])
def test_a_long_text_is_shortened_to_what_pusher_takes(message: Build, letter: str) -> None:
    data = data_of(message(message=letter * 10_000))
    assert len(data.encode()) <= MAX_DATA_BYTES
    assert json.loads(data)["message"].endswith("…")
    assert json.loads(data)["title"] == message().title


@pytest.mark.parametrize(
    ("status", "text", "failure"),
    [
        (400, "Invalid channel name", Rejected),
        (413, "The data content of this event exceeds the allowed maximum", Rejected),
        (401, "Invalid signature", BadCredentials),
        (403, "App disabled", BadCredentials),
        (404, "Unknown app", BadCredentials),
        (302, "", Unavailable),
        (429, "", Unavailable),
        (500, "", Unavailable),
        (503, "", Unavailable),
        (200, '{"error": "The app 1 does not exist", "code": 404}', BadCredentials),
        (200, '{"error": "The secret is wrong", "code": 401}', BadCredentials),
        (200, '{"error": "The data is too large", "code": 413}', Rejected),
        (200, '{"error": "The rate limit is reached", "code": 429}', Unavailable),
        (200, "<html>Welcome</html>", Unavailable),
        (200, "[]", Unavailable),
    ],
)
async def test_an_answer_says_whose_fault_it_was(
    message: Build, door: Door, status: int, text: str, failure: type[Exception]
) -> None:
    async with answering(status, text, Location="/elsewhere") as far:
        with pytest.raises(failure) as failed:
            await Pusher().send(message(), None, settings(far.url), CREDENTIALS, door)
        with pytest.raises(failure):
            await Pusher().verify(settings(far.url), CREDENTIALS, door)
    assert len(far.asked) == 2
    assert SECRET not in f"{failed.value} {vars(failed.value)}"


async def test_verifying_asks_for_a_channel_that_nobody_is_on(door: Door) -> None:
    async with answering(200, '{"occupied": false}') as far:
        account = await Pusher().verify(settings(far.url), CREDENTIALS, door)
    [asked] = far.asked
    assert (asked.method, asked.path) == ("GET", "/apps/1001/channels/tocsin-verification")
    assert asked.query["auth_signature"] == signed_as_the_library_does(asked)
    assert account.id == "1001"


def test_an_app_is_in_a_cluster_or_on_a_server() -> None:
    app = {"appId": "1", "key": "k"}
    assert PusherSettings.model_validate({**app, "cluster": "eu"}).base == "https://api-eu.pusher.com"
    for wrong in ({}, {"cluster": "eu", "url": "https://example.com"}, {"cluster": "eu.evil.example/"}):
        with pytest.raises(ValidationError):
            PusherSettings.model_validate({**app, **wrong})


def test_the_address_of_pusher_can_be_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_PUSHER_API_URL", "https://proxy.example.com/")
    assert (
        PusherSettings.model_validate({"appId": "1", "key": "k", "cluster": "eu"}).base == "https://proxy.example.com"
    )


@pytest.mark.parametrize("url", ["http://10.0.0.1", "http://[::1]:6001", "http://169.254.169.254"])
async def test_a_server_inside_is_refused(message: Build, url: str) -> None:
    async with Door() as closed:
        [error] = await Pusher().check(settings(url), CREDENTIALS, closed)
        assert error.pointer == "/settings/url"
        with pytest.raises(Rejected):
            await Pusher().send(message(), None, settings(url), CREDENTIALS, closed)
