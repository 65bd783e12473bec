"""What a provider is: how it describes itself, what it is given, what it returns and how it fails."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, SecretStr
from pydantic.alias_generators import to_camel

from tocsin.kit.errors import FieldError
from tocsin.kit.http import Door

ANSWER_LIMIT = 4_096
"""Bytes of a provider's answer that are kept (H2)."""

Priority = Literal["critical", "high", "normal", "low"]

# D2. Seconds to wait before each try; whoever schedules them adds the jitter.
PROVIDER_RETRIES = (0, 5, 15, 40, 90, 240, 480, 900)
"""8 tries within 30 minutes: an alert that is later than that has missed its purpose."""

WEBHOOK_RETRIES = (0, 5, 300, 1_800, 7_200, 18_000, 34_200, 36_000)
"""8 tries over 27 hours: a receiver may be down for a day and still get everything."""


class SendFailure(Exception):
    """A send that failed in a way we know. ``answer`` is what the provider said, never a secret of ours."""

    def __init__(self, reason: str, *, status: int | None = None, answer: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.answer = answer[:ANSWER_LIMIT]


class Rejected(SendFailure):
    """Permanent: the same message to the same address will never be taken."""


class Blocked(Rejected):
    """The person shut this sender out at the provider: nothing more is sent to them over it, nor around it."""


class OptedOut(Rejected):
    """The person told the provider to stop, as Blocked; it outlasts a block that ends."""


class Unavailable(SendFailure):
    """Temporary: try again, no sooner than ``retry_after`` seconds when the provider named a time."""

    def __init__(
        self, reason: str, *, retry_after: float | None = None, status: int | None = None, answer: str = ""
    ) -> None:
        super().__init__(reason, status=status, answer=answer)
        self.retry_after = retry_after


class BadCredentials(SendFailure):
    """The connection's own fault: it sends nothing until its owner mends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Where a notification leads when it is opened."""

    url: str
    label: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceEvent:
    """The event a notification answers."""

    id: UUID
    type: str
    client_event_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """A person as a channel may see one."""

    user_id: UUID
    external_user_id: str | None = None
    name: str | None = None
    email: str | None = None
    locale: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One rendered notification on its way: all that a channel may know of it.

    ``recipient`` is set where the provider reaches a person; ``recipients`` names everybody concerned where
    it reaches the project. ``attempt`` counts from 1. Two attempts differ in nothing else.
    """

    delivery_id: UUID
    notification_id: UUID
    project_id: UUID
    project_name: str
    env: Literal["live", "test"]
    title: str
    message: str
    priority: Priority
    created_at: datetime
    sound: str | None = None
    action: Action | None = None
    require_ack: bool = False
    ack_url: str | None = None
    unsubscribe_url: str | None = None
    event: SourceEvent | None = None
    recipient: Recipient | None = None
    recipients: tuple[Recipient, ...] = ()
    attempt: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The provider took the message. ``delivered``: its answer says that it has arrived, not only left."""

    delivered: bool
    provider_message_id: str | None = None
    status: int | None = None
    answer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What credentials turned out to be: ``id`` is the provider's, ``name`` is for people."""

    id: str
    name: str


class Described(BaseModel):
    """Base of settings and credentials: flat, camelCase outside, unknown names refused."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)

    def revealed(self) -> dict[str, Any]:
        """As JSON with its secrets, to be encrypted and stored; ``model_validate`` reads it back."""
        return self._as_json(lambda secret: secret)

    def masked(self) -> dict[str, Any]:
        """As JSON for answers: of a secret only its last four characters (C3)."""
        return self._as_json(lambda secret: f"****{secret[-4:] if len(secret) >= 12 else ''}")

    def _as_json(self, show: Callable[[str], str]) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in type(self).model_fields}
        secrets = {
            to_camel(name): show(value.get_secret_value())
            for name, value in values.items()
            if isinstance(value, SecretStr)
        }
        return self.model_dump(mode="json", by_alias=True) | secrets


class Nothing(Described):
    """A provider that needs no settings, or no credentials."""


class Provider:
    """What ``GET /providers`` lists; validation, the panel's form and the docs follow from it (C1).

    Secrets are ``SecretStr`` fields: the schema marks them ``writeOnly`` with ``format: password``.
    """

    provider: ClassVar[str]
    """The name of this way of sending: ``smtp``."""
    channel: ClassVar[str]
    """The kind of message that it sends; rules name this one: ``email``."""
    title: ClassVar[str]
    reaches: ClassVar[Literal["person", "project"]]
    """Whether each recipient gets the message at an address, or the project gets it once."""
    address_kind: ClassVar[str | None] = None
    """The kind of a person's address that is needed, or None."""
    known_only: ClassVar[bool] = False
    """Whether an address counts only where a connection is known to reach it: a person has to speak to a bot first."""
    instant: ClassVar[bool] = False
    """True for what is recorded as sent in the transaction that decides it; only a ``Channel`` sends."""
    settings: ClassVar[type[Described]] = Nothing
    credentials: ClassVar[type[Described]] = Nothing
    trusts: ClassVar[tuple[str, ...]] = ()
    """Names of settings that say whom the credentials are shown to: changing one asks for the credentials again,
    so that nobody can send stored ones to a server of their own."""
    setup_steps: ClassVar[tuple[str, ...]] = ()

    def describe(self) -> dict[str, Any]:
        """This provider as the API shows it; both schemas are JSON Schema 2020-12."""
        return {
            "provider": self.provider,
            "channel": self.channel,
            "title": self.title,
            "reaches": self.reaches,
            "addressKind": self.address_kind,
            "instant": self.instant,
            "settingsSchema": self.settings.model_json_schema(),
            "credentialsSchema": self.credentials.model_json_schema(),
            "setupSteps": list(self.setup_steps),
        }


S = TypeVar("S", bound=Described)
C = TypeVar("C", bound=Described)


class Channel(Provider, ABC, Generic[S, C]):
    """A provider that we send through. One object serves all connections: state belongs to nobody here."""

    retries: ClassVar[tuple[int, ...]] = PROVIDER_RETRIES
    """Seconds before each try; as many tries as entries."""

    @abstractmethod
    async def send(self, message: Message, address: str | None, settings: S, credentials: C, door: Door) -> Receipt:
        """Hand one message over. Raises Rejected, Unavailable or BadCredentials."""

    @abstractmethod
    async def verify(self, settings: S, credentials: C, door: Door) -> Account:
        """Ask the provider whether these credentials work. Fails like ``send``."""

    async def check(self, settings: S, credentials: C, door: Door) -> list[FieldError]:
        """What is wrong with valid settings before anything is sent: mostly hosts that may not be called.

        Pointers begin with ``/settings`` or ``/credentials``. May ask a name server: not for a transaction.
        """
        return []

    async def inbound(self, settings: S, credentials: C, door: Door) -> dict[str, Any] | None:
        """Where the provider sends what comes in, in its own words; None where nothing does, or it does not say.

        Raises nothing: what cannot be found out is not known.
        """
        return None

    def address_problem(self, address: str) -> str | None:
        """Why a person's address cannot be used here, in words for that person, or None."""
        return None

    def issue(self, current: C | None = None) -> C | None:
        """New credentials where we are the ones who make them, the current ones still valid beside them.

        None where the provider issues them.
        """
        return None
