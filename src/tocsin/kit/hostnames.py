"""Names of hosts: as a request's Host header carries them, and as a project may claim one for itself.

Inside, a name is lower case, without a trailing dot, its labels in ASCII (``xn--...`` where they are not).
"""

import re
import unicodedata
from functools import cache
from ipaddress import ip_address

import idna
from publicsuffixlist import PublicSuffixList

LONGEST = 253

_HEADER = re.compile(rb"([A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*)\.?(?::[0-9]{1,5})?")
_NOT_FOR_DNS = frozenset({"localhost", "local", "onion", "arpa", "invalid"})
"""Top-level names that no public resolver answers for (RFC 6761, 6762, 7686)."""

# Letters of other scripts that look like Latin ones; a label made of nothing else imitates a Latin word.
_CYRILLIC_LIKE_LATIN = frozenset("аbсԁеһіјӏорԛѕԝхуѵѡ")
_GREEK_LIKE_LATIN = frozenset("αγικνορτυχ")
_WRITTEN_TOGETHER = ({"CJK", "HIRAGANA", "KATAKANA"}, {"CJK", "HANGUL"}, {"CJK", "BOPOMOFO"})


class Refused(ValueError):
    """A name that nobody may claim: a stable code, and words that say what to do."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def host_of(header: bytes) -> str | None:
    """The name in a Host header, without its port; None for an address, a single label and what is no name."""
    match = _HEADER.fullmatch(header)
    if match is None:
        return None
    name = match[1].decode().lower()
    if "." not in name or len(name) > LONGEST or name.rpartition(".")[2].isdigit():
        return None
    return name


def lies_under(name: str, base: str) -> bool:
    """Whether a name is the base or a name below it."""
    return name == base or name.endswith(f".{base}")


def claimable(text: str) -> str:
    """The name as it is kept, when it is one that a project can prove to be its own; raises ``Refused``."""
    if "*" in text:
        raise Refused("wildcard", "Name one host; wildcards are not taken.")
    if _is_address(text):
        raise Refused("address", "Name a host, not an IP address.")
    name = _ascii(text)
    labels = name.split(".")
    if len(labels) < 2 or labels[-1] in _NOT_FOR_DNS:
        raise Refused("not_public", "Name a host that the public DNS knows, e.g. alerts.client.com.")
    if labels[-1].isdigit():
        raise Refused("address", "Name a host, not an IP address.")
    for label in labels:
        _check_look(label)
    registered = _suffixes().privatesuffix(name)
    if registered is None:
        raise Refused("public_suffix", "Others register names under this one, so nobody can own it.")
    if registered == name:
        raise Refused("bare_domain", f"A bare domain cannot have a CNAME; name a host below it, e.g. alerts.{name}.")
    return name


def readable(name: str) -> str:
    """The name as people write it, with its letters beyond ASCII."""
    return idna.decode(name)


def _is_address(text: str) -> bool:
    try:
        ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True


def _ascii(text: str) -> str:
    """Labels in ASCII by UTS 46 and IDNA 2008: full-width letters, capitals and other dots mean what they look like."""
    try:
        name = idna.encode(text, uts46=True, std3_rules=True).decode()
    except idna.IDNAError:
        raise Refused("not_a_name", "This is no host name, e.g. alerts.client.com.") from None
    if name.endswith("."):
        raise Refused("trailing_dot", "Leave out the dot at the end.")
    if not name or len(name) > LONGEST:
        raise Refused("not_a_name", "This is no host name, e.g. alerts.client.com.")
    return name


def _check_look(label: str) -> None:
    """Refuse a label that mixes scripts, or whose letters all look like Latin ones without being any."""
    if not label.startswith("xn--"):
        return
    letters = [letter for letter in idna.ulabel(label) if unicodedata.category(letter)[0] == "L"]
    scripts = {unicodedata.name(letter, "UNKNOWN").split()[0] for letter in letters}
    together = len(scripts) <= 1 or any(scripts <= written for written in _WRITTEN_TOGETHER)
    imitates = bool(letters) and any(set(letters) <= alike for alike in (_CYRILLIC_LIKE_LATIN, _GREEK_LIKE_LATIN))
    if not together or imitates:
        raise Refused("look_alike", "This name looks like another one; use letters of one script.")


@cache
def _suffixes() -> PublicSuffixList:
    """The list of the Mozilla project as its package carries it; unknown top-level names count as suffixes."""
    return PublicSuffixList()
