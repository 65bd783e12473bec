"""A notification as a message: free words within 24 hours of what the person wrote last, else a template.

https://developers.facebook.com/documentation/business-messaging/whatsapp/messages
"""

import re
from collections.abc import Sequence
from typing import Any, Literal

from tocsin.channels.contract import Message
from tocsin.channels.whatsapp.numbers import is_scoped_id
from tocsin.channels.wording import links, shortened

Word = Literal["title", "message", "link", "project"]
"""What a template's places can be filled with. ``link`` is the acknowledgement's address, else the action's."""

TEXT = 4_096
"""Characters of a free message: .../messages/text-messages"""
PARAMETERS = 1_000
"""Characters of all words that go into a template, whose whole body has 1,024 when it has buttons or a header:
.../templates/components"""

_BLANKS = re.compile(r"\s+")


def envelope(address: str) -> dict[str, Any]:
    """Who gets it: by telephone number, or by the id of somebody whose number is hidden."""
    to = {"recipient": address} if is_scoped_id(address) else {"to": address}
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        **to,
    }


def free(message: Message) -> dict[str, Any]:
    """Title, words and one link, which stays whole whatever has to go."""
    link = _link(message)
    words = f"{message.title}\n{message.message}".strip()
    body = f"{shortened(words, TEXT - len(link) - 1)}\n{link}" if link else shortened(words, TEXT)
    return {"type": "text", "text": {"body": body, "preview_url": False}}


def templated(message: Message, name: str, language: str, places: Sequence[Word]) -> dict[str, Any]:
    """The approved template with words in its places.

    Meta refuses words with line breaks, tabs or more than four blanks in a row, and empty ones.
    """
    texts = _words(message, places)
    parameters = [{"type": "text", "text": text} for text in texts]
    components = [{"type": "body", "parameters": parameters}] if parameters else []
    return {
        "type": "template",
        "template": {"name": name, "language": {"code": language}, "components": components},
    }


def _words(message: Message, places: Sequence[Word]) -> list[str]:
    """The words of each place in one line; where they are too many, the message is cut, then the title."""
    found = {
        "title": _one_line(message.title),
        "message": _one_line(message.message),
        "link": _link(message) or "-",
        "project": shortened(_one_line(message.project_name), 100),
    }
    for long in ("message", "title"):
        room = PARAMETERS - sum(len(found[place]) for place in places if place != long)
        share = max(room // max(places.count(long), 1), 1)
        found[long] = shortened(found[long], share)
    return [found[place] for place in places]


def _one_line(text: str) -> str:
    return _BLANKS.sub(" ", text).strip() or "-"


def _link(message: Message) -> str:
    link = next((url for url, _ in links(message)), "")
    return link if len(link) <= PARAMETERS // 2 else ""
