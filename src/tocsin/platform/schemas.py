"""Shapes of what the operator sends and sees."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, field_validator

from tocsin.auth.permissions import PLATFORM_ROLES
from tocsin.kit.schema import Answer, Body, Time, plain, unsent
from tocsin.projects.run_time import PlanName
from tocsin.projects.schemas import EnvName, KeyPair, Name, Password, RealtimeAppAnswer, Slug
from tocsin.users.contact import Email


def _role(name: str) -> str:
    if name not in PLATFORM_ROLES:
        raise ValueError(f"there is no such role of the platform; there are {', '.join(PLATFORM_ROLES)}")
    return name


RoleName = Annotated[str, AfterValidator(_role), Field(json_schema_extra={"enum": list(PLATFORM_ROLES)})]
AdminStatus = Literal["invited", "active", "disabled"]
Status = Literal["trial", "active", "suspended", "cancelled"]
Region = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$"), Field(examples=["eu-central"])]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True), AfterValidator(plain)]


class AdminCreate(Body):
    email: Email
    name: Name | None = None
    role: RoleName


class AdminUpdate(Body):
    name: Name = unsent()
    role: RoleName = unsent()
    status: Literal["active", "disabled"] = unsent()


class AdminAnswer(Answer):
    id: UUID
    email: str
    name: str | None
    role: str
    status: AdminStatus
    last_login_at: Time | None
    created_at: Time


class AdminLinkAnswer(Answer):
    """Where somebody chooses a password. It works once, for 24 hours, and is shown this once."""

    setup_url: str


class AdminInvited(AdminAnswer, AdminLinkAnswer):
    pass


class Setup(Body):
    token: str = Field(min_length=1, max_length=200, description="What follows # in the link.")
    password: Password
    email: Email | None = Field(None, description="Of the first admin; others have theirs already.")
    name: Name | None = None


class FirstAdminAnswer(Answer):
    """Who may sign in now, and where."""

    email: str
    project: str = Field(description="Slug to sign in to; of an admin, `platform`.")


class ProjectCreate(Body):
    name: Name
    slug: Slug | None = None
    owner_email: Email
    plan: PlanName | None = Field(None, description="Default: that of the installation.")
    region: Region | None = None


class Overrides(Body):
    """What this project has beyond its plan, or instead of it. A quota of null is unlimited."""

    quotas: dict[
        Annotated[str, Field(pattern=r"^[a-z][A-Za-z]{0,39}$")], Annotated[int, Field(ge=0, le=10**15)] | None
    ] = Field(default_factory=dict, max_length=40)
    features: dict[Annotated[str, Field(pattern=r"^[a-z][A-Za-z]{0,39}$")], bool] = Field(
        default_factory=dict, max_length=40
    )
    overage: bool | None = Field(
        None, description="Whether the quotas of a month may be overdrawn, and are metered; null: as the plan says."
    )


class ProjectChange(Body):
    name: Name = unsent()
    region: Region | None = None
    plan: PlanName = unsent()
    overrides: Overrides | None = None
    billing_email: Email | None = Field(None, description="Who hears of quotas by mail; null: the owner.")
    trial_ends_at: Annotated[datetime, Field(strict=False)] | None = None

    @field_validator("trial_ends_at")
    @classmethod
    def _zoned(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("give a time zone, e.g. 2027-01-01T00:00:00Z")
        return value


class Suspension(Body):
    reason: Reason


class Usage(Answer):
    """Of the live environment. A figure of 10,000 means that many or more."""

    users: int
    events_this_month: int
    notifications_this_month: int


class Owner(Answer):
    id: UUID
    email: str | None
    status: str


class ListedProject(Answer):
    id: UUID
    name: str
    slug: str
    status: Status
    plan: str
    region: str | None
    trial_ends_at: Time | None
    suspended_at: Time | None
    suspended_reason: str | None
    cancelled_at: Time | None
    cancelled_by: str | None
    last_event_at: Time | None
    usage: Usage
    created_at: Time
    updated_at: Time


class PlatformProject(ListedProject):
    overrides: dict[str, Any] | None
    billing_email: str | None
    purge_at: Time | None
    owner: Owner | None


class ProjectMade(AdminLinkAnswer):
    """A new project. Keys and secrets are shown this once; its owner chooses a password by the link."""

    project: PlatformProject
    api_keys: dict[EnvName, KeyPair]
    identity_secrets: dict[EnvName, str]
    realtime: dict[EnvName, RealtimeAppAnswer]


class AuditEntry(Answer):
    id: UUID
    action: str
    actor_type: str
    actor_id: str | None
    resource_type: str
    resource_id: str | None
    metadata: dict[str, Any] | None
    ip_address: str | None
    user_agent: str | None
    request_id: str | None
    at: Time


class Counted(Answer):
    """A project and its number."""

    project_id: UUID
    slug: str
    events: int


class EventFigures(Answer):
    """Of the projects with the most events; a figure of 20,000 means that many or more."""

    by_project: list[Counted]
    by_outcome: dict[str, int] = Field(description="`waiting` is what no rule has seen yet.")
    failure_rate: float | None = Field(description="Of what was processed, what failed by a rule's or our own fault.")


class DeliveryFigures(Answer):
    """Of each project the newest 20,000 of the period."""

    by_state: dict[str, int]
    delivery_rate: float | None = Field(description="Sent, delivered or read, of what has come to an end.")
    failure_rate: float | None
    latency_seconds: dict[Literal["p50", "p95", "p99"], float | None] = Field(
        description="From being queued to being sent, realtime left out: it is sent as it is queued."
    )


class Metrics(Answer):
    """The installation at a glance, over a period of the live environments of all projects."""

    since: Time
    projects_by_status: dict[str, int]
    projects_by_plan: dict[str, int]
    events: EventFigures
    deliveries: DeliveryFigures
