"""Notifications as an HTTP call of the project's own design, for services that have no channel of their own."""

import re
from collections.abc import Callable
from typing import Any, Literal, Self
from urllib.parse import quote

import msgspec
from pydantic import Field, model_validator

from tocsin.channels.calling import HeaderSecret, call, url_problems
from tocsin.channels.contract import ANSWER_LIMIT, Account, Channel, Described, Message, Receipt, Step
from tocsin.channels.wording import links
from tocsin.kit.errors import FieldError
from tocsin.kit.hops import HEADER
from tocsin.kit.http import MAX_URL, Door, Reply, parse_target

WORDS = ("title", "message", "priority", "project", "link", "event", "id", "secret")
"""What ``{...}`` may name. ``link`` is the acknowledgement's address, else the action's; ``id`` the delivery's."""

_PLACE = re.compile(r"\{([a-z]+)\}")


class HttpSettings(Described):
    """The call, with places for words in braces."""

    url: str = Field(
        title="Address",
        description="May hold {secret}, nothing else in braces.",
        max_length=MAX_URL,
        json_schema_extra={"format": "uri"},
    )
    method: Literal["POST", "PUT", "PATCH"] = Field("POST", title="Method")
    body: str = Field(
        '{"title": "{title}", "message": "{message}"}',
        title="Body",
        description=f"JSON whose texts may hold {', '.join(f'{{{word}}}' for word in WORDS)}.",
        max_length=10_000,
    )
    header: str | None = Field(
        None,
        title="Header",
        description="Its name, for example Authorization.",
        pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$",
    )
    header_value: str | None = Field(
        None, title="Value of the header", description="For example Bearer {secret}.", pattern=r"^[ -~]{1,500}$"
    )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        try:
            _replaced(msgspec.json.decode(self.body), dict.fromkeys(WORDS, "").__getitem__)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise ValueError(f"body: {error}") from None
        _in_url(self.url, "")
        if (self.header is None) != (self.header_value is None):
            raise ValueError("a header has a name and a value")
        if self.header and self.header.lower() in _OURS:
            raise ValueError(f"the header {self.header} is ours")
        _in_text(self.header_value or "", {"secret": ""}.__getitem__)
        return self


_OURS = frozenset(
    {"host", "content-length", "content-type", "transfer-encoding", "connection", "te", "upgrade", HEADER.lower()}
)


class HttpCredentials(Described):
    """What stands where the settings say {secret}."""

    secret: HeaderSecret | None = Field(None, title="Secret", description="A key or token of the service.")


class Http(Channel[HttpSettings, HttpCredentials]):
    """One call per notification."""

    provider = "http"
    channel = "http"
    title = "HTTP call"
    reaches = "project"
    asks_quietly = False
    settings = HttpSettings
    credentials = HttpCredentials
    trusts = ("url",)
    setup_steps = (
        Step("look_up", "Look up in the service's documentation which call shows a message."),
        Step(
            "body",
            "Write its body here with {title} and {message} in their places, and {secret} where the key belongs.",
        ),
        Step("try", "Send a test call."),
    )

    async def send(
        self, message: Message, address: str | None, settings: HttpSettings, credentials: HttpCredentials, door: Door
    ) -> Receipt:
        """Delivered means a 2xx: more of the answer is not understood."""
        words = {
            "title": message.title,
            "message": message.message,
            "priority": message.priority,
            "project": message.project_name,
            "link": next((url for url, _ in links(message)), ""),
            "event": message.event.type if message.event else "",
            "id": str(message.delivery_id),
        }
        reply = await _called(words, settings, credentials, door)
        return Receipt(delivered=True, status=reply.status, answer=reply.text(ANSWER_LIMIT))

    async def verify(self, settings: HttpSettings, credentials: HttpCredentials, door: Door) -> Account:
        """Make the call with a test message, since nothing else of the service is known."""
        words = dict.fromkeys(WORDS, "") | {"title": "Test message", "message": "It works.", "priority": "low"}
        await _called(words, settings, credentials, door)
        host = parse_target(_url(settings, credentials), allowed=door.allowed).host
        return Account(id=host, name=host)

    async def check(self, settings: HttpSettings, credentials: HttpCredentials, door: Door) -> list[FieldError]:
        return await url_problems(door, _url(settings, credentials), "/settings/url")


async def _called(words: dict[str, str], settings: HttpSettings, credentials: HttpCredentials, door: Door) -> Reply:
    secret = _secret(credentials)
    body = _replaced(msgspec.json.decode(settings.body), {**words, "secret": secret}.__getitem__)
    headers = {}
    if settings.header and settings.header_value:
        headers[settings.header] = _in_text(settings.header_value, {"secret": secret}.__getitem__)
    return await call(door, settings.method, _url(settings, credentials), headers=headers, json=body)


def _url(settings: HttpSettings, credentials: HttpCredentials) -> str:
    return _in_url(settings.url, _secret(credentials))


def _secret(credentials: HttpCredentials) -> str:
    return credentials.secret.get_secret_value() if credentials.secret else ""


def _in_url(url: str, secret: str) -> str:
    return _in_text(url, {"secret": quote(secret, safe="")}.__getitem__)


def _replaced(value: Any, word: Callable[[str], str]) -> Any:
    """The same JSON with words in the places of its texts; keys stay as they are."""
    if isinstance(value, str):
        return _in_text(value, word)
    if isinstance(value, dict):
        return {key: _replaced(each, word) for key, each in value.items()}
    if isinstance(value, list):
        return [_replaced(each, word) for each in value]
    return value


def _in_text(text: str, word: Callable[[str], str]) -> str:
    """Raises ValueError for a place that nothing belongs into. What is put in is not looked at again."""

    def found(place: re.Match[str]) -> str:
        try:
            return word(place[1])
        except KeyError:
            raise ValueError(f"nothing is called {place[0]} here") from None

    return _PLACE.sub(found, text)
