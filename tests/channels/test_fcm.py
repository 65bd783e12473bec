"""Firebase Cloud Messaging. What we send is held against Google's own description of the API; answers are those of its
reference. Google itself was not reached."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from pydantic import ValidationError

from tests.channels.conftest import Builder
from tests.channels.google import Google, google_on_loopback, key_pair, refused, service_account
from tocsin.channels import google_tokens
from tocsin.channels.contract import Action, AddressGone, BadCredentials, Rejected, Unavailable
from tocsin.channels.fcm import LIMIT, Fcm, FcmCredentials, FcmSettings
from tocsin.kit.http import Door

TOKEN = "dQw4w9WgXcQ_installation:APA91b" + "x" * 130
SETTINGS = FcmSettings.model_validate({})
SHAPES = jsonschema_rs.validator_for(json.loads((Path(__file__).parent / "fcm_v1.json").read_text()))
"""``messages:send`` of the discovery document that google-api-python-client 2.202 brings, without its words."""


def credentials(google: Google, **changes: Any) -> FcmCredentials:
    return FcmCredentials.model_validate({"serviceAccount": service_account(google, **changes)})


@pytest.fixture
async def google(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Google]:
    async with google_on_loopback() as google:
        monkeypatch.setenv("TOCSIN_FCM_API_URL", google.url)
        yield google


async def test_a_message_is_one_that_google_describes(message: Builder, door: Door, google: Google) -> None:
    receipt = await Fcm().send(message(), TOKEN, SETTINGS, credentials(google), door)
    [asked] = google.asked
    SHAPES.validate(asked.json)
    assert (receipt.delivered, receipt.provider_message_id) == (False, "projects/acme-bakery/messages/1")
    assert asked.path == "/v1/projects/acme-bakery/messages:send"
    assert asked.headers["Authorization"] == "Bearer ya29.token-1"
    sent = asked.json["message"]
    assert sent["token"] == TOKEN
    assert sent["notification"] == {
        "title": "Oven 3 is too hot",
        "body": "It has been at 312 °C for 4 minutes.\nSomebody should look.",
    }
    assert sent["data"]["url"] == "https://acme.example.com/ovens/3?a=1&b=2"
    assert sent["data"]["deliveryId"] == str(message().delivery_id)


def test_the_description_of_google_refuses_what_it_does_not_know() -> None:
    for wrong in ({"message": {"tokn": "x"}}, {"message": {"data": {"n": 1}}}, {"message": {"android": {"ttl": "1h"}}}):
        assert not SHAPES.is_valid(wrong)


async def test_each_sound_has_its_android_channel(message: Builder, door: Door, google: Google) -> None:
    settings = FcmSettings.model_validate({"defaultChannel": "general", "ttlSeconds": 60})
    for sound in ("siren.mp3", None):
        await Fcm().send(message(sound=sound, priority="normal"), TOKEN, settings, credentials(google), door)
    loud, plain = (asked.json["message"]["android"] for asked in google.asked)
    tag = str(message().notification_id)
    assert loud["notification"] == {"tag": tag, "channelId": "siren", "sound": "siren.mp3"}
    assert plain["notification"] == {"tag": tag, "channelId": "general"}
    assert (plain["priority"], plain["ttl"]) == ("NORMAL", "60s")


async def test_a_sound_of_the_library_is_a_resource_on_android_and_a_file_on_ios(
    message: Builder, door: Door, google: Google
) -> None:
    """C9: resources of Android are named without an ending, sounds of iOS with one."""
    await Fcm().send(message(sound_url="https://tocsin.example.com/x"), TOKEN, SETTINGS, credentials(google), door)
    sent = google.asked[0].json["message"]
    shown = sent["android"]["notification"]
    assert (shown["channelId"], shown["sound"]) == ("alarm", "alarm")
    assert sent["apns"]["payload"]["aps"]["sound"] == "alarm.wav"


FIREBASE_ADMIN = json.loads((Path(__file__).parent / "firebase_admin_7_7_0.json").read_text())
"""What the encoder of Google's own library makes of messages that say the same as ours."""
GENERAL = {"defaultChannel": "general", "ttlSeconds": 60}
OF_THE_APP = {"sound_url": "https://tocsin.example.com/x"}
BARE = {"sound": None, "action": None, "ack_url": None, "require_ack": False, "event": None}


