"""Shapes of rules, as clients send and get them, and of their tests."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from tocsin.channels.registry import kinds
from tocsin.clocks.schedule import SHORTEST_GAP, problem_of
from tocsin.event_types.names import MAX_TYPE_LENGTH, TYPE
from tocsin.event_types.schemas import TypeName
from tocsin.kit.schema import Answer, Body, Text, Time, unsent
from tocsin.rules.conditions import MAX_LENGTH as MAX_CONDITION
from tocsin.rules.matching import valid_pattern
from tocsin.rules.templates import MAX_LENGTH as MAX_TEMPLATE
from tocsin.users.hours import ActiveTimes, ClockTime, Day, timezones

Priority = Literal["critical", "high", "normal", "low"]


def _pattern(value: str) -> str:
    if not valid_pattern(value):
        raise PydanticCustomError(
            "invalid_pattern",
            "An event type such as order.created, a prefix such as order.*, or * alone; 200 characters at most.",
        )
    return value


def _channel(value: str) -> str:
    if value not in kinds():
        raise PydanticCustomError(
            "unknown_channel",
            "There is no channel {channel}; there are {known}.",
            {"channel": repr(value[:60]), "known": ", ".join(sorted(kinds()))},
        )
    return value


def _each_once(values: list[str]) -> list[str]:
    for value in values:
        if values.count(value) > 1:
            raise PydanticCustomError("doubled", "{value} is named twice.", {"value": repr(value)})
    return values


def without_doubles(values: list[str]) -> list[str]:
    return list(dict.fromkeys(values))


RuleName = Annotated[Text, StringConstraints(min_length=1, max_length=200), Field(examples=["Large orders"])]
Description = Annotated[Text, StringConstraints(max_length=2_000)]
Pattern = Annotated[
    str,
    AfterValidator(_pattern),
    Field(
        json_schema_extra={"pattern": rf"^(\*|{TYPE.pattern}(\.\*)?)$", "maxLength": MAX_TYPE_LENGTH},
        examples=["order.created", "order.*"],
    ),
]
EventTypes = Annotated[
    list[Pattern],
    Field(min_length=1, max_length=50, description="Event types, prefixes (`order.*`) or `*`."),
    AfterValidator(without_doubles),
]
Triggers = Annotated[
    list[Pattern],
    Field(
        max_length=50,
        description="Event types, prefixes (`order.*`), or `*` for all that the project sends; what Tocsin itself tells"
        " of begins with `tocsin.` and is for rules that name it. None where there is a `clock`.",
    ),
    AfterValidator(without_doubles),
]
Channel = Annotated[str, AfterValidator(_channel), Field(json_schema_extra={"enum": sorted(kinds())})]
Channels = Annotated[
    list[Channel],
    Field(
        min_length=1,
        max_length=20,
        description="In order; `GET /providers` tells which there are.",
        json_schema_extra={"uniqueItems": True},
    ),
    AfterValidator(_each_once),
]
Roles = Annotated[
    list[Annotated[Text, StringConstraints(min_length=1, max_length=63)]],
    Field(max_length=50, description="Names of roles; everybody who has one of them is told."),
]
Users = Annotated[
    list[Annotated[Text, StringConstraints(min_length=1, max_length=200)]],
    Field(max_length=500, description="Ids or externalUserIds of people; answers show ids."),
]
Destinations = Annotated[
    list[Annotated[Text, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]],
    Field(
        max_length=20,
        description="Names of destinations, whatever the channels: of each target person their own of that name, "
        "else the project's.",
        examples=[["orders"]],
    ),
    AfterValidator(without_doubles),
]
PayloadUser = Annotated[bool, Field(description="Also tell the person whose externalUserId is `payload.userId`.")]
Template = Annotated[Text, StringConstraints(max_length=MAX_TEMPLATE)]
Title = Annotated[Template, StringConstraints(min_length=1), Field(examples=["Order {{ payload.orderId }}"])]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?$")]
Seconds = Annotated[int, Field(ge=10, le=86_400)]
Loops = Annotated[int, Field(ge=1, le=10, description="How often the steps of `escalation` are gone through.")]


class Action(Body):
    """Where the notification leads. Both are templates."""

    url: Annotated[Template, StringConstraints(min_length=1), Field(examples=["https://x.example/{{ payload.id }}"])]
    label: Annotated[Template, StringConstraints(min_length=1)] | None = None


class Translation(Body):
    """The words in one language. What is left out is as in the rule."""

    title: Title | None = None
    message: Template | None = None
    action: Action | None = None


Translations = Annotated[
    dict[Language, Translation],
    Field(
        max_length=20,
        description="The words by language. Each person gets those of their locale, with or without its region, else "
        "of the project's language, else the rule's own.",
        examples=[{"de": {"title": "Bestellung {{ payload.orderId }}"}}],
    ),
]


class Repeat(Body):
    """Again and again until somebody acknowledges, over all of the rule's channels."""

    every_seconds: Seconds
    max_times: Annotated[int, Field(ge=1, le=100)]


