"""What the installation says of itself to everybody."""

from ipaddress import IPv4Network, IPv6Network
from typing import cast

from fastapi import Request
from pydantic import Field

from tocsin.auth.guard import guarded_router, public
from tocsin.kit.schema import Answer
from tocsin.settings import Settings

router = guarded_router(tags=["machine"])


class EgressAnswer(Answer):
    addresses: list[str] = Field(
        description="Addresses and networks; empty where the operator has not said.", examples=[["198.51.100.7"]]
    )


@router.get("/meta/egress-addresses", operation_id="list_egress_addresses")
@public
async def list_egress_addresses(request: Request) -> EgressAnswer:
    """The addresses that our calls come from, for the allow-lists of those whom we call (H3)."""
    settings = cast(Settings, request.app.state.settings)
    return EgressAnswer(addresses=[_plain(network) for network in settings.egress_addresses])


def _plain(network: IPv4Network | IPv6Network) -> str:
    """A network of one address is shown as that address."""
    return str(network.network_address) if network.num_addresses == 1 else str(network)
