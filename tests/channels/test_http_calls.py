"""HTTP calls of a project's own design: words in their places, and only there."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from tests.channels.far_end import answering
from tocsin.channels.contract import Message
from tocsin.channels.http import WORDS, Http, HttpCredentials, HttpSettings
from tocsin.channels.ntfy import NtfyCredentials
from tocsin.kit.http import Door

Build = Callable[..., Message]

SECRET = "canary & secret/1"
CREDENTIALS = HttpCredentials.model_validate({"secret": SECRET})
EVERYTHING = {"words": [f"<{{{word}}}>" for word in WORDS], "{title}": 5, "deep": {"none": None, "link": "{link}"}}


def settings(url: str, **changes: Any) -> HttpSettings:
    return HttpSettings.model_validate({"url": url} | changes)


async def test_every_word_comes_into_its_place_and_keys_stay(message: Build, door: Door) -> None:
    async with answering(200, "ok") as far:
        made = settings(far.url, body=msgspec.json.encode(EVERYTHING).decode(), method="PUT")
        receipt = await Http().send(message(), None, made, CREDENTIALS, door)
    [asked] = far.asked
    assert receipt.delivered and asked.method == "PUT"
    assert asked.headers["Content-Type"] == "application/json"
    sent = message()
    words = [
        sent.title,
        sent.message,
        "critical",
        "Acme Bakery",
        sent.ack_url,
        "oven.hot",
        str(sent.delivery_id),
        SECRET,
    ]
    assert asked.json["words"] == [f"<{word}>" for word in words]
    assert asked.json["{title}"] == 5 and asked.json["deep"] == {"none": None, "link": sent.ack_url}


async def test_what_is_put_in_stays_text(message: Build, door: Door) -> None:
    title = '", "admin": true, "x": "{secret}'
    async with answering(200) as far:
        made = settings(far.url, body='{"title": "{title}"}')
        await Http().send(message(title=title), None, made, CREDENTIALS, door)
    assert far.asked[0].json == {"title": title}


async def test_the_secret_goes_into_address_and_header(message: Build, door: Door) -> None:
    async with answering(200) as far:
        made = settings(f"{far.url}/a?key={{secret}}", header="X-Gotify-Key", headerValue="Key {secret}")
        await Http().send(message(), None, made, CREDENTIALS, door)
    [asked] = far.asked
    assert asked.query == {"key": SECRET} and asked.headers["X-Gotify-Key"] == f"Key {SECRET}"


async def test_verifying_makes_the_call(door: Door) -> None:
    async with answering(204) as far:
        account = await Http().verify(settings(far.url), CREDENTIALS, door)
    assert account.name == "127.0.0.1"
    assert far.asked[0].json == {"title": "Test message", "message": "It works."}


@pytest.mark.parametrize(
    "changes",
    [
        {"body": "{"},
        {"body": ""},
        {"body": "[" * 4_000 + "]" * 4_000},
        {"body": '{"a": "{password}"}'},
        {"body": '{"a": ["{secret.__class__}", "{nothing}"]}'},
        {"url": "https://example.com/{title}"},
        {"header": "X-Key"},
        {"headerValue": "{secret}"},
        {"header": "Host", "headerValue": "inside"},
        {"header": "Tocsin-Via", "headerValue": "1"},
        {"header": "Transfer-Encoding", "headerValue": "chunked"},
        {"header": "X-Key", "headerValue": "{title}"},
        {"header": "X-Key", "headerValue": "a\r\nHost: inside"},
        {"header": "X Key", "headerValue": "a"},
        {"method": "GET"},
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_a_call_that_cannot_be_made_is_refused_when_it_is_saved(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**{"url": "https://example.com/"} | changes)


@pytest.mark.parametrize("secret", ["a\r\nHost: inside", "ключ", "a\tb", "x" * 1_001])
def test_a_secret_that_no_header_can_carry_is_refused(secret: str) -> None:
    with pytest.raises(ValidationError):
        HttpCredentials.model_validate({"secret": secret})
    with pytest.raises(ValidationError):
        NtfyCredentials.model_validate({"token": secret})
