"""One call of a provider's HTTP API, and what its answer means where the provider does not say it better."""

import os
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec
from pydantic import AfterValidator, Field, SecretStr

from tocsin.channels.contract import ANSWER_LIMIT, BadCredentials, Rejected, Unavailable
from tocsin.channels.retry_after import seconds_to_wait
from tocsin.kit.errors import FieldError
from tocsin.kit.hops import is_end_of_loop
from tocsin.kit.http import MAX_BODY, TOTAL_SECONDS, Blocked, Door, Reply, Unreachable

Told = TypeVar("Told", bound=msgspec.Struct)

OWN_FAULT = frozenset({401, 403, 404, 410})
"""The credentials are refused, or what they lead to is gone."""
REFUSED = frozenset({400, 413, 422})
"""The message is: it will not be taken at another time either."""


def _header_safe(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if not (text.isascii() and text.isprintable()):
        raise ValueError("must be one line of ASCII characters")
    return secret


HeaderSecret = Annotated[SecretStr, Field(max_length=1_000), AfterValidator(_header_safe)]
"""A secret that travels in a header."""


def api_of(provider: str, usual: str) -> str:
    """Where a provider's API is: ``TOCSIN_{PROVIDER}_API_URL``, for a server of one's own, else its usual address."""
    return os.environ.get(f"TOCSIN_{provider.upper()}_API_URL", usual).rstrip("/")


async def call(
    door: Door,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    json: Any = None,
    form: bytes | None = None,
) -> Reply:
    """A reply of 2xx. Raises Rejected, Unavailable or BadCredentials."""
    body, sent = form, dict(headers or {})
    if form is not None:
        sent["Content-Type"] = "application/x-www-form-urlencoded"
    elif json is not None:
        body = msgspec.json.encode(json)
        sent["Content-Type"] = "application/json"
    reply = await exchanged(door, method, url, sent, body)
    if 200 <= reply.status < 300:
        return reply
    raise failure_of(reply)


async def exchanged(
    door: Door,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | None,
    timeout: float = TOTAL_SECONDS,
    most: int = MAX_BODY,
) -> Reply:
    """A reply of any status. Raises Rejected for what may not be called or led back here again and again, Unavailable
    where nobody answers."""
    try:
        reply = await door.request(method, url, headers=headers, body=body, timeout=timeout, most=most)
    except Blocked as refusal:
        raise Rejected(refusal.detail) from refusal
    except Unreachable as failure:
        raise Unavailable(failure.reason) from failure
    if is_end_of_loop(reply.status, reply.body):
        raise Rejected("The call led to Tocsin again: a loop.", status=reply.status, answer=reply.text(ANSWER_LIMIT))
    return reply


def failure_of(reply: Reply) -> Rejected | Unavailable | BadCredentials:
    """What a status other than 2xx means. In doubt it is worth another try."""
    answer, status = reply.text(ANSWER_LIMIT), reply.status
    if status in OWN_FAULT:
        return BadCredentials(f"The provider answered {status}.", status=status, answer=answer)
    if status in REFUSED:
        return Rejected(f"The provider refused the message with {status}.", status=status, answer=answer)
    wait = seconds_to_wait(reply.headers.get("retry-after"))
    return Unavailable(f"The provider answered {status}.", retry_after=wait, status=status, answer=answer)


def decoded(reply: Reply, kind: type[Told]) -> Told:
    """The body, which must be JSON of this kind; else it was somebody else who answered, and Unavailable is raised."""
    try:
        return msgspec.json.decode(reply.body, type=kind)
    except msgspec.MsgspecError:
        answer = reply.text(ANSWER_LIMIT)
        raise Unavailable("The answer is not the provider's.", status=reply.status, answer=answer) from None


async def url_problems(door: Door, url: str, pointer: str) -> list[FieldError]:
    """What ``Channel.check`` says of an address that a tenant gave."""
    try:
        await door.check(url)
    except Blocked as refusal:
        return [FieldError(pointer, refusal.code, refusal.detail)]
    return []
