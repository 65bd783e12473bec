"""What no log and no metric may ever hold (P21): whatever the whole suite sends through the product is looked for.

Secrets are known by their shape, so those of tomorrow's tests are found too; words that people write, by the marks
that tests put into them.
"""

import re

from tests.client import PASSWORD
from tests.connections import build

_SECRETS = (
    rb"sk_(live|test)_\w{20}",
    rb"is_(live|test)_\w{20}",
    rb"rt_[\w-]{40}",
    rb"lk_[\w-]{40}",
    rb"lt_[\w-]{38}",
    rb"whsec_[\w+/]{16}",
    rb"\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}",
    rb"\bBearer [\w.-]{10}",
    rb"\$argon2id?\$",
    rb"\$2[aby]\$\d\d\$",
)
_WORDS = (
    rb"canary[0-9a-f]{12}",
    rb"[\w.+-]+@[\w-]+\.example\b",
    rb"[\w.+-]+@example\.com",
    re.escape(PASSWORD.encode()),
    re.escape(build.PASSWORD.encode()),
)
SPILT = re.compile(b"|".join(_SECRETS + _WORDS))


def spilt(text: bytes) -> list[str]:
    """The secrets and personal words in a log or in metrics, each with the line that it stands in."""
    return [f"{found[0].decode(errors='replace')} in: {_line(text, found.start())}" for found in SPILT.finditer(text)]


def _line(text: bytes, position: int) -> str:
    end = text.find(b"\n", position)
    return text[text.rfind(b"\n", 0, position) + 1 : end if end >= 0 else None].decode(errors="replace")[:400]
