"""Twilio as its documentation describes it, played on loopback, and connections of projects to it."""

import itertools
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import msgspec

from tests.channels.far_end import Asked, FarEnd, answering
from tests.client import Client
from tests.connections.build import created

TOKEN = "canary-auth-token-12345"

_numbers = itertools.count(1)


@dataclass
class Twilio:
    """``refusals`` are status, code and words of the answers to the next messages."""

    far: FarEnd
    refusals: list[tuple[int, int, str]] = field(default_factory=list)

    def answer(self, asked: Asked) -> tuple[int, str]:
        if asked.method == "GET":
            sid = asked.path.rpartition("/")[2].removesuffix(".json")
            return 200, msgspec.json.encode({"sid": sid, "friendly_name": "Acme", "status": "active"}).decode()
        if self.refusals:
            status, code, words = self.refusals.pop(0)
            return status, msgspec.json.encode({"code": code, "message": words, "status": status}).decode()
        return 201, msgspec.json.encode({"sid": f"SM{next(_numbers):032x}", "status": "queued"}).decode()

    @property
    def messages(self) -> list[dict[str, str]]:
        """The forms of what was to be sent, oldest first."""
        return [_form(asked) for asked in self.far.asked if asked.method == "POST"]

    def to(self, number: str) -> list[dict[str, str]]:
        return [message for message in self.messages if message["To"] == number]

    def account_of(self, message: dict[str, str]) -> str:
        """Whose account it was to leave by."""
        [asked] = [each for each in self.far.asked if each.method == "POST" and _form(each) == message]
        return asked.path.split("/")[3]

    def codes(self, number: str) -> list[str]:
        found = [re.match(r"[0-9]{6}", message["Body"]) for message in self.to(number)]
        return [code[0] for code in found if code]


def _form(asked: Asked) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}


@asynccontextmanager
async def twilio() -> AsyncIterator[Twilio]:
    async with answering() as far:
        played = Twilio(far)
        far.to = played.answer
        yield played


def new_number() -> str:
    return f"+43660{next(_numbers):07d}"


async def make_sms(
    caller: Client, played: Twilio, *, verified: bool = True, where: str = "/connections", **credentials: str
) -> Any:
    """A connection to an account of its own."""
    body = {
        "provider": "twilio",
        "name": f"sms {next(_numbers)}",
        "settings": {"url": played.far.url, "accountSid": f"AC{next(_numbers):032x}", "sender": "+15017122661"},
        "credentials": {"authToken": TOKEN, **credentials},
    }
    made = created(await caller.post(where, body))
    if verified:
        reply = await caller.post(f"{where}/{made['id']}/verify")
        assert reply.status == 200 and reply.json["status"] == "active", reply.json
    return made
