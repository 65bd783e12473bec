"""Notifications through any service of the Apprise library that is reached by HTTP (https://appriseit.com/services/).

What Apprise does with a message is its own; here stands what may be asked of it and what its outcome means. It runs
in a process of its own (`longtail`), where it connects to nothing that the door would refuse.
"""

import re

from pydantic import Field, SecretStr, field_validator

from tocsin.channels.calling import OWN_FAULT, REFUSED
from tocsin.channels.contract import (
    ANSWER_LIMIT,
    Account,
    BadCredentials,
    Channel,
    Described,
    Message,
    Nothing,
    Receipt,
    Rejected,
    SendFailure,
    Step,
    Unavailable,
)
from tocsin.channels.longtail.exchange import Result
from tocsin.channels.longtail.library import LibraryUnavailable, library_behind
from tocsin.channels.longtail.services import SCHEMES
from tocsin.channels.retry_after import seconds_to_wait
from tocsin.channels.wording import links, shortened
from tocsin.kit.errors import FieldError
from tocsin.kit.http import MAX_URL, Door

KINDS = {"critical": "failure", "high": "warning", "normal": "info", "low": "info"}
TITLE, TEXT = 250, 4_000

_URL = re.compile(r"(?P<scheme>[a-z0-9]+)://[!-~]+", re.IGNORECASE)


class AppriseCredentials(Described):
    """An address of Apprise holds the service's secrets."""

    url: SecretStr = Field(
        title="Apprise address",
        description="For example gotify://host/token or tgram://token/chat.",
        max_length=MAX_URL,
    )

    @field_validator("url")
    @classmethod
    def _of_a_service(cls, url: SecretStr) -> SecretStr:
        parts = _URL.fullmatch(url.get_secret_value())
        if parts is None:
            raise ValueError("an address of Apprise has a scheme, :// and no blanks")
        if parts["scheme"].lower() not in SCHEMES:
            raise ValueError("this scheme is none of a service that is reached by HTTP")
        return url


class Apprise(Channel[Nothing, AppriseCredentials]):
    """One message per notification, to whoever the address reaches."""

    provider = "apprise"
    channel = "apprise"
    title = "Apprise"
    reaches = "project"
    asks_quietly = False  # Apprise cannot ask at all, so a check would find everything healthy
    credentials = AppriseCredentials
    setup_steps = (
        Step("address", "Look the service up at appriseit.com/services and put its address together."),
        Step("try", "Enter it here, verify, and send a test message: most services can be tried in no other way."),
    )

    async def send(
        self, message: Message, address: str | None, settings: Nothing, credentials: AppriseCredentials, door: Door
    ) -> Receipt:
        result = await _result(door, credentials, *_words(message), KINDS[message.priority])
        if result.outcome != "taken":
            raise _failure(result)
        return Receipt(delivered=False, status=result.status, answer=result.answer[:ANSWER_LIMIT])

    async def verify(self, settings: Nothing, credentials: AppriseCredentials, door: Door) -> Account:
        """Whether Apprise can read the address. It has no way to ask a service without sending."""
        result = await _result(door, credentials, *_TRIAL, dry=True)
        if result.outcome != "taken":
            raise _failure(result)
        url = credentials.url.get_secret_value()
        return Account(id=f"{url.partition('://')[0].lower()}://…{url[-4:]}", name=result.name)

    async def check(self, settings: Nothing, credentials: AppriseCredentials, door: Door) -> list[FieldError]:
        """Whether Apprise reads the address, and where its first call would go. It is looked at again when it sends, so
        a process that does not answer refuses nothing here."""
        try:
            result = await _result(door, credentials, *_TRIAL, dry=True)
        except Unavailable:
            return []
        if result.outcome == "blocked":
            return [FieldError("/credentials/url", result.code, result.detail)]
        return [FieldError("/credentials/url", "url_invalid", _UNKNOWN)] if result.outcome == "invalid" else []


_TRIAL = ("Tocsin", "Tocsin", "info")
_UNKNOWN = "Apprise knows no service of this address."


async def _result(
    door: Door, credentials: AppriseCredentials, title: str, body: str, kind: str, *, dry: bool = False
) -> Result:
    try:
        return await library_behind(door).ask(credentials.url.get_secret_value(), title, body, kind, dry=dry)
    except LibraryUnavailable as failure:
        raise Unavailable(str(failure)) from failure


def _failure(result: Result) -> SendFailure:
    """Apprise says only that it failed, so the last answer it had decides."""
    if result.outcome == "invalid":
        return BadCredentials(_UNKNOWN)
    if result.outcome == "blocked":
        return Rejected(result.detail)
    if result.outcome == "died":
        return Unavailable("The service took too long, or too much memory.")
    if result.status is None:
        return Unavailable("The service does not answer.")
    reason = f"The service answered {result.status}."
    if result.status in OWN_FAULT:
        return BadCredentials(reason, status=result.status, answer=result.answer)
    if result.status in REFUSED:
        return Rejected(reason, status=result.status, answer=result.answer)
    wait = seconds_to_wait(result.retry_after)
    return Unavailable(reason, retry_after=wait, status=result.status, answer=result.answer)


def _words(message: Message) -> tuple[str, str]:
    """Title and text. Apprise refuses a message without a text, so a title that has none becomes it."""
    title = shortened(message.title, TITLE)
    text = shortened(message.message, TEXT)
    lines = [*([text] if text else []), *(f"{label}: {url}" for url, label in links(message))]
    return (title, "\n".join(lines)) if lines else ("", title)
