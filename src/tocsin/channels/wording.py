"""Words of a message as chat tools and phones show them."""

import re

from tocsin.channels.contract import Message

_WEB = re.compile(r"https?://[^\s/?#]\S*")


def shortened(text: str, most: int) -> str:
    """At most so many characters, the last one an ellipsis where something is missing."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def links(message: Message) -> list[tuple[str, str]]:
    """Where a message leads, and what to call that: to its acknowledgement first, then to its action."""
    found = [(message.ack_url, "Acknowledge")] if message.ack_url else []
    if message.action:
        found.append((message.action.url, message.action.label or "Open"))
    return found


def leads_to_web(url: str) -> bool:
    """Whether it is an absolute address of http or https; some chat tools refuse a whole message for any other."""
    return _WEB.fullmatch(url) is not None
