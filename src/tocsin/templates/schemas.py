"""Shapes of templates, as clients send and get them."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from tocsin.kit.schema import Answer, Body, Text, Time
from tocsin.rules.schemas import Channel, Language, Template, Title

Kind = Literal["notification", "system_mail", "digest"]
TemplateName = Annotated[Text, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


class TemplateBody(Body):
    """The words of one kind, name, channel and language; what was there before is replaced."""

    kind: Kind
    name: TemplateName = Field(
        description="As rules name it; that of a mail is in `GET /templates/defaults`.",
        examples=["order-placed"],
    )
    channel: Channel | None = Field(None, description="Not of mails: for this channel alone; null for all others.")
    language: Language = Field(examples=["de"])
    subject: Title = Field(description="Of a notification its title.")
    body: Template = Field(description="Of a notification its message.")


class ProjectTemplate(Answer):
    id: UUID
    env: Literal["live", "test"]
    kind: Kind
    name: str
    channel: str | None
    language: str
    subject: str
    body: str
    version: int = Field(description="Raised with every change.")
    created_at: Time
    updated_at: Time


class DefaultTemplate(Answer):
    """A mail as it is worded where the project says nothing else."""

    kind: Kind
    name: str
    subject: str
    body: str
    variables: list[str] = Field(description="What stands under `payload`.")
    must_say: list[str] = Field(description="Those of them that a wording may not leave out.")
    button: str | None = Field(description="The words on the link below, which every wording keeps.")


class PreviewBody(Body):
    event_id: UUID | None = Field(
        None, strict=False, description="A stored event to print a notification's template with."
    )


class DraftPreviewBody(Body):
    """Words as they would be saved."""

    kind: Kind
    name: TemplateName
    subject: Title
    body: Template
    event_id: UUID | None = Field(None, strict=False, description="A stored event to print them with.")


class Preview(Answer):
    subject: str
    body: str
    missing: list[str] = Field(description="Variables that printed nothing because there is no value for them.")
