"""Shapes of sounds."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import UploadFile
from pydantic import ConfigDict, Field, StringConstraints

from tocsin.kit.schema import Answer, Body, Text, Time

SoundName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$"),
    Field(
        description="Small letters, digits and _, as files in an app are named; with the name of a built-in sound it "
        "is heard in place of that one.",
        examples=["oven_alarm"],
    ),
]
MOST_TOPICS = 100


class SoundUpload(Body):
    """A sound as a form."""

    # What a form carries is text, and a file is no value of JSON.
    model_config = ConfigDict(strict=False, arbitrary_types_allowed=True)

    name: SoundName
    file: UploadFile = Field(
        description="WAV, AIFF, CAF, FLAC, Ogg or MP3, recognised by content; 5 MiB and 30 seconds at most."
    )


class SoundAnswer(Answer):
    id: UUID
    env: Literal["live", "test"]
    name: str
    content_type: str
    duration: float = Field(description="Seconds.")
    bytes: int
    built_in: bool
    url: str = Field(description="Where it is played, without credentials; the content behind it never changes.")
    created_by: UUID | None = Field(description="The key or user that uploaded it.")
    created_at: Time


class SoundsByPriority(Body):
    """Names of sounds."""

    critical: Text | None = None
    high: Text | None = None
    normal: Text | None = None
    low: Text | None = None


Topic = Annotated[Text, StringConstraints(min_length=1, max_length=100)]


class SoundDefaultsBody(Body):
    """Which sound where a rule names none: that of its topic, else that of its priority, else none."""

    topics: dict[Topic, Text] = Field({}, max_length=MOST_TOPICS, examples=[{"orders": "cash_register"}])
    priorities: SoundsByPriority = Field(SoundsByPriority(), examples=[{"critical": "siren"}])


class SoundDefaultsAnswer(Answer):
    topics: dict[str, str]
    priorities: dict[str, str]