class Throttle(Body):
    """So many notifications reach one person in so long a time, counted from the first; the others stay in the feed."""

    max: Annotated[int, Field(ge=1, le=1_000)]
    per_seconds: Seconds


class EscalationStep(Body):
    """Whom to tell as well when nobody has acknowledged for so long after the step before."""

    after_seconds: Seconds
    roles: Roles = Field([])
    users: Users = Field([])

    @model_validator(mode="after")
    def _reaches_somebody(self) -> Self:
        if not (self.roles or self.users):
            raise PydanticCustomError("reaches_nobody", "A step names roles or users.")
        return self


def _zone(value: str) -> str:
    if value not in ("project", "recipient") and value not in timezones():
        raise PydanticCustomError(
            "unknown_timezone", "The name of a time zone (IANA), `project` or `recipient`.", {"zone": value[:60]}
        )
    return value


def _cron(value: str) -> str:
    if problem := problem_of(value):
        raise PydanticCustomError("invalid_cron", "This {problem}.", {"problem": problem})
    return value


Zone = Annotated[
    Text,
    StringConstraints(max_length=64),
    AfterValidator(_zone),
    Field(
        description="`project`, `recipient` (each person's own, else the project's), or the name of a zone.",
        examples=["Europe/Vienna"],
    ),
]


class RuleClock(Body):
    """When a rule runs that waits for no event: a time on some days, or a line of cron."""

    time: ClockTime | None = None
    days: Annotated[list[Day], Field(min_length=1, max_length=7), AfterValidator(_each_once)] | None = Field(
        None, description="Every day where none is named."
    )
    cron: Annotated[Text, StringConstraints(max_length=100), AfterValidator(_cron)] | None = Field(
        None,
        description="Minute, hour, day of the month, month, day of the week; "
        f"every {SHORTEST_GAP.seconds // 60} minutes at most.",
        examples=["0 8 * * 1-5"],
    )
    timezone: Zone = "project"
    daily_summary: bool = Field(
        False, description="For the people alone who have their daily summary on, at the time that each of them chose."
    )

    @model_validator(mode="after")
    def _is_one_clock(self) -> Self:
        if (self.time is None) == (self.cron is None):
            raise PydanticCustomError("one_of", "A clock has a `time` or a line of `cron`.")
        if self.cron is not None and self.days is not None:
            raise PydanticCustomError("one_of", "The line of `cron` says on which days; leave out `days`.")
        if self.daily_summary and (self.time is None or self.timezone != "recipient"):
            raise PydanticCustomError("daily_summary", "A daily summary has a `time` in the zone `recipient`.")
        return self


class ChannelOrder(Body):
    """One channel after the other, as `channels` names them: the next when the earlier failed or was not seen in time.

    Channels that reach the project and destinations are told at once.
    """

    after_seconds: Seconds


class DigestTranslation(Body):
    """The words of a digest in one language. What is left out is as in the digest itself."""

    title: Title | None = None
    message: Template | None = None


