"""WhatsApp through the Cloud API. Answers are those of Meta's documentation; Meta itself was not reached."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from tests.channels.conftest import Builder
from tests.channels.far_end import answering
from tocsin.channels.contract import BadCredentials, OptedOut, Rejected, Unavailable
from tocsin.channels.whatsapp import WhatsApp, failures, versions
from tocsin.channels.whatsapp.forms import WhatsAppCredentials, WhatsAppSettings
from tocsin.channels.whatsapp.numbers import known_as
from tocsin.channels.whatsapp.words import PARAMETERS, TEXT
from tocsin.kit.http import Door

ANN = "+16505551234"
HIDDEN = "US.13491208655302741918"
NUMBER = "106540352242922"
ACCOUNT = "102290129340398"
WAMID = "wamid.HBgLMTY0NjcwNDM1OTUVAgARGBI1RjQyNUE3NEYxMzAzMzQ5MkEA"
# .../whatsapp/messages/send-messages
SENT = f"""{{"messaging_product": "whatsapp", "contacts": [{{"input": "{ANN}", "wa_id": "16505551234"}}],
    "messages": [{{"id": "{WAMID}"}}]}}"""
# .../whatsapp/business-phone-numbers/phone-numbers
NODE = {
    "verified_name": "Jasper's Market",
    "display_phone_number": "+1 631-555-5555",
    "id": NUMBER,
    "quality_rating": "GREEN",
    "name_status": "APPROVED",
    "throughput": {"level": "STANDARD"},
}
CREDENTIALS = WhatsAppCredentials.model_validate(
    {"accessToken": "canary-access-token-EAAJB", "appSecret": "canary-app-secret-0123456789abcdef"}
)


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that names no far end must not reach Meta."""
    monkeypatch.setenv("TOCSIN_WHATSAPP_API_URL", "http://127.0.0.1:9")


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda far: monkeypatch.setenv("TOCSIN_WHATSAPP_API_URL", far.url)


def settings(**changes: Any) -> WhatsAppSettings:
    given = {"phoneNumberId": NUMBER, "businessAccountId": ACCOUNT, "template": "alert", **changes}
    return WhatsAppSettings.model_validate(given)


def soon(**ahead: float) -> datetime:
    return datetime.now(UTC) + timedelta(**ahead)


def error(code: int, details: str = "Something is wrong.", **fields: Any) -> str:
    """.../whatsapp/support/error-codes, "Error response syntax"."""
    told = {"message": f"(#{code}) Title", "type": "OAuthException", "code": code, "fbtrace_id": "AbC"}
    told["error_data"] = {"messaging_product": "whatsapp", "details": details}
    return msgspec.json.encode({"error": told | fields}).decode()


async def test_within_the_window_the_words_go_as_they_are(message: Builder, door: Door, at: Any) -> None:
    async with answering(200, SENT) as far:
        at(far)
        receipt = await WhatsApp().send(message(window_expires_at=soon(hours=3)), ANN, settings(), CREDENTIALS, door)
    [asked] = far.asked
    assert (asked.method, asked.path) == ("POST", f"/v26.0/{NUMBER}/messages")
    assert asked.headers["Authorization"] == "Bearer canary-access-token-EAAJB"
    assert asked.json == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": ANN,
        "type": "text",
        "text": {
            "body": "Oven 3 is too hot\nIt has been at 312 °C for 4 minutes.\nSomebody should look.\n"
            "https://tocsin.example.com/ack/abc",
            "preview_url": False,
        },
    }
    assert (receipt.delivered, receipt.provider_message_id, receipt.status) == (False, WAMID, 200)


@pytest.mark.parametrize("closed", [None, soon(hours=-1), soon(seconds=5)], ids=["never", "closed", "closing"])
async def test_outside_the_window_the_template_goes(
    closed: datetime | None, message: Builder, door: Door, at: Any
) -> None:
    words = message(message="Too hot:\n\t312 °C     now", window_expires_at=closed)
    named = settings(templateLanguage="de", templateParameters=["project", "title", "message", "link"])
    async with answering(200, SENT) as far:
        at(far)
        await WhatsApp().send(words, ANN, named, CREDENTIALS, door)
    texts = ["Acme Bakery", "Oven 3 is too hot", "Too hot: 312 °C now", "https://tocsin.example.com/ack/abc"]
    assert far.asked[0].json["type"] == "template"
    assert far.asked[0].json["template"] == {
        "name": "alert",
        "language": {"code": "de"},
        "components": [{"type": "body", "parameters": [{"type": "text", "text": text} for text in texts]}],
    }


