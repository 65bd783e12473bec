"""An installation that has names: a base domain, a public name, and a DNS server for the domains of projects."""

from dataclasses import dataclass
from typing import Any

import asyncpg

from tests.client import Client, Project, Reply
from tests.nameserver import Nameserver
from tests.running import Site

BASE = "tocsin.example.com"
PUBLIC = "alerts.tocsin-cloud.example"


@dataclass
class Hosted:
    """Two API processes over one database, and the world's DNS."""

    site: Site
    api: Client
    other: Client
    """The second process: what one is told, it must hear of."""
    dns: Nameserver
    sql: asyncpg.Connection


def at(caller: Client, host: str) -> Client:
    """The caller under another host name."""
    return caller.with_headers(Host=host)


async def claim(project: Project, domain: str) -> Any:
    """A claim of a domain, as the API shows it."""
    reply = await project.owner.post("/projects/me/domain", {"domain": domain})
    assert reply.status == 201, reply.json
    return reply.json


def publish(dns: Nameserver, claimed: Any) -> None:
    """Set both records of a claim."""
    for record in claimed["records"]:
        dns.set(record["name"], record["type"], record["value"])


async def prove(hosted: Hosted, project: Project, domain: str) -> Reply:
    """A domain of the project, claimed, published and verified."""
    publish(hosted.dns, await claim(project, domain))
    reply = await project.owner.post("/projects/me/domain/verify")
    assert reply.status == 200, reply.json
    return reply
