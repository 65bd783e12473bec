"""How people are named: by a telephone number, or by the id that stands for one whose number is hidden.

https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids
"""

import re

_NUMBER = re.compile(r"\+?[1-9][0-9]{6,14}")
_SCOPED = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")


def is_number(address: str) -> bool:
    """``+436601234567``, or the same without the plus, as Meta writes it."""
    return _NUMBER.fullmatch(address) is not None


def is_scoped_id(address: str) -> bool:
    """``US.13491208655302741918``: a business-scoped user id, good for one business portfolio."""
    return _SCOPED.fullmatch(address) is not None


def known_as(address: str) -> tuple[str, ...]:
    """Every name that Meta may give to the person at this address, the likeliest first.

    Brazil, Mexico and Argentina have mobile numbers with one more digit, which is written or not; WhatsApp knows a
    person by the form in which the account was registered.
    """
    if is_scoped_id(address):
        return (address,)
    digits = address.removeprefix("+")
    return (digits, *_other_forms(digits))


def _other_forms(digits: str) -> tuple[str, ...]:
    for country, area, extra in (("55", 2, "9"), ("52", 0, "1"), ("54", 0, "9")):
        if not digits.startswith(country):
            continue
        at = len(country) + area
        if len(digits) == at + len(extra) + _LOCAL[country] and digits[at:].startswith(extra):
            return (digits[:at] + digits[at + len(extra) :],)
        if len(digits) == at + _LOCAL[country]:
            return (digits[:at] + extra + digits[at:],)
    return ()


_LOCAL = {"55": 8, "52": 10, "54": 10}
"""Digits that follow the one that may be missing."""
