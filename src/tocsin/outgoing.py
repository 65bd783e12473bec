"""The door of a process, as its settings have it."""

from tocsin.kit.http import Door
from tocsin.settings import Settings


def outgoing_door(settings: Settings) -> Door:
    """The one way out of a process, to be opened inside its loop."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    own = [settings.public_url] if settings.public_url else []
    own += [f"http://{host}:{settings.port}"] if settings.port else []
    proxy = settings.outgoing_proxy
    return Door(
        allowed=settings.allow_private_targets,
        own=own,
        own_networks=settings.egress_addresses,
        own_domain=settings.base_domain,
        proxy=proxy.get_secret_value() if proxy else None,
    )
