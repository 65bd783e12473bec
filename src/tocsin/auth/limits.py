"""How often a caller may call, as its key and its project's plan say (A3, section 10 of the plans)."""

from collections.abc import Mapping
from dataclasses import dataclass

from tocsin.kit.db import Env

HOUR = 3600
SECOND = 1


@dataclass(frozen=True, slots=True)
class Limit:
    """``quota`` calls in each window of ``seconds``, counted for one subject of the caller's project.

    ``policy`` is its name in the ``RateLimit`` headers.
    """

    policy: str
    subject: str
    quota: int
    seconds: int


def limits_of(env: Env, calls_per_hour: int | None) -> tuple[Limit, ...]:
    """The share of the plan, for callers with a token. Test calls are counted apart, so they cost live ones nothing."""
    return () if calls_per_hour is None else (Limit("hour", env, calls_per_hour, HOUR),)


def limits_of_key(
    env: Env, key_id: object, rate_limit: Mapping[str, int | None] | None, calls_per_hour: int | None, *, public: bool
) -> tuple[Limit, ...]:
    """``rate_limit`` is what the key holds: ``perSecond`` and ``perHour``.

    The narrowest comes first, so that a call which one of them refuses takes nothing from the wider ones. Calls with a
    public key alone are counted apart: anybody may make them, and must not use up the backend's.
    """
    rates = rate_limit or {}
    apart = ":public" if public else ""
    stated = (
        ("key-second", f"{key_id}{apart}", rates.get("perSecond"), SECOND),
        ("key-hour", f"{key_id}{apart}", rates.get("perHour"), HOUR),
        ("hour", f"{env}{apart}", calls_per_hour, HOUR),
    )
    return tuple(
        [Limit(policy, subject, quota, seconds) for policy, subject, quota, seconds in stated if quota is not None]
    )
