"""Connections that the operator gives in the environment: the last resort of every project (C4)."""

from tocsin.channels.registry import sender
from tocsin.channels.smtp import from_url
from tocsin.connections.choose import PlatformDefault
from tocsin.settings import Settings


def platform_defaults(settings: Settings) -> dict[str, PlatformDefault]:
    """The platform's default connection of each channel that has one.

    Raises ValueError, naming the setting, for an address that cannot be used.
    """
    if settings.smtp_url is None:
        return {}
    try:
        smtp_settings, credentials = from_url(settings.smtp_url.get_secret_value())
    except ValueError as error:
        raise ValueError(f"TOCSIN_SMTP_URL is not usable: {error}") from None
    return {"email": PlatformDefault(sender("smtp"), smtp_settings, credentials)}