async def test_outside_the_window_without_a_template_nothing_is_sent(message: Builder, door: Door, at: Any) -> None:
    async with answering(200, SENT) as far:
        at(far)
        with pytest.raises(Rejected, match="has not written to this number within 24 hours"):
            await WhatsApp().send(message(), ANN, settings(template=None), CREDENTIALS, door)
    assert far.asked == []


async def test_where_meta_knows_the_window_closed_the_template_follows_at_once(
    message: Builder, door: Door, at: Any
) -> None:
    async with answering() as far:
        at(far)
        far.to = lambda asked: (400, error(131047)) if asked.json["type"] == "text" else (200, SENT)
        receipt = await WhatsApp().send(message(window_expires_at=soon(hours=3)), ANN, settings(), CREDENTIALS, door)
    assert [asked.json["type"] for asked in far.asked] == ["text", "template"]
    assert receipt.provider_message_id == WAMID


async def test_long_words_are_cut_and_the_link_stays_whole(message: Builder, door: Door, at: Any) -> None:
    long = message(title="T" * 900, message="日" * 5_000, window_expires_at=soon(hours=3))
    async with answering(200, SENT) as far:
        at(far)
        await WhatsApp().send(long, ANN, settings(), CREDENTIALS, door)
        await WhatsApp().send(
            message(title="T" * 900, message="日" * 5_000),
            ANN,
            settings(templateParameters=["title", "message", "message", "link"]),
            CREDENTIALS,
            door,
        )
    body = far.asked[0].json["text"]["body"]
    assert len(body) == TEXT and body.endswith("…\nhttps://tocsin.example.com/ack/abc")
    texts = [each["text"] for each in far.asked[1].json["template"]["components"][0]["parameters"]]
    assert sum(map(len, texts)) <= PARAMETERS and all(texts) and texts[-1] == "https://tocsin.example.com/ack/abc"


async def test_somebody_whose_number_is_hidden_is_reached_by_their_id(message: Builder, door: Door, at: Any) -> None:
    async with answering(200, SENT) as far:
        at(far)
        await WhatsApp().send(message(), HIDDEN, settings(), CREDENTIALS, door)
    assert far.asked[0].json["recipient"] == HIDDEN
    assert "to" not in far.asked[0].json


@pytest.mark.parametrize("address", [None, "", "0660 1234567", "+43 660 1234567", "ann@example.com", "us.123", "U.1"])
async def test_what_is_no_address_is_not_tried(address: str | None, message: Builder, door: Door, at: Any) -> None:
    async with answering(200, SENT) as far:
        at(far)
        with pytest.raises(Rejected):
            await WhatsApp().send(message(), address, settings(), CREDENTIALS, door)
    assert far.asked == []


@pytest.mark.parametrize(
    ("status", "text", "failure"),
    [
        (401, error(190, "The access token could not be decrypted."), BadCredentials),
        (401, error(0, "We were unable to authenticate the app user."), BadCredentials),
        (403, error(10), BadCredentials),
        (403, error(200), BadCredentials),
        (403, error(299), BadCredentials),
        (403, error(368), BadCredentials),
        (403, error(131031), BadCredentials),
        (400, error(131042), BadCredentials),
        (400, error(133010), BadCredentials),
        (400, error(100, "Unsupported post request.", error_subcode=33), BadCredentials),
        (400, error(100), Rejected),
        (400, error(131026, "Message undeliverable."), Rejected),
        (400, error(131047), Rejected),
        (400, error(131049), Rejected),
        (400, error(131050), OptedOut),
        (400, error(132001), Rejected),
        (400, error(132015), Rejected),
        (400, error(132016), Rejected),
        (400, error(132000, is_transient=True), Unavailable),
        (429, error(130429), Unavailable),
        (400, error(131056), Unavailable),
        (400, error(80007), Unavailable),
        (400, error(4), Unavailable),
        (500, error(131000), Unavailable),
        (503, error(131016), Unavailable),
        (400, error(999_999), Rejected),
        (403, error(999_999), BadCredentials),
        (500, error(999_999), Unavailable),
        (400, "<html>", Rejected),
        (502, "<html>", Unavailable),
        (200, "<html>Sign in to the hotel's network</html>", Unavailable),
    ],
)
async def test_a_code_says_whose_fault_it_was(
    status: int, text: str, failure: type[Exception], message: Builder, door: Door, at: Any
) -> None:
    async with answering(status, text) as far:
        at(far)
        with pytest.raises(failure) as raised:
            await WhatsApp().send(
                message(window_expires_at=soon(hours=1)), ANN, settings(template=None), CREDENTIALS, door
            )
    assert type(raised.value) is failure or issubclass(type(raised.value), failure)
    assert "canary" not in f"{raised.value} {raised.value.__cause__}"


