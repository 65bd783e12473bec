"""What is to be imported: accounts at providers with their places, and for whom."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Field, StringConstraints, ValidationError

from tocsin.channels.contract import Channel, Inbound
from tocsin.connections.configuration import Configuration, configured, connectable
from tocsin.connections.destination_routes import MOST, DestinationCreate
from tocsin.connections.schemas import Name
from tocsin.kit.errors import FieldError, Invalid
from tocsin.kit.mistakes import refusal
from tocsin.kit.schema import Body, Text

MOST_BYTES = 4 * 1024 * 1024
"""Of a file."""


Shape = TypeVar("Shape", bound=BaseModel)


class BadInput(Exception):
    """What was given cannot be imported. ``mistakes`` say where and what to do, and repeat no value."""

    def __init__(self, *mistakes: str) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class GivenConnection(Body):
    """A connection as an export has it."""

    provider: Annotated[Text, StringConstraints(min_length=1, max_length=63)]
    name: Name | None = None
    settings: dict[str, Any] = Field({})
    credentials: dict[str, Any]
    verify_token: Annotated[Text, StringConstraints(pattern=r"^[!-~]{8,200}$")] | None = None
    destinations: list[DestinationCreate] = Field([], max_length=MOST)


@dataclass(frozen=True, slots=True)
class Account:
    """An account at a provider. ``settings`` and ``credentials`` are what was given and no more: of a connection that
    is there already, the rest stays."""

    id: str
    configuration: Configuration
    settings: dict[str, Any]
    credentials: dict[str, Any]
    places: tuple[DestinationCreate, ...]
    name: str | None
    verify_token: str | None

    @property
    def channel(self) -> Channel[Any, Any]:
        return self.configuration.channel


Source = Literal["env", "export"]


@dataclass(frozen=True, slots=True)
class Part:
    """Accounts for ``project``, for each of its ``admins``, or for the person of an e-mail address."""

    whose: str
    accounts: tuple[Account, ...]


def read_account(given: Any) -> Account:
    """An account that was given as ``GivenConnection``. Raises Invalid with every mistake."""
    return account_of(checked(GivenConnection, given))


def checked(shape: type[Shape], given: Any) -> Shape:
    """What was given in this shape. Raises Invalid with every mistake."""
    try:
        return shape.model_validate(given)
    except ValidationError as error:
        # Without the input: it may be a secret.
        found = error.errors(include_input=False, include_url=False, include_context=False)
        raise refusal([{**item, "loc": ("body", *item["loc"])} for item in found]) from None


def account_of(given: GivenConnection) -> Account:
    """Raises Invalid for what the provider does not take, or cannot be imported."""
    channel = connectable(given.provider)
    configuration = configured(channel, given.settings, given.credentials)
    if errors := [*_misplaced(channel, given), *_untold(channel, given)]:
        raise Invalid(errors)
    id_ = channel.account_in(configuration.settings, configuration.credentials)
    if id_ is None:
        detail = "Connections of this provider cannot be imported; make them with POST /connections."
        raise Invalid([FieldError("/provider", "not_importable", detail)])
    return Account(
        id=id_,
        configuration=configuration,
        settings=given.settings,
        credentials=given.credentials,
        places=tuple(given.destinations),
        name=given.name,
        verify_token=given.verify_token,
    )


def _misplaced(channel: Channel[Any, Any], given: GivenConnection) -> list[FieldError]:
    errors = []
    for number, place in enumerate(given.destinations):
        if problem := channel.address_problem(place.address):
            pointer = f"/destinations/{number}/address"
            errors.append(FieldError(pointer, "invalid_address", f"{problem[:1].upper()}{problem[1:]}."))
        if place.name in [before.name for before in given.destinations[:number]]:
            errors.append(FieldError(f"/destinations/{number}/name", "doubled", "This name is there twice."))
    return errors


def _untold(channel: Channel[Any, Any], given: GivenConnection) -> list[FieldError]:
    if given.verify_token is None or (isinstance(channel, Inbound) and channel.shows_secret):
        return []
    return [FieldError("/verifyToken", "unknown_field", "This provider is told no verify token.")]
