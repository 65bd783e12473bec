"""Shapes of people and roles."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from tocsin.auth.permissions import PERMISSIONS, unknown
from tocsin.channels.registry import device_kinds
from tocsin.kit.schema import Answer, Body, Text, Time, unsent
from tocsin.kit.strict_json import faults
from tocsin.users.contact import Email, Phone, address_problem

EnvName = Literal["live", "test"]
Name = Annotated[Text, StringConstraints(max_length=200)]
ExternalId = Annotated[Text, StringConstraints(min_length=1, max_length=200), Field(examples=["customer-4711"])]
RoleName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$"), Field(examples=["finance"])]
Channel = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,30}$"), Field(examples=["telegram"])]


def _single(channel: str) -> str:
    if channel in device_kinds():
        raise PydanticCustomError(
            "device", "Devices are registered one by one, with POST to the addresses of the person."
        )
    return channel


SingleChannel = Annotated[Channel, AfterValidator(_single)]
Permission = Annotated[str, Field(json_schema_extra={"enum": sorted(PERMISSIONS)})]
MOST_ADDRESS_BYTES = 2_500
"""Of an address: it stands in an index, whose entries have 2,704 bytes at most."""


def _indexable(value: str) -> str:
    if len(value.encode()) > MOST_ADDRESS_BYTES:
        raise PydanticCustomError("too_long", "An address has {most} bytes at most.", {"most": MOST_ADDRESS_BYTES})
    return value


AddressValue = Annotated[
    Text, StringConstraints(min_length=1, max_length=MOST_ADDRESS_BYTES), AfterValidator(_indexable)
]


def _usable(addresses: dict[str, str] | None) -> dict[str, str] | None:
    for kind, value in (addresses or {}).items():
        if problem := address_problem(kind, value):
            raise PydanticCustomError(
                "invalid_address", "The {kind} address {problem}.", {"kind": kind, "problem": problem}
            )
    return addresses


class UserAnswer(Answer):
    """A person as their project sees them."""

    id: UUID
    env: Literal["live", "test"]
    email: str | None
    email_verified_at: Time | None = Field(description="When the person proved that the e-mail is theirs.")
    name: str | None
    avatar_url: str | None
    phone: str | None
    status: Literal["pending", "active", "disabled", "unverified"]
    external_user_id: str | None
    roles: list[str]
    addresses: dict[str, str] = Field(
        description="Channel to address; all of them, and devices, under /users/{id}/addresses."
    )
    metadata: dict[str, Any]
    locale: str | None
    timezone: str | None
    last_seen_at: Time | None
    created_at: Time
    updated_at: Time


def _storable(value: dict[str, Any]) -> dict[str, Any]:
    if found := faults(value):
        raise ValueError(found[0].detail)
    return value


Metadata = Annotated[dict[str, Any], AfterValidator(_storable)]


class UserFields(Body):
    """What may be said of a person; what is left out stays as it is."""

    email: Email | None = None
    name: Name | None = None
    avatar_url: Annotated[Text, StringConstraints(max_length=2_000, pattern=r"^https?://")] | None = None
    phone: Phone | None = None
    external_user_id: ExternalId | None = None
    roles: list[RoleName] | None = Field(None, max_length=50, description="Names; replaces the roles there are.")
    addresses: Annotated[dict[SingleChannel, AddressValue] | None, AfterValidator(_usable)] = Field(
        None, max_length=20, description="Channel to address; replaces the address of each channel named."
    )
    metadata: Metadata | None = None
    locale: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})*$")] | None = None
    timezone: Annotated[Text, StringConstraints(max_length=64)] | None = Field(None, examples=["Europe/Vienna"])
    status: Literal["active", "disabled"] = unsent()


class UserSync(Body):
    users: list[UserFields] = Field(min_length=1, max_length=1_000)


class SyncResult(Answer):
    index: int
    id: UUID
    status: Literal["created", "updated"]


class SyncAnswer(Answer):
    results: list[SyncResult]
    created: int
    updated: int


class Register(Body):
    """Either who the person says they are, or a token in which the project's backend says it."""

    email: Email | None = None
    external_user_id: ExternalId | None = None
    name: Name | None = None
    roles: list[RoleName] = Field([], max_length=20, description="A wish; granted at once only if self-assignable.")
    identity_token: str | None = Field(None, max_length=8_000)


class RegisteredUser(Answer):
    id: UUID | None = Field(description="Null while pending, so that nobody learns which e-mails are known.")
    status: Literal["pending", "active", "unverified"]


class RegisterAnswer(Answer):
    user: RegisteredUser
    claim_token: str | None = None
    tokens: dict[str, Any] | None = None


class Claim(Body):
    claim_token: str = Field(max_length=2_000)


class AddressCreate(Body):
    channel: Channel
    value: AddressValue = Field(
        description="Of a device the token that its app got; of a browser (`webpush`) its subscription as JSON."
    )
    label: Annotated[Text, StringConstraints(min_length=1, max_length=100)] | None = Field(
        None, description="What people call it.", examples=["Ann's phone"]
    )
    verified: bool = Field(
        False,
        description="You have proven that it is the person's, by a code of your own for instance. People cannot say so"
        " of themselves. Said of an address that is there already it is noted, and answered with 200.",
    )


class AddressAnswer(Answer):
    id: UUID
    channel: str
    value: str = Field(description="Of a device only the end.")
    label: str | None
    verified_at: Time | None
    opted_out_at: Time | None = Field(description="Since when the person wants nothing there. Removing it ends that.")
    created_at: Time


def _known(names: Sequence[str]) -> list[str]:
    if strange := unknown(names):
        raise ValueError(f"there is no permission {strange[0]!r}; GET /permissions lists them")
    return sorted(set(names))


class RoleCreate(Body):
    name: RoleName
    description: Annotated[Text, StringConstraints(max_length=1_000)] | None = None
    permissions: Annotated[list[Permission], AfterValidator(_known), Field(default_factory=list, max_length=100)]
    self_assignable: bool = Field(False, description="People who register may take it themselves.")


class RoleUpdate(Body):
    name: RoleName | None = None
    description: Annotated[Text, StringConstraints(max_length=1_000)] | None = None
    permissions: Annotated[list[Permission], AfterValidator(_known), Field(max_length=100)] | None = None
    self_assignable: bool | None = None


class RoleAnswer(Answer):
    id: UUID
    env: EnvName
    name: str
    description: str | None
    permissions: Annotated[list[str], BeforeValidator(sorted)]
    built_in: bool
    self_assignable: bool
    created_at: Time
    updated_at: Time


class PermissionAnswer(Answer):
    name: str
    description: str