async def test_a_refusal_is_told_in_the_details_and_not_by_the_title(message: Builder, door: Door, at: Any) -> None:
    async with answering(400, error(131026, "The number has no account.")) as far:
        at(far)
        with pytest.raises(Rejected) as raised:
            await WhatsApp().send(message(), ANN, settings(), CREDENTIALS, door)
    assert raised.value.reason == "The number has no account. (131026)"


@pytest.mark.parametrize(
    ("code", "header", "seconds"), [(131056, None, 6), (80007, None, 60), (80007, "90", 90), (131000, None, None)]
)
async def test_a_limit_is_waited_for(
    code: int, header: str | None, seconds: float | None, message: Builder, door: Door, at: Any
) -> None:
    async with answering(400, error(code), **({"Retry_After": header} if header else {})) as far:
        at(far)
        with pytest.raises(Unavailable) as raised:
            await WhatsApp().send(message(), ANN, settings(), CREDENTIALS, door)
    assert raised.value.retry_after == seconds


@pytest.mark.parametrize("status", [400, 429])
@pytest.mark.parametrize(("code", "all_of_it"), [(code, code != 131056) for code in sorted(failures.LIMITS | {131056})])
async def test_a_limit_slows_the_number_unless_it_is_one_persons_whatever_the_status(
    status: int, code: int, all_of_it: bool, message: Builder, door: Door, at: Any
) -> None:
    async with answering(status, error(code)) as far:
        at(far)
        with pytest.raises(Unavailable) as raised:
            await WhatsApp().send(message(), ANN, settings(), CREDENTIALS, door)
    assert (raised.value.status == 429) is all_of_it


def test_no_code_means_two_things() -> None:
    sets = [set(failures.RETRY), set(failures.SUSPEND), set(failures.SUPPRESS), set(failures.FAIL)]
    assert sum(map(len, sets)) == len(set().union(*sets))


def graph(number: tuple[int, str] | None = None, **changes: Any) -> Any:
    """Answers of the Graph API by path; ``apps`` and ``token`` are what it says of those."""
    day = int((datetime.now(UTC) + timedelta(days=40)).timestamp())
    token = {"data": {"is_valid": True, "expires_at": changes.get("expires", day), "scopes": changes.get("scopes", [])}}
    apps = {"data": changes.get("apps", [{"whatsapp_business_api_data": {"id": "67890", "name": "Acme"}}])}
    template = {
        "name": "alert",
        "language": "en_US",
        "status": "APPROVED",
        "components": [{"type": "BODY", "text": "*{{1}}*\n{{2}}"}],
        **changes.get("template", {}),
    }
    answers = {
        f"{ACCOUNT}/message_templates": (200, msgspec.json.encode({"data": [template]}).decode()),
        NUMBER: number or (200, msgspec.json.encode(NODE).decode()),
        f"{ACCOUNT}/subscribed_apps": (200, msgspec.json.encode(apps).decode()),
        "debug_token": (200, msgspec.json.encode(token).decode()),
    }
    return lambda asked: answers[asked.path.split("/", 2)[2]]


async def test_verifying_reads_the_number_and_sends_nothing(door: Door, at: Any) -> None:
    async with answering() as far:
        at(far)
        far.to = graph(expires=0, scopes=["whatsapp_business_messaging", "whatsapp_business_management"])
        account = await WhatsApp().verify(settings(), CREDENTIALS, door)
    assert (account.id, account.name) == (NUMBER, "+1 631-555-5555 (Jasper's Market)")
    assert account.details == {
        "displayPhoneNumber": "+1 631-555-5555",
        "verifiedName": "Jasper's Market",
        "qualityRating": "GREEN",
        "nameStatus": "APPROVED",
        "throughput": "STANDARD",
    }
    assert account.warnings == ()
    assert {asked.method for asked in far.asked} == {"GET"}


