"""Text messages through Twilio's API. Answers are those of its documentation; Twilio itself was not reached."""

import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from multidict import MultiDict
from pydantic import ValidationError
from twilio.request_validator import RequestValidator

from tests.channels.far_end import Asked, answering
from tocsin.channels.contract import BadCredentials, Message, OptedOut, Rejected, Unavailable
from tocsin.channels.sms import BODY, Sms, SmsCredentials, SmsSettings, failure_of_status
from tocsin.kit.http import Door

Build = Callable[..., Message]

ANN = "+436601234567"
SID = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
QUEUED = '{"account_sid": "AC7", "body": "Hi", "error_code": null, "sid": "SMbbbb", "status": "queued"}'
ACTIVE = f'{{"sid": "{SID}", "friendly_name": "Acme", "status": "active", "type": "Full"}}'
CREDENTIALS = SmsCredentials.model_validate({"authToken": "canary-auth-token-12345"})


def settings(url: str, **changes: Any) -> SmsSettings:
    return SmsSettings.model_validate({"url": url, "accountSid": SID, "sender": "+15017122661"} | changes)


def form(asked: Asked) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(asked.body.decode(), strict_parsing=True).items()}


def error(code: int, words: str) -> str:
    return f'{{"code": {code}, "message": "{words}", "more_info": "https://www.twilio.com/docs/errors/{code}"}}'


async def test_a_message_has_title_text_and_one_link(message: Build, door: Door) -> None:
    async with answering(201, QUEUED) as far:
        receipt = await Sms().send(message(), ANN, settings(far.url), CREDENTIALS, door)
    [asked] = far.asked
    assert (receipt.delivered, receipt.provider_message_id) == (False, "SMbbbb")
    assert asked.path == f"/2010-04-01/Accounts/{SID}/Messages.json"
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded"
    login = base64.b64decode(asked.headers["Authorization"].removeprefix("Basic ")).decode()
    assert login == f"{SID}:canary-auth-token-12345"
    assert form(asked) == {
        "To": ANN,
        "From": "+15017122661",
        "Body": "Oven 3 is too hot\nIt has been at 312 °C for 4 minutes.\nSomebody should look.\n"
        "https://tocsin.example.com/ack/abc",
    }


async def test_a_long_message_keeps_its_link(message: Build, door: Door) -> None:
    async with answering(201, QUEUED) as far:
        await Sms().send(message(message="日" * 5_000), ANN, settings(far.url), CREDENTIALS, door)
    body = form(far.asked[0])["Body"]
    assert len(body) == BODY and body.endswith("…\nhttps://tocsin.example.com/ack/abc")


async def test_a_messaging_service_and_an_api_key_go_in_their_place(message: Build, door: Door) -> None:
    credentials = SmsCredentials.model_validate({"username": "SKcccc", "authToken": "secret-of-the-key"})
    async with answering(201, QUEUED) as far:
        serviced = settings(far.url, sender=None, messagingServiceSid="MGdddd")
        await Sms().send(message(), ANN, serviced, credentials, door)
    [asked] = far.asked
    assert "From" not in form(asked) and form(asked)["MessagingServiceSid"] == "MGdddd"
    login = base64.b64decode(asked.headers["Authorization"].removeprefix("Basic ")).decode()
    assert login == "SKcccc:secret-of-the-key"


@pytest.mark.parametrize(
    ("status", "text", "failure"),
    [
        (400, error(21211, "The 'To' number is not a valid phone number."), Rejected),
        (400, error(21610, "Attempt to send to unsubscribed recipient"), OptedOut),
        (400, error(21614, "'To' number is not a valid mobile number"), Rejected),
        (
            400,
            error(21606, "The 'From' phone number is not a valid, SMS-capable number"),
            BadCredentials,
        ),
        (400, error(21659, "'From' is not a Twilio phone number or Short Code country mismatch"), BadCredentials),
        (400, error(21611, "This 'From' number has exceeded the maximum number of queued messages"), Unavailable),
        (400, "<html>", Rejected),
        (401, error(20003, "Authenticate"), BadCredentials),
        (404, error(20404, "The requested resource was not found"), BadCredentials),
        (429, error(20429, "Too Many Requests"), Unavailable),
        (503, "", Unavailable),
        (200, "<html>Sign in to the hotel's network</html>", Unavailable),
    ],
)
async def test_an_answer_says_whose_fault_it_was(
    status: int, text: str, failure: type[Exception], message: Build, door: Door
) -> None:
    async with answering(status, text, Retry_After="9") as far:
        with pytest.raises(failure) as raised:
            await Sms().send(message(), ANN, settings(far.url), CREDENTIALS, door)
    assert raised.value.status == status  # type: ignore[attr-defined]
    assert "canary" not in str(raised.value)
    if status == 429:
        assert raised.value.retry_after == 9  # type: ignore[attr-defined]


