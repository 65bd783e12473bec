"""Lists of addresses that may call."""

from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, Field


def _normal(entries: list[str]) -> list[str]:
    return [str(ip_network(entry, strict=False)) for entry in entries]


AllowedNetworks = Annotated[
    list[Annotated[str, Field(max_length=50)]],
    AfterValidator(_normal),
    Field(max_length=100, description="Addresses or networks; empty allows all.", examples=[["203.0.113.0/24"]]),
]
