"""Settings and credentials as a provider's forms take them, and what is wrong with those that were sent."""

from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import SecretStr, ValidationError

from tocsin.channels.contract import Channel, Described
from tocsin.channels.registry import providers, sender
from tocsin.kit.errors import Conflict, FieldError, Invalid
from tocsin.kit.http import Door
from tocsin.kit.mistakes import refusal

D = TypeVar("D", bound=Described)


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a channel needs to send."""

    channel: Channel[Any, Any]
    settings: Described
    credentials: Described

    async def check(self, door: Door) -> None:
        """Refuse what may not be called. Asks name servers: not inside a transaction."""
        if errors := await self.channel.check(self.settings, self.credentials, door):
            raise Invalid(errors)


def connectable(provider: str) -> Channel[Any, Any]:
    """The channel of a new connection. Raises Invalid for a provider that is unknown or needs none."""
    if provider not in providers():
        detail = "There is no such provider; GET /providers lists them."
        raise Invalid([FieldError("/provider", "unknown_provider", detail)])
    try:
        return sender(provider)
    except KeyError:
        detail = "This provider is built in and needs no connection."
        raise Invalid([FieldError("/provider", "provider_built_in", detail)]) from None


def installed(provider: str) -> Channel[Any, Any]:
    """The channel of an existing connection, whose package may be gone by now. Raises Conflict."""
    try:
        return sender(provider)
    except KeyError:
        raise Conflict("provider_missing", "The provider of this connection is not installed any more.") from None


def configured(channel: Channel[Any, Any], settings: dict[str, Any], credentials: dict[str, Any]) -> Configuration:
    """What was sent, as the channel's models read it. Raises Invalid with every mistake."""
    mistakes: list[Any] = []
    read_settings = _read(channel.settings, settings, "settings", mistakes)
    read_credentials = _read(channel.credentials, credentials, "credentials", mistakes)
    if read_settings is None or read_credentials is None:
        raise refusal(mistakes)
    return Configuration(channel, read_settings, read_credentials)


def _read(model: type[D], sent: dict[str, Any], name: str, mistakes: list[Any]) -> D | None:
    try:
        return model.model_validate(sent)
    except ValidationError as error:
        # Without the input: it may be a secret.
        found = error.errors(include_input=False, include_url=False, include_context=False)
        mistakes.extend({**item, "loc": ("body", name, *item["loc"])} for item in found)
        return None


def merged(current: Described | None, sent: dict[str, Any]) -> dict[str, Any]:
    """The current credentials with what was sent; a value that still reads as it was masked counts as not sent."""
    if current is None:
        return sent
    masked = current.masked()
    secret = {name for name, value in current.revealed().items() if masked[name] != value}
    changed = {name: value for name, value in sent.items() if not (name in secret and value == masked[name])}
    return current.revealed() | changed


def check_still_trusted(
    channel: Channel[Any, Any], before: dict[str, Any], wanted: Configuration, sent: dict[str, Any]
) -> None:
    """Refuse to show stored credentials to somebody else than they were given for. Raises Invalid."""
    revealed, masked = wanted.credentials.revealed(), wanted.credentials.masked()
    kept = [name for name, value in revealed.items() if masked[name] != value and sent.get(name) != value]
    after = wanted.settings.revealed()
    moved = [name for name in channel.trusts if before.get(name) != after.get(name)]
    if moved and kept:
        detail = f"Changing {moved[0]} sends the credentials to another place; give them again."
        raise Invalid([FieldError(f"/credentials/{name}", "required", detail) for name in kept])


def proven_by_making(channel: Channel[Any, Any]) -> bool:
    """Whether the credentials are ours to make, so that no provider has to be asked if they are right."""
    return channel.issue() is not None


def main_secret(credentials: Described) -> str:
    """The secret that its owner has to copy from the one answer that shows it: the first of its model."""
    return next(
        value.get_secret_value()
        for name in type(credentials).model_fields
        if isinstance(value := getattr(credentials, name), SecretStr)
    )