@pytest.mark.parametrize("sender", [{"sender": "12345"}, {"sender": "Acme"}, {"messagingServiceSid": "MGdddd"}])
@pytest.mark.parametrize("code", [21606, 21659])
async def test_a_sender_that_cannot_write_to_one_country_is_no_fault_of_the_connection(
    sender: dict[str, str], code: int, message: Build, door: Door
) -> None:
    async with answering(400, error(code, "The 'From' phone number is not valid for this destination")) as far:
        with pytest.raises(Rejected):
            await Sms().send(message(), ANN, settings(far.url, **{"sender": None, **sender}), CREDENTIALS, door)


@pytest.mark.parametrize(
    "address", [None, "", "0660 1234567", "+43 660 1234567", "+0123456789", "+4366012345671234567"]
)
async def test_what_is_no_number_is_not_tried(address: str | None, message: Build, door: Door) -> None:
    async with answering(201, QUEUED) as far:
        with pytest.raises(Rejected):
            await Sms().send(message(), address, settings(far.url), CREDENTIALS, door)
    assert far.asked == []
    assert address is None or Sms().address_problem(address)


async def test_verifying_reads_the_account_and_sends_nothing(door: Door) -> None:
    async with answering(200, ACTIVE) as far:
        account = await Sms().verify(settings(far.url), CREDENTIALS, door)
    assert (account.id, account.name) == (SID, "Acme")
    assert [(asked.method, asked.path) for asked in far.asked] == [("GET", f"/2010-04-01/Accounts/{SID}.json")]
    async with answering(200, ACTIVE.replace("active", "suspended")) as far:
        with pytest.raises(BadCredentials):
            await Sms().verify(settings(far.url), CREDENTIALS, door)


async def test_a_server_inside_is_never_called(message: Build) -> None:
    async with Door() as door:
        inside = settings("http://10.0.0.7")
        assert [problem.code for problem in await Sms().check(inside, CREDENTIALS, door)] == ["address_not_allowed"]
        with pytest.raises(Rejected):
            await Sms().send(message(), ANN, inside, CREDENTIALS, door)


@pytest.mark.parametrize(
    "changes",
    [
        {"sender": None},
        {"messagingServiceSid": "MGdddd"},
        {"sender": "a name of more than eleven"},
        {"accountSid": "../../x"},
        {"accountSid": ""},
    ],
)
def test_settings_that_cannot_be_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings("https://api.twilio.com", **changes)


TOLD_AT = "https://tocsin.example.com/api/v1/hooks/twilio/abc"
REPORT = {
    "SmsSid": "SMbbbb",
    "SmsStatus": "delivered",
    "MessageStatus": "delivered",
    "To": ANN,
    "MessageSid": "SMbbbb",
    "AccountSid": SID,
    "From": "+15017122661",
    "ApiVersion": "2010-04-01",
    "RawDlrDoneDate": "",
}
"""https://www.twilio.com/docs/messaging/guides/track-outbound-message-status"""


async def test_each_message_says_where_its_status_is_told(message: Build, door: Door) -> None:
    with_key = {"username": "SKcccc", "authToken": "secret-of-the-key"}
    for given, told_at, wanted in (
        ({"authToken": "a-token"}, TOLD_AT, TOLD_AT),
        ({"authToken": "a-token", "username": SID}, TOLD_AT, TOLD_AT),
        ({**with_key, "accountToken": "a-token"}, TOLD_AT, TOLD_AT),
        (with_key, TOLD_AT, None),
        ({"authToken": "a-token"}, None, None),
        ({"authToken": "a-token"}, TOLD_AT.replace("https", "http"), None),
    ):
        credentials = SmsCredentials.model_validate(given)
        async with answering(201, QUEUED) as far:
            await Sms().send(message(told_at=told_at), ANN, settings(far.url), credentials, door)
        assert form(far.asked[0]).get("StatusCallback") == wanted


