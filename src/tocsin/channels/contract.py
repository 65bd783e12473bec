"""What a provider is: how it describes itself, what it is given, what it returns and how it fails."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Generic, Literal, TypeGuard, TypeVar
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


class AddressGone(Rejected):
    """Permanent, and for every message: nobody is reached at this address any more, so it is removed (C9).

    ``since`` is when the provider found that, where it says so: an address that was registered again later stays.
    """

    def __init__(
        self, reason: str, *, since: datetime | None = None, status: int | None = None, answer: str = ""
    ) -> None:
        super().__init__(reason, status=status, answer=answer)
        self.since = since


class Blocked(Rejected):
    """The person shut this sender out at the provider: nothing more is sent to them over it, nor around it."""


class OptedOut(Rejected):
    """The person told the provider to stop, as Blocked; it outlasts a block that ends."""


TOO_MANY = 429
"""The status by which a connection as a whole is slowed down."""


class Unavailable(SendFailure):
    """Temporary: try again, no sooner than ``retry_after`` seconds when the provider named a time."""

    def __init__(
        self, reason: str, *, retry_after: float | None = None, status: int | None = None, answer: str = ""
    ) -> None:
        super().__init__(reason, status=status, answer=answer)
        self.retry_after = retry_after


def is_too_many(outcome: object) -> TypeGuard[Unavailable]:
    """Whether the provider asks for patience, which spends no try of a delivery (D4)."""
    return isinstance(outcome, Unavailable) and outcome.status == TOO_MANY


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
class Branding:
    """How a project looks in its mails (P4). ``color`` is ``#RRGGBB``, ``logo_url`` begins with https, ``layout`` is
    the HTML around what they say."""

    logo_url: str | None = None
    color: str | None = None
    footer: str | None = None
    layout: str | None = None

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Branding":
        """Of what a project keeps under the names of the API."""
        return cls(logo_url=kept.get("logoUrl"), color=kept.get("brandColor"), footer=kept.get("emailFooter"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One rendered notification on its way: all that a channel may know of it.

    ``recipient`` is set where the provider reaches a person; ``recipients`` names everybody concerned where
    it reaches the project. ``sound_url`` is where ``sound`` is played; without one, ``sound`` is just the name of a
    file in an app. ``window_expires_at`` says until when a ``windowed`` channel may use free words.
    ``attempt`` counts from 1. Two attempts differ in nothing else. ``round`` is 0 at first, and counts how often the
    notification has insisted or passed on to a further channel since (R2, R3). ``hops`` is how often what it tells of
    has passed through Tocsin before. ``hears``: it leaves over a connection of its project, so what is pressed below it
    is told to the project; below what leaves over a lent one, nothing can be pressed but links. ``told_at`` is where
    the provider may tell what becomes of it; None where the world cannot reach us.
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
    sound_url: str | None = None
    action: Action | None = None
    require_ack: bool = False
    ack_url: str | None = None
    unsubscribe_url: str | None = None
    event: SourceEvent | None = None
    recipient: Recipient | None = None
    recipients: tuple[Recipient, ...] = ()
    window_expires_at: datetime | None = None
    attempt: int = 1
    round: int = 0
    hops: int = 0
    hears: bool = True
    told_at: str | None = None
    branding: Branding = field(default_factory=Branding)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The provider took the message. ``delivered``: its answer says that it has arrived, not only left.

    ``moved_to`` is the address that took it, where the provider has given the old one up.
    """

    delivered: bool
    provider_message_id: str | None = None
    status: int | None = None
    answer: str = ""
    moved_to: str | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A text that the provider has to approve before it may be sent; ``places`` is how many words go into it.

    ``status`` and ``category`` are the provider's words. ``APPROVED`` is the one by which it may be sent.
    """

    name: str
    language: str
    status: str
    category: str
    places: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What credentials turned out to be: ``id`` is the provider's, ``name`` is for people.

    ``details`` are words of the provider about it, ``warnings`` what its owner should see to. ``templates`` is None
    where the provider has none, or did not say.
    """

    id: str
    name: str
    details: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    templates: tuple[Template, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """An address of which a person has several, one for each phone or browser.

    ``value`` is the address in its one form, ``identity`` what tells it from every other device even when its keys
    change, ``shown`` what answers repeat of it. ``url`` is where messages go, if the address itself says so.
    """

    value: str
    identity: str
    shown: str
    url: str | None = None


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


SetupFact = Literal["saved", "verified", "led", "heard", "known", "gathered", "approved"]
"""What is known of a connection: it is there; the provider took its credentials; the provider was told where to call;
it has told something; somebody is reachable; a group or channel took it in; the template of the settings may be
sent."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of setting a connection up, in words, and under a name that stays when the words or the order change.

    ``done_by`` is the fact by which it shows as done; None where nothing can tell.
    """

    key: str
    text: str
    done_by: SetupFact | None = None


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
    each_address: ClassVar[bool] = False
    """True where every address of a person gets the message, as their devices do, and not the newest alone. Several
    providers of such a channel each send to the addresses of their own kind."""
    address_else: ClassVar[str | None] = None
    """The kind that serves where a person has none of ``address_kind``: a telephone number, for a service that has
    most people by theirs."""
    windowed: ClassVar[bool] = False
    """True where free words may only follow what the person wrote, and for a limited time."""
    known_only: ClassVar[bool] = False
    """Whether an address counts only where a connection is known to reach it: a person has to speak to a bot first."""
    instant: ClassVar[bool] = False
    """True for what is recorded as sent in the transaction that decides it; only a ``Channel`` sends."""
    settings: ClassVar[type[Described]] = Nothing
    credentials: ClassVar[type[Described]] = Nothing
    action_bytes: ClassVar[int | None] = None
    """How long the address of an action may be, in bytes, where messages are small and it has to fit whole."""
    trusts: ClassVar[tuple[str, ...]] = ()
    """Names of settings that say whom the credentials are shown to: changing one asks for the credentials again,
    so that nobody can send stored ones to a server of their own."""
    setup_steps: ClassVar[tuple[Step, ...]] = ()
    limits_addresses: ClassVar[bool] = False
    """Whether a 429 may be the limit of one address alone, and does not say so: then others go on, until several have
    met it."""
    has_destinations: ClassVar[bool] = False
    """Whether one connection can send to several places that are no person: topics, group chats. Then ``send`` is
    given the place as its ``address``, and ``address_problem`` judges it."""

    def describe(self) -> dict[str, Any]:
        """This provider as the API shows it; both schemas are JSON Schema 2020-12."""
        return {
            "provider": self.provider,
            "channel": self.channel,
            "title": self.title,
            "reaches": self.reaches,
            "addressKind": self.address_kind,
            "instant": self.instant,
            "hasDestinations": self.has_destinations,
            "settingsSchema": self.settings.model_json_schema(),
            "credentialsSchema": self.credentials.model_json_schema(),
            "setupSteps": [{"key": step.key, "text": step.text} for step in self.setup_steps],
        }


S = TypeVar("S", bound=Described)
C = TypeVar("C", bound=Described)


class Channel(Provider, ABC, Generic[S, C]):
    """A provider that we send through. One object serves all connections: state belongs to nobody here."""

    retries: ClassVar[tuple[int, ...]] = PROVIDER_RETRIES
    """Seconds before each try; as many tries as entries."""
    asks_quietly: ClassVar[bool] = True
    """Whether ``health`` can be asked again and again without anybody being sent something."""

    @abstractmethod
    async def send(self, message: Message, address: str | None, settings: S, credentials: C, door: Door) -> Receipt:
        """Hand one message over. Raises Rejected, Unavailable or BadCredentials."""

    @abstractmethod
    async def verify(self, settings: S, credentials: C, door: Door) -> Account:
        """Ask the provider whether these credentials work. Fails like ``send``."""

    async def health(self, settings: S, credentials: C, door: Door) -> Account | None:
        """What a scheduled check asks: the same as ``verify``, unless less will do or there is more to look at."""
        return await self.verify(settings, credentials, door)

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

    def account_in(self, settings: S, credentials: C) -> str | None:
        """The provider's id of the account, as ``verify`` will say it, where it can be told without asking."""
        return None

    def address_problem(self, address: str) -> str | None:
        """Why an address cannot be used here, in words for the person whose it is or who set it up, or None."""
        return None

    def device(self, address: str) -> Device:
        """An address without a problem, where ``each_address``."""
        return Device(value=address, identity=address, shown=f"****{address[-4:]}")

    def known_as(self, address: str) -> tuple[str, ...]:
        """The names by which the provider may speak of the person at this address."""
        return (address,)

    def issue(self, current: C | None = None) -> C | None:
        """New credentials where we are the ones who make them, the current ones still valid beside them.

        None where the provider issues them.
        """
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message that the provider took: where it went, its name there, and as much of the answer as was kept."""

    address: str | None
    message_id: str
    answer: str


class Changeable(ABC, Generic[S, C]):
    """Mixed into the channel of a provider that lets messages be changed after they were sent."""

    @abstractmethod
    async def acknowledged(self, sent: Sent, note: str, at: datetime, settings: S, credentials: C, door: Door) -> None:
        """Take the button of the acknowledgement away and say ``note``, which names who acknowledged, and when; ``at``
        is in the project's time zone. Done twice it comes to the same. Fails like ``send``."""


class NotUnderstood(Exception):
    """A call that is genuine and has no items in it: not what the provider documents."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that a provider tells us. ``event_id`` is its name for it: two of the same name are the same."""

    event_id: str
    payload: Any


class Inbound(ABC, Generic[C]):
    """Mixed into the channel of a provider that calls us back, at an address of each connection's own.

    ``secret`` is made by us for that address, for providers that prove themselves with it; others sign with something
    of the credentials. What is done about an item, ``tocsin.inbound`` knows.
    """

    hook_bytes: ClassVar[int] = 1024 * 1024
    """The longest body that is read."""
    shows_secret: ClassVar[bool] = False
    """Whether the owner has to enter our secret at the provider by hand, and is shown it for that."""
    tells_once: ClassVar[bool] = True
    """Whether each account is to be one connection's, since of two each would hear a part."""
    media: ClassVar[str] = "application/json"
    """The kind of body that is sent."""

    @abstractmethod
    def authenticate(self, headers: Mapping[str, str], body: bytes, credentials: C, secret: str) -> bool:
        """Whether the provider sent this, compared in constant time. Header names are lower case."""

    def authenticate_at(self, url: str, headers: Mapping[str, str], body: bytes, credentials: C, secret: str) -> bool:
        """The same for a provider that signs the address, too, which is the one that it was given."""
        return self.authenticate(headers, body, credentials, secret)

    @abstractmethod
    def items(self, body: Any, credentials: C) -> Sequence[Item]:
        """What a genuine call tells, in its order; ``body`` is decoded JSON of any shape. Raises NotUnderstood.

        Whatever is about another account than that of these credentials is left out.
        """

    def told(self, body: bytes) -> bytes:
        """The JSON in a genuine body. Raises NotUnderstood where there is none."""
        return body

    def answer(self, body: Any) -> Any:
        """What the provider wants to hear at once, as JSON; None: an empty answer will do."""
        return None

    def handshake(self, query: Mapping[str, str], credentials: C, secret: str) -> str | None:
        """The answer to a GET by which the provider asks whether we are there, or None: it is not known here."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """Where a provider calls for an account; ``url`` is None where it calls nobody. ``waiting`` are untold items."""

    url: str | None
    waiting: int = 0
    last_error: str | None = None


class Registers(Inbound[C]):
    """Mixed into the channel of a provider that is told by its API where to call, or can be asked instead.

    All but ``may_call`` and ``polls`` call the provider and fail like ``send``.
    """

    @abstractmethod
    def may_call(self, url: str) -> bool:
        """Whether the provider would call at such an address at all."""

    @abstractmethod
    def polls(self, settings: Any) -> bool:
        """Whether the owner wants the provider to be asked, though it could call."""

    @abstractmethod
    async def registration(self, credentials: C, door: Door) -> Registration:
        """Where it calls now, whoever said so."""

    @abstractmethod
    async def register(self, url: str, secret: str, credentials: C, door: Door) -> None:
        """Have it call here from now on, and nowhere else."""

    @abstractmethod
    async def unregister(self, credentials: C, door: Door) -> None:
        """Have it call nobody; what it has to tell waits there for a while."""

    @abstractmethod
    async def fetch(self, after: str | None, credentials: C, door: Door) -> Sequence[Item]:
        """Items behind the one of that name, waiting some seconds for one. Asking takes all before it as told."""
