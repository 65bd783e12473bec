"""The list of providers: ours, one line each, and those of installed packages."""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from tocsin.channels.apns import Apns
from tocsin.channels.apprise import Apprise
from tocsin.channels.contract import Changeable, Channel, Provider
from tocsin.channels.discord import Discord
from tocsin.channels.discord_bot import DiscordBot
from tocsin.channels.fcm import Fcm
from tocsin.channels.http import Http
from tocsin.channels.ntfy import Ntfy
from tocsin.channels.pusher import Pusher
from tocsin.channels.realtime import Realtime
from tocsin.channels.slack import Slack
from tocsin.channels.sms import Sms
from tocsin.channels.smtp import Smtp
from tocsin.channels.teams import Teams
from tocsin.channels.telegram import Telegram
from tocsin.channels.webhook import Webhook
from tocsin.channels.webpush import WebPush
from tocsin.channels.whatsapp import WhatsApp

ENTRY_POINTS = "tocsin.channels"

_OURS: tuple[type[Provider], ...] = (
    Apns,
    Apprise,
    Discord,
    DiscordBot,
    Fcm,
    Http,
    Ntfy,
    Pusher,
    Realtime,
    Slack,
    Sms,
    Smtp,
    Teams,
    Telegram,
    Webhook,
    WebPush,
    WhatsApp,
)


class BadChannel(Exception):
    """An installed package offers a channel that cannot be used; the process should not start with it."""


@cache
def providers() -> Mapping[str, Provider]:
    """Every provider by name, read once per process. Raises BadChannel."""
    return load()


def sender(provider: str) -> Channel[Any, Any]:
    """The channel that sends for a provider. Raises KeyError for an unknown or instant one."""
    found = providers()[provider]
    if not isinstance(found, Channel):
        raise KeyError(provider)
    return found


def load() -> dict[str, Provider]:
    """Ours first, then every package's; a name belongs to whoever had it first. Raises BadChannel."""
    found: dict[str, Provider] = {kind.provider: kind() for kind in _OURS}
    for point in entry_points(group=ENTRY_POINTS):
        foreign = _foreign(point)
        if foreign.provider in found:
            raise BadChannel(f"{point.value}: the provider {foreign.provider!r} exists already")
        found[foreign.provider] = foreign
    return found


def _foreign(point: EntryPoint) -> Channel[Any, Any]:
    try:
        kind = point.load()
    except (ImportError, AttributeError) as error:
        raise BadChannel(f"{point.value}: cannot be imported: {error}") from error
    if not (isinstance(kind, type) and issubclass(kind, Channel)):
        raise BadChannel(f"{point.value}: is not a subclass of tocsin.channels.contract.Channel")
    try:
        channel = kind()
        channel.describe()
    except (TypeError, AttributeError) as error:
        raise BadChannel(f"{point.value}: lacks a part of the contract: {error}") from error
    return channel


@cache
def kinds() -> Mapping[str, Provider]:
    """One provider for each channel that rules may name: what it reaches and whether it is instant.

    Providers of the same channel agree in both, and in whether each address gets the message.
    """
    return {provider.channel: provider for provider in reversed(list(providers().values()))}


@cache
def device_kinds() -> Mapping[str, Channel[Any, Any]]:
    """The kinds of address of which a person has several, and who sends to each of them."""
    return {
        provider.address_kind: provider
        for provider in reversed(list(providers().values()))
        if isinstance(provider, Channel) and provider.each_address and provider.address_kind
    }


@cache
def changeable() -> list[str]:
    """The channels whose messages may be changed after they were sent, over a provider at least."""
    return sorted({each.channel for each in providers().values() if isinstance(each, Changeable)})