async def test_a_message_leaves_though_nobody_can_call_us(message: Build, door: Door) -> None:
    def answer(asked: Asked) -> tuple[int, str]:
        refused = "StatusCallback" in form(asked)
        return (400, error(21609, "The StatusCallback URL is not a valid URL.")) if refused else (201, QUEUED)

    async with answering() as far:
        far.to = answer
        receipt = await Sms().send(message(told_at=TOLD_AT), ANN, settings(far.url), CREDENTIALS, door)
    assert receipt.provider_message_id == "SMbbbb" and len(far.asked) == 2


@pytest.mark.parametrize(
    "url", [TOLD_AT, "https://tocsin.example.com:8443/hooks/x", "https://[2001:db8::7]/hooks/x", "http://t.example/x"]
)
@pytest.mark.parametrize(
    "fields", [REPORT, {}, {"Body": "ä & = +\n%"}, {"b": "1", "B": "2", "a": "3"}, {"a": ["2", "1", "2"]}, {"a": ""}]
)
def test_what_twilios_own_library_believes_is_believed(fields: dict[str, Any], url: str) -> None:
    token = "canary-auth-token-12345"
    validator = RequestValidator(token)
    body = urlencode(fields, doseq=True).encode()
    shown = validator.compute_signature(url, _form(fields))
    assert validator.validate(url, _form(fields), shown)

    def believed(at: str = url, sent: bytes = body, credentials: SmsCredentials = CREDENTIALS) -> bool:
        return Sms().authenticate_at(at, {"x-twilio-signature": shown}, sent, credentials, "")

    assert believed()
    assert not believed(at=url + "/")
    assert not believed(sent=body + (b"&" if body else b"") + b"MessageStatus=read")
    assert not believed(credentials=SmsCredentials.model_validate({"authToken": "another"}))
    assert not Sms().authenticate_at(url, {}, body, CREDENTIALS, "")


def _form(fields: dict[str, Any]) -> MultiDict[str]:
    """As frameworks give a form to the library."""
    values = {name: told if isinstance(told, list) else [told] for name, told in fields.items()}
    return MultiDict([(name, value) for name, several in values.items() for value in several])


@pytest.mark.parametrize("port", ["", ":443"])
def test_an_address_is_signed_with_its_port_or_without(port: str) -> None:
    signed = TOLD_AT.replace(".com/", f".com{port}/")
    shown = RequestValidator("canary-auth-token-12345").compute_signature(signed, REPORT)
    body = urlencode(REPORT).encode()
    assert Sms().authenticate_at(TOLD_AT, {"x-twilio-signature": shown}, body, CREDENTIALS, "")


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        (None, Rejected),
        ("30003", Rejected),
        ("30005", Rejected),
        ("30006", Rejected),
        ("30007", Rejected),
        ("30008", Rejected),
        ("21610", OptedOut),
        ("x", Rejected),
        ("30001", Unavailable),
        ("30017", Unavailable),
        ("30022", Unavailable),
        ("30018", Rejected),
        ("30024", Rejected),
        ("30032", Rejected),
        ("30034", Rejected),
        ("30035", Rejected),
        ("30037", Rejected),
        ("21606", Rejected),
        ("30002", BadCredentials),
    ],
)
def test_a_status_says_whose_fault_it_was(code: str | None, failure: type[Exception]) -> None:
    assert type(failure_of_status("undelivered", code)) is failure


WRITTEN = {
    "MessageSid": "SMcccc",
    "SmsStatus": "received",
    "AccountSid": SID,
    "From": ANN,
    "To": "+15017122661",
    "NumMedia": "0",
    "ApiVersion": "2010-04-01",
}
"""https://www.twilio.com/docs/messaging/guides/webhook-request"""


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"Body": "STOP"}, "STOP"),
        ({"Body": " stopall\n"}, "STOP"),
        ({"Body": "Unstop"}, "START"),
        ({"Body": "yes"}, "START"),
        ({"Body": "ARRET", "OptOutType": "STOP"}, "STOP"),
        ({"Body": "start", "OptOutType": "HELP"}, None),
        ({"Body": "stop please"}, None),
        ({"Body": "My secret is 12345"}, None),
        ({}, None),
    ],
)
def test_of_what_people_write_only_the_words_that_stop_and_start_us_are_kept(
    fields: dict[str, str], word: str | None
) -> None:
    items = Sms().items({**WRITTEN, **fields}, CREDENTIALS)
    assert [(item.payload["From"], item.payload["Word"]) for item in items] == ([(ANN, word)] if word else [])
    assert all("Body" not in item.payload for item in items)
