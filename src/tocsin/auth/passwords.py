"""Passwords: argon2id with OWASP's small profile, off the event loop, at most two at a time.

Profile: 19 MiB, 2 passes, 1 lane (OWASP Password Storage Cheat Sheet). An unknown account costs the same
as a wrong password, so neither body nor time tells which e-mails exist.
"""

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from tocsin.kit.errors import Unavailable

MIN_LENGTH = 8
MAX_LENGTH = 256
_WAITING_AT_MOST = 64

Result = TypeVar("Result")

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")
_waiting = 0
_unknown_account = _hasher.hash("an account that does not exist")


async def hash_password(password: str) -> str:
    return await _in_pool(_hasher.hash, _normal(password))


async def matches(password: str, hashed: str | None) -> bool:
    """Whether the password fits; None stands for an unknown account and takes as long."""
    return await _in_pool(_verify, _normal(password), hashed or _unknown_account) and hashed is not None


def _verify(password: str, hashed: str) -> bool:
    try:
        return _hasher.verify(hashed, password)
    except (VerifyMismatchError, InvalidHashError):
        return False


def _normal(password: str) -> str:
    """The same characters typed on another system are the same password."""
    return unicodedata.normalize("NFC", password)


async def _in_pool(work: Callable[..., Result], *args: object) -> Result:
    global _waiting
    if _waiting >= _WAITING_AT_MOST:
        raise Unavailable("busy", "Too many sign-ins at the moment; try again in a second.")
    _waiting += 1
    try:
        return await asyncio.get_running_loop().run_in_executor(_pool, work, *args)
    finally:
        _waiting -= 1