class Digest(Body):
    """What the rule tells one person within a window goes out in one message, by each channel but `realtime`.

    Channels that reach the project and destinations are told of each notification at once.
    """

    window_seconds: Annotated[Seconds, Field(description="From the first notification on.")]
    max_items: Annotated[int, Field(ge=1, le=100, description="So many are listed; the rest is counted.")] = 100
    leading: Annotated[bool, Field(description="The first one is told at once, and the rest gathered.")] = False
    title: Title | None = Field(None, description="A template over `items`, `count`, `rule`, `user` and `project`.")
    message: Template | None = None
    translations: (
        Annotated[dict[Language, DigestTranslation], Field(max_length=20, description="Both by language.")] | None
    ) = None
    template: Annotated[Text, StringConstraints(max_length=63)] | None = Field(
        None, description="Name of templates of the kind `digest`; their words go before `title` and `message`."
    )


class RuleFields(Body):
    """What may be null: saying so takes it away."""

    description: Description | None = None
    condition: Annotated[Text, StringConstraints(max_length=MAX_CONDITION)] | None = Field(
        None,
        description="CEL over `event`, `payload` and `user`; without one every event of these types matches.",
        examples=["payload.amount > 1000"],
    )
    action: Action | None = None
    translations: Translations | None = None
    template: Annotated[Text, StringConstraints(max_length=63)] | None = Field(
        None,
        description="Name of templates of the kind `notification`, whose words go before `title` and `message` in "
        "their languages and channels.",
    )
    sound: Annotated[Text, StringConstraints(min_length=1, max_length=200)] | None = Field(
        None,
        description="Name of a sound; without one the project's defaults say which: `GET /sounds/defaults`.",
        examples=["chime"],
    )
    repeat: Repeat | None = Field(None, description="Takes `requireAck`.")
    escalation: list[EscalationStep] | None = Field(
        None, max_length=10, description="Step after step until somebody acknowledges; takes `requireAck`."
    )
    clock: RuleClock | None = Field(None, description="Runs by the time of day instead of by `eventTypes`.")
    throttle: Throttle | None = None
    active_times: ActiveTimes | None = Field(None, description="Always, without them; `outside` is `skip` if not said.")
    channel_order: ChannelOrder | None = Field(
        None, description="Without one all channels are told at once; takes two that reach people."
    )
    digest: Digest | None = Field(None, description="Not for what is critical, repeats or escalates.")
    topic: Annotated[Text, StringConstraints(min_length=1, max_length=100)] | None = Field(
        None, description="What people switch on and off in their preferences."
    )


class RuleCreate(RuleFields):
    name: RuleName
    event_types: Triggers = Field([])
    target_roles: Roles = Field([])
    target_users: Users = Field([])
    target_payload_user: PayloadUser = False
    target_destinations: Destinations = Field([])
    channels: Channels = Field(["realtime"])
    title: Title
    message: Template = ""
    priority: Priority = "normal"
    require_ack: bool = False
    escalation_loops: Loops = 1
    active: bool = True


class RuleUpdate(RuleFields):
    name: RuleName = unsent()
    event_types: Triggers = unsent()
    target_roles: Roles = unsent()
    target_users: Users = unsent()
    target_payload_user: PayloadUser = unsent()
    target_destinations: Destinations = unsent()
    channels: Channels = unsent()
    title: Title = unsent()
    message: Template = unsent()
    priority: Priority = unsent()
    require_ack: bool = unsent()
    escalation_loops: Loops = unsent()
    active: bool = unsent()


class ActionAnswer(Answer):
    url: str
    label: str | None = None


class TranslationAnswer(Answer):
    title: str | None = None
    message: str | None = None
    action: ActionAnswer | None = None


class RepeatAnswer(Answer):
    every_seconds: int
    max_times: int


class ThrottleAnswer(Answer):
    max: int
    per_seconds: int


class EscalationAnswer(Answer):
    after_seconds: int
    roles: list[str]
    users: list[UUID] = Field([])