@pytest.mark.parametrize(
    ("name", "settings", "changes"),
    [
        ("everything", {}, {}),
        ("a sound of the app", {}, {**OF_THE_APP, "priority": "high"}),
        ("a critical alert", {"criticalAlerts": True, "soundExtension": "caf"}, OF_THE_APP),
        ("no sound", GENERAL, {"sound": None, "priority": "normal"}),
        ("low and bare", {"ttlSeconds": 0}, {**BARE, "priority": "low"}),
    ],
)
async def test_a_message_is_what_the_library_of_google_sends(
    message: Builder, door: Door, google: Google, name: str, settings: dict[str, Any], changes: dict[str, Any]
) -> None:
    given = FcmSettings.model_validate(settings)
    await Fcm().send(message(**changes), TOKEN, given, credentials(google), door)
    expected = FIREBASE_ADMIN[name]
    android = expected["android"]
    android["priority"] = android["priority"].upper()
    if channel := android["notification"].pop("channel_id", None):
        android["notification"]["channelId"] = channel
    assert google.asked[0].json["message"] == expected
    SHAPES.validate(google.asked[0].json)


async def test_a_token_is_asked_for_once_and_by_the_account_itself(
    message: Builder, door: Door, google: Google
) -> None:
    fcm = Fcm()
    given = credentials(google)
    await asyncio.gather(*(fcm.send(message(), TOKEN, SETTINGS, given, door) for _ in range(5)))
    await fcm.send(message(), TOKEN, SETTINGS, given, door)
    [claims] = google.claims
    assert claims["iss"] == "push@acme-bakery.iam.gserviceaccount.com"
    assert claims["scope"] == "https://www.googleapis.com/auth/firebase.messaging"
    assert claims["exp"] - claims["iat"] == 3_600


async def test_a_token_that_is_about_to_end_is_not_used(message: Builder, door: Door, google: Google) -> None:
    google.expires_in = google_tokens.SPARE_SECONDS
    fcm = Fcm()
    for _ in range(2):
        await fcm.send(message(), TOKEN, SETTINGS, credentials(google), door)
    assert [asked.headers["Authorization"][-1] for asked in google.asked] == ["1", "2"]


async def test_a_token_that_was_revoked_is_replaced_at_once(message: Builder, door: Door, google: Google) -> None:
    google.answers = [refused(401, "UNAUTHENTICATED"), (200, {"name": "projects/acme-bakery/messages/2"})]
    receipt = await Fcm().send(message(), TOKEN, SETTINGS, credentials(google), door)
    assert receipt.provider_message_id == "projects/acme-bakery/messages/2"
    assert [asked.headers["Authorization"][-1] for asked in google.asked] == ["1", "2"]


