"""Hours of a day, as people and rules name them: from one time of the wall clock to another, on some days or all.

What begins in the evening may end in the morning; `days` are those on which it begins. From a time to the same one is a
whole day. The moments they mean are the database's to find (`tocsin.hours_of`), daylight saving included.
"""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal, NotRequired, Required, TypeVar, get_args
from zoneinfo import available_timezones

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, with_config
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from tocsin.kit.schema import Text

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS = get_args(Day)
ClockTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$"), Field(examples=["22:00"])]
ChannelName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,30}$"), Field(examples=["telegram"])]
Days = Annotated[list[Day], Field(min_length=1, max_length=7, description="On which it begins; every day without it.")]
ChannelNames = Annotated[list[ChannelName], Field(max_length=20)]


@cache
def timezones() -> frozenset[str]:
    """The names of the IANA database."""
    return frozenset(available_timezones())


def _known_timezone(value: str) -> str:
    if value not in timezones():
        raise ValueError("is not a time zone of the IANA database, e.g. Europe/Vienna")
    return value


Timezone = Annotated[
    Text, StringConstraints(max_length=64), AfterValidator(_known_timezone), Field(examples=["Europe/Vienna"])
]

_CLOSED = ConfigDict(extra="forbid", strict=True)
_Hours = TypedDict("_Hours", {"from": Required[ClockTime], "to": Required[ClockTime], "days": NotRequired[Days]})


@with_config(_CLOSED)
class Quiet(_Hours):
    """When nothing may disturb a person but what is critical."""

    channels: NotRequired[Annotated[ChannelNames, Field(description="Only these wait; all of them without it.")]]


@with_config(_CLOSED)
class Active(_Hours):
    """When a rule is at work."""

    timezone: NotRequired[Annotated[Timezone, Field(description="The project's without it.")]]
    outside: NotRequired[
        Annotated[
            Literal["skip", "hold"],
            Field(description="`skip`: it does not match then. `hold`: it does, and what it sends waits."),
        ]
    ]


_H = TypeVar("_H", bound=Mapping[str, Any])


def _with_an_end(hours: _H) -> _H:
    if hours["from"] == hours["to"] and len(set(hours.get("days", DAYS))) == len(DAYS):
        raise PydanticCustomError("endless", "All of every day never ends: name days, or two different times.")
    return hours


def _outside_said(times: Active) -> Active:
    return {"outside": "skip", **times}


QuietHours = Annotated[Quiet, AfterValidator(_with_an_end)]
ActiveTimes = Annotated[Active, AfterValidator(_with_an_end), AfterValidator(_outside_said)]