class ClockAnswer(Answer):
    time: str | None = None
    days: list[str] | None = None
    cron: str | None = None
    timezone: str
    daily_summary: bool = False


class RuleWarning(Answer):
    """Something in a rule that is allowed and probably meant otherwise."""

    pointer: str
    code: str
    detail: str
    line: int | None = None
    column: int | None = None


class ChannelOrderAnswer(Answer):
    after_seconds: int


class DigestTranslationAnswer(Answer):
    title: str | None = None
    message: str | None = None


class DigestAnswer(Answer):
    window_seconds: int
    max_items: int
    leading: bool
    title: str | None
    message: str | None
    translations: dict[str, DigestTranslationAnswer] | None = None
    template: str | None = None


class RuleAnswer(Answer):
    """What a rule is. What came with a later release has a default: versions are kept as answers showed them."""

    id: UUID
    env: Literal["live", "test"]
    name: str
    description: str | None
    event_types: list[str]
    condition: str | None
    target_roles: list[str]
    target_users: list[UUID]
    target_payload_user: bool
    target_destinations: list[str] = Field([])
    channels: list[str]
    title: str
    message: str
    action: ActionAnswer | None
    translations: dict[str, TranslationAnswer] | None = None
    template: str | None = None
    sound: str | None
    priority: Priority
    require_ack: bool
    repeat: RepeatAnswer | None
    escalation: list[EscalationAnswer] | None
    escalation_loops: int = 1
    clock: ClockAnswer | None = None
    starter: str | None = Field(None, description="The starter rule that it was installed as.")
    channel_order: ChannelOrderAnswer | None = None
    digest: DigestAnswer | None = None
    active: bool
    suspended_reason: str | None = Field(description="Why Tocsin itself switched the rule off; any change clears it.")
    throttle: ThrottleAnswer | None = None
    active_times: ActiveTimes | None = None
    topic: str | None
    version: int
    created_by: UUID | None = Field(description="The key or user that made it.")
    created_at: Time
    updated_at: Time
    warnings: list[RuleWarning] = Field(
        [],
        description="Told when a rule is saved: fields in its condition that no registered type of its events has.",
    )


class VersionAnswer(Answer):
    """A rule as it was after one change."""

    version: int
    rule: RuleAnswer
    created_by: str | None = Field(description="Who made the change: `user:` or `key:` and an id.")
    created_at: Time


class TestEvent(Body):
    """An event that is judged and not stored."""

    __test__ = False

    type: TypeName
    payload: dict[str, Any] = Field(examples=[{"orderId": "A-17", "amount": 1250}])
    source: Annotated[Text, StringConstraints(min_length=1, max_length=200)] | None = None


class RuleTest(Body):
    event: TestEvent | None = Field(
        None, description="Without one the example of the rule's first registered event type is taken."
    )


class DraftTest(Body):
    rule: RuleCreate
    event: TestEvent


class TestRecipient(Answer):
    user_id: UUID
    channels: list[str] = Field(description="The channels that reach people one by one.")


class TestDestination(Answer):
    name: str
    channel: str
    address: str


class Rendering(Answer):
    title: str
    message: str
    action_url: str | None
    action_label: str | None
    translations: dict[str, TranslationAnswer] = Field(description="By language, what differs from the rest.")


class TestAnswer(Answer):
    """What the rule would do with the event. Nothing is stored or sent."""

    __test__ = False

    matched: bool
    reason: str
    error: Literal["condition_error", "render_error"] | None = Field(description="Something went wrong: see reason.")
    recipients: list[TestRecipient] = Field(description="The first 200.")
    recipients_total: int
    project_channels: list[str] = Field(description="The channels that reach the project once, whoever is targeted.")
    destinations: list[TestDestination] = Field(description="The named places it would go to beside.")
    rendered: Rendering | None = Field(
        description="Null unless the condition held and every template could be printed. A rule that is outside of its "
        "active times does not match, and its words are shown."
    )
    missing: list[str] = Field(description="Variables that printed nothing because the event does not have them.")