async def test_accounts_that_claim_to_be_the_same_share_no_token(message: Builder, door: Door, google: Google) -> None:
    fcm = Fcm()
    await fcm.send(message(), TOKEN, SETTINGS, credentials(google), door)
    await fcm.send(message(), TOKEN, SETTINGS, credentials(google, private_key_id="other"), door)
    assert len(google.claims) == 2


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused(404, "NOT_FOUND", "UNREGISTERED"), AddressGone),
        (refused(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", field_name="message.token"), AddressGone),
        (refused(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", field_name="message.data"), Rejected),
        (refused(400, "INVALID_ARGUMENT"), Rejected),
        (refused(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"), Rejected),
        (refused(403, "PERMISSION_DENIED"), BadCredentials),
        (refused(401, "UNAUTHENTICATED"), BadCredentials),
        (refused(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"), Unavailable),
        (refused(404, "NOT_FOUND"), BadCredentials),
        (refused(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"), Unavailable),
        (refused(500, "INTERNAL", "INTERNAL"), Unavailable),
        (refused(503, "UNAVAILABLE", "UNAVAILABLE"), Unavailable),
        ((502, "<html>Bad gateway</html>"), Unavailable),
        ((403, "<html>a firewall</html>"), Unavailable),
        ((200, "<html>a portal</html>"), Unavailable),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else str(value)[:110],
)
async def test_what_an_answer_means(
    message: Builder, door: Door, google: Google, answer: tuple[int, Any], kind: type[Exception]
) -> None:
    google.answers = [answer]
    with pytest.raises(kind) as failure:
        await Fcm().send(message(), TOKEN, SETTINGS, credentials(google), door)
    assert type(failure.value) is kind


@pytest.mark.parametrize(("headers", "seconds"), [({"Retry-After": "7"}, 7), ({}, 60)])
async def test_a_used_up_quota_waits_as_long_as_it_is_told(
    message: Builder, door: Door, google: Google, headers: dict[str, str], seconds: int
) -> None:
    google.answers, google.headers = [refused(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED")], headers
    with pytest.raises(Unavailable) as failure:
        await Fcm().send(message(), TOKEN, SETTINGS, credentials(google), door)
    assert failure.value.retry_after == seconds


async def test_a_service_account_that_is_gone_is_the_connections_own_fault(
    message: Builder, door: Door, google: Google
) -> None:
    google.grants = 400, {"error": "invalid_grant", "error_description": "Invalid grant: account not found"}
    with pytest.raises(BadCredentials) as failure:
        await Fcm().send(message(), TOKEN, SETTINGS, credentials(google), door)
    assert "account not found" in failure.value.answer
    assert google.asked == []


async def test_long_words_are_shortened_and_what_leads_somewhere_is_not(
    message: Builder, door: Door, google: Google
) -> None:
    await Fcm().send(message(title="t" * 900, message="ä\n" * 60_000), TOKEN, SETTINGS, credentials(google), door)
    [asked] = google.asked
    assert LIMIT - 12 <= len(asked.body) <= LIMIT
    assert asked.json["message"]["notification"]["body"].endswith("…")
    assert asked.json["message"]["data"]["url"] == "https://acme.example.com/ovens/3?a=1&b=2"


async def test_what_does_not_fit_without_words_either_is_refused(message: Builder, door: Door, google: Google) -> None:
    with pytest.raises(Rejected) as failure:
        far = Action(url=f"https://acme.example.com/{'x' * 4_000}")
        await Fcm().send(message(action=far), TOKEN, SETTINGS, credentials(google), door)
    assert "4,096" in failure.value.reason
    assert google.asked == []


async def test_verifying_has_a_message_judged_that_goes_to_nobody(door: Door, google: Google) -> None:
    google.answers = [(200, {"name": "projects/acme-bakery/messages/fake_message_id"})]
    account = await Fcm().verify(SETTINGS, credentials(google), door)
    assert (account.id, account.name) == ("acme-bakery", "push@acme-bakery.iam.gserviceaccount.com")
    SHAPES.validate(google.asked[0].json)
    assert google.asked[0].json["validateOnly"] is True
    assert "token" not in google.asked[0].json["message"]


@pytest.mark.parametrize(
    "account",
    ["", "{}", "no json", '{"project_id": "x", "client_email": "y", "private_key": "z"}'],
    ids=["empty", "nothing", "no json", "no key"],
)
def test_only_the_file_of_a_service_account_is_taken(account: str) -> None:
    with pytest.raises(ValidationError):
        FcmCredentials.model_validate({"serviceAccount": account})


def test_a_project_that_leads_elsewhere_is_refused() -> None:
    with pytest.raises(ValidationError, match="project_id"):
        credentials(Google(), project_id="../x?")


async def test_the_private_key_is_shown_to_nobody(google: Google) -> None:
    given = credentials(google)
    body = key_pair()[0].splitlines()[5]
    assert body not in f"{given!r} {given.masked()} {given.model_dump_json()}"
    assert json.loads(given.revealed()["serviceAccount"])["private_key"] == key_pair()[0]


async def test_a_token_address_of_the_inside_is_refused(google: Google) -> None:
    inside = credentials(google, token_uri="http://169.254.169.254/token")
    async with Door() as strict:
        [error] = await Fcm().check(SETTINGS, inside, strict)
    assert (error.pointer, error.code) == ("/credentials/serviceAccount", "address_not_allowed")
