"""Connections that the operator gives in the environment: the last resort of every project (C4)."""

from tocsin.channels.registry import sender
from tocsin.channels.smtp import from_url
from tocsin.connections.choose import PlatformDefault
from tocsin.mail.stage import MailServer
from tocsin.settings import Settings


def platform_defaults(settings: Settings) -> dict[str, PlatformDefault]:
    """The platform's default connection of each channel that has one.

    Raises ValueError, naming the setting, for an address that cannot be used.
    """
    server = mail_server(settings)
    return {"email": PlatformDefault(sender("smtp"), *server)} if server else {}


def mail_server(settings: Settings) -> MailServer | None:
    """The account that the platform's own mail leaves by; None where none is set. Raises like the above."""
    if settings.smtp_url is None:
        return None
    try:
        return MailServer(*from_url(settings.smtp_url.get_secret_value()))
    except ValueError as error:
        raise ValueError(f"TOCSIN_SMTP_URL is not usable: {error}") from None
