"""Words of a message as chat tools and phones show them."""

from tocsin.channels.contract import Message


def shortened(text: str, most: int) -> str:
    """At most so many characters, the last one an ellipsis where something is missing."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def links(message: Message) -> list[tuple[str, str]]:
    """Where a message leads, and what to call that: to its acknowledgement first, then to its action."""
    found = [(message.ack_url, "Acknowledge")] if message.ack_url else []
    if message.action:
        found.append((message.action.url, message.action.label or "Open"))
    return found