@pytest.mark.parametrize(
    ("template", "named", "words"),
    [
        ({"status": "PAUSED"}, {}, "The template alert is paused"),
        ({"status": "REJECTED"}, {}, "The template alert is rejected"),
        ({"language": "de"}, {}, "There is no template alert in en_US."),
        ({"name": "alert_2"}, {}, "There is no template alert in en_US."),
        ({}, {"templateParameters": ["title", "message", "link"]}, "has 2 places and is given 3 words"),
        ({}, {"template": None}, "Without a template nobody is reached"),
    ],
)
async def test_verifying_tells_a_template_that_meta_would_not_take(
    template: dict[str, Any], named: dict[str, Any], words: str, door: Door, at: Any
) -> None:
    async with answering() as far:
        at(far)
        far.to = graph(template=template, expires=0, scopes=["whatsapp_business_messaging"])
        [warning] = (await WhatsApp().verify(settings(**named), CREDENTIALS, door)).warnings
    assert words in warning


async def test_verifying_warns_of_what_will_not_work(door: Door, at: Any) -> None:
    async with answering() as far:
        at(far)
        far.to = graph(apps=[], scopes=["business_management"])
        account = await WhatsApp().verify(settings(), CREDENTIALS, door)
    subscription, scope, expiry = account.warnings
    assert "no status or message will reach us" in subscription
    assert "lacks the permission whatsapp_business_messaging" in scope
    assert "expires on" in expiry
    assert "canary" not in str(account)


@pytest.mark.parametrize(
    "number",
    [
        (400, error(100, "Object with ID '1' does not exist", error_subcode=33)),
        (400, error(100, "Tried accessing nonexisting field (display_phone_number)")),
        (200, f'{{"id": "{NUMBER}", "name": "An account"}}'),
    ],
    ids=["unknown", "another kind", "not a number"],
)
async def test_the_id_of_something_else_is_told_plainly(number: tuple[int, str], door: Door, at: Any) -> None:
    async with answering() as far:
        at(far)
        far.to = graph(number)
        with pytest.raises(BadCredentials, match="is no phone number ID, or the token may not see it"):
            await WhatsApp().verify(settings(), CREDENTIALS, door)


async def test_a_refused_token_does_not_verify(door: Door, at: Any) -> None:
    async with answering(401, error(190, "The session has expired.")) as far:
        at(far)
        with pytest.raises(BadCredentials, match=r"The session has expired. \(190\)"):
            await WhatsApp().verify(settings(), CREDENTIALS, door)


async def test_a_token_that_meta_repeats_is_not_told_on(message: Builder, door: Door, at: Any) -> None:
    async with answering(401, error(190, "Malformed access token canary-access-token-EAAJB")) as far:
        at(far)
        for asked in (
            WhatsApp().verify(settings(), CREDENTIALS, door),
            WhatsApp().send(message(), ANN, settings(), CREDENTIALS, door),
        ):
            with pytest.raises(BadCredentials) as raised:
                await asked
            assert "canary" not in f"{raised.value!r} {raised.value.reason} {raised.value.answer}"


@pytest.mark.parametrize(
    ("version", "today", "words"),
    [
        ("v26.0", date(2030, 1, 1), None),
        ("v21.0", date(2026, 10, 22), None),
        ("v21.0", date(2026, 10, 23), "ends on 2027-01-21"),
        ("v21.0", date(2027, 1, 21), "ended on 2027-01-21"),
    ],
)
def test_the_end_of_a_version_is_told_ninety_days_before(version: str, today: date, words: str | None) -> None:
    warned = versions.warning(version, today)
    assert (warned is None) if words is None else (warned is not None and words in warned)


@pytest.mark.parametrize(
    ("address", "names"),
    [
        ("+16505551234", ("16505551234",)),
        ("436601234567", ("436601234567",)),
        ("+5511987654321", ("5511987654321", "551187654321")),
        ("+551187654321", ("551187654321", "5511987654321")),
        ("+525512345678", ("525512345678", "5215512345678")),
        ("+5491123456789", ("5491123456789", "541123456789")),
        (HIDDEN, (HIDDEN,)),
    ],
)
def test_a_number_is_known_by_every_form_meta_may_write(address: str, names: tuple[str, ...]) -> None:
    assert known_as(address) == names


@pytest.mark.parametrize(
    "given",
    [
        {"phoneNumberId": "+1 631 555 5555"},
        {"phoneNumberId": "../me"},
        {"graphVersion": "v20.0"},
        {"graphVersion": "v26.0/../me"},
        {"template": "Alert me"},
        {"templateParameters": ["secret"]},
        {"templateLanguage": "english"},
    ],
)
def test_settings_that_cannot_be_right_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**given)
