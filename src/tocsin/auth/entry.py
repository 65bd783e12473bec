"""The step every authenticated call takes next, whichever door it came through: from where, and how often?"""

from collections.abc import MutableMapping
from typing import Any

from tocsin.auth.principal import Principal
from tocsin.auth.rates import Rates
from tocsin.auth.source import check_address

CALLER = "tocsin.caller"
"""Where a request's scope carries its principal, once known, for the edge to count."""


async def enter(caller: Principal, rates: Rates, scope: MutableMapping[str, Any]) -> None:
    """Raises Forbidden from an address that is not allowed, TooManyRequests beyond a limit.

    Callers without lists and limits, which is most of them, pay two looks at their principal.
    """
    scope[CALLER] = caller
    if caller.allowed_from:
        client = scope.get("client")
        check_address(client[0] if client else None, *caller.allowed_from)
    if caller.limits:
        await rates.charge(caller, scope)
