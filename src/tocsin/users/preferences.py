"""What a person prefers: by which channels and topics they are told, when they are left alone, how texts look (R4).

`users.preferences` holds what was said, under the names of the API. `users.wishes` tells the pipeline whether any of it
may keep something from being sent, so that a project in which nobody wishes anything pays nothing.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.kit.errors import FieldError, Invalid
from tocsin.kit.schema import Answer, Body, Text, unsent
from tocsin.users.hours import ChannelName, ChannelNames, ClockTime, QuietHours
from tocsin.users.models import User

MOST_TOPICS = 200
MOST_CHANNELS = 50
_MAPS = {"fallback": MOST_CHANNELS, "channels": MOST_CHANNELS, "topics": MOST_TOPICS}
"""They are changed entry by entry; an entry of null goes."""

TopicName = Annotated[Text, StringConstraints(min_length=1, max_length=100), Field(examples=["orders"])]
Language = Annotated[
    str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?$"), Field(examples=["de-AT"])
]

_FALLBACK = (
    "By channel. False: where the person has a connection of their own, nothing else sends to them on that channel."
)
_CHANNELS = "By channel. False: nothing is sent there; over sockets it comes without a sound."
_TOPICS = (
    "By the topic that rules name. What is not named here comes by every channel of the rule, unless the project's "
    "`optInTopics` name it."
)
_QUIET = "In the person's timezone, else the project's. Null: none. Until it is said: the project's `quietHours`."


class TopicWish(Body):
    """How one topic reaches the person. What is left out of it is as it is without a wish."""

    muted: bool = Field(False, description="It stands in the feed and reaches the person by no channel.")
    subscribed: bool = Field(
        False, description="Topics that the project's `optInTopics` name reach only those who subscribe to them."
    )
    channels: ChannelNames | None = Field(None, description="Only these; null: all of the rule's.")
    ignore_quiet_hours: bool = Field(False, description="It comes at night too.")


class FormatUpdate(Body):
    """How texts are written; what is left out stays, null is the project's way. `language` is the person's `locale`."""

    language: Language | None = None
    length: Literal["full", "short"] | None = None
    time: Literal["24h", "12h"] | None = None
    number: Literal["1,234.5", "1.234,5", "1 234,5"] | None = None


class DailySummary(Body):
    """At a time in the person's own zone, else the project's; without one at the time that the rule says."""

    enabled: bool
    time: ClockTime | None = None


class PreferencesUpdate(Body):
    """What is left out stays; of the maps what is not named, and null takes an entry away."""

    fallback: Annotated[dict[ChannelName, bool | None], Field(max_length=20, description=_FALLBACK)] = unsent()
    channels: Annotated[dict[ChannelName, bool | None], Field(max_length=20, description=_CHANNELS)] = unsent()
    topics: Annotated[dict[TopicName, TopicWish | None], Field(max_length=100, description=_TOPICS)] = unsent()
    quiet_hours: QuietHours | None = Field(None, description=_QUIET)
    format: FormatUpdate = unsent()
    daily_summary: DailySummary = unsent()


class TopicWishAnswer(Answer):
    muted: bool = False
    subscribed: bool = False
    channels: list[str] | None = None
    ignore_quiet_hours: bool = False


class FormatAnswer(Answer):
    language: str | None = None
    length: str | None = None
    time: str | None = None
    number: str | None = None


class DailySummaryAnswer(Answer):
    enabled: bool = False
    time: str | None = None


class PreferencesAnswer(Answer):
    fallback: dict[str, bool] = Field({}, description=_FALLBACK)
    channels: dict[str, bool] = Field({}, description=_CHANNELS)
    topics: dict[str, TopicWishAnswer] = Field({}, description=_TOPICS)
    quiet_hours: QuietHours | None = Field(None, description="The person's own, where they have said so.")
    format: FormatAnswer = FormatAnswer()
    daily_summary: DailySummaryAnswer = DailySummaryAnswer()


async def prefer(session: AsyncSession, user: User, update: PreferencesUpdate) -> None:
    """Take over what was sent. The row is held, so that of two changes at once neither is lost."""
    await session.refresh(user, ["preferences"], with_for_update=True)
    sent = update.model_dump(by_alias=True, exclude_unset=True)
    if "language" in sent.get("format", {}):
        user.locale = sent["format"].pop("language")
    user.preferences = merged(user.preferences, sent)
    user.wishes = wishes(user.preferences)
    await session.flush()


def merged(before: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    """Raises Invalid where a map gets too large."""
    after = {**before, **sent}
    for name in (*_MAPS, "format"):
        if name in sent:
            entries = {**before.get(name, {}), **sent[name]}
            after[name] = {key: value for key, value in entries.items() if value is not None}
            if len(after[name]) > _MAPS.get(name, MOST_TOPICS):
                raise Invalid([FieldError(f"/{name}", "too_many", f"There is room for {_MAPS[name]}; take some away.")])
    return after


def wishes(preferences: Mapping[str, Any]) -> bool:
    """Whether any of it may keep something from being sent."""
    return bool(
        preferences.get("quietHours") or preferences.get("topics") or False in preferences.get("channels", {}).values()
    )


def shown(user: User) -> PreferencesAnswer:
    """The language is that of the person, wherever they have said it."""
    written = {**user.preferences.get("format", {}), "language": user.locale}
    return PreferencesAnswer.model_validate({**user.preferences, "format": written})
