"""Shapes of templates, as clients send and get them."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from tocsin.kit.schema import Answer, Body, Text, Time
from tocsin.rules.schemas import Channel, Language, Template

Kind = Literal["notification", "system_mail", "digest", "layout"]
TemplateName = Annotated[Text, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]

Subject = Annotated[
    Template,
    Field(description="Of a notification its title. A layout has none.", examples=["Order {{ payload.orderId }}"]),
]


class TemplateBody(Body):
    """The words of one kind, name, channel and language; what was there before is replaced."""

    kind: Kind
    name: TemplateName = Field(
        description="As rules name it; that of a mail and of the layout is in `GET /templates/defaults`.",
        examples=["order-placed"],
    )
    channel: Channel | None = Field(
        None, description="Not of mails and layouts: for this channel alone; null for all others."
    )
    language: Language = Field(examples=["de"])
    subject: Subject = ""
    body: Template = Field(description="Of a notification its message, of a layout the HTML around it.")


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
    """A mail as it is worded, and the layout around mails, where the project says nothing else."""

    kind: Kind
    name: str
    subject: str
    body: str
    variables: list[str] = Field(description="What stands under `payload`; of a layout all that it sees.")
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
    subject: Subject = ""
    body: Template
    event_id: UUID | None = Field(None, strict=False, description="A stored event to print them with.")


class Preview(Answer):
    subject: str
    body: str = Field(description="Of a layout a mail within it, as a whole HTML document.")
    missing: list[str] = Field(description="Variables that printed nothing because there is no value for them.")
