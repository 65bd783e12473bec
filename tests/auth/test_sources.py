"""From where a call comes, and whether it may (A3)."""

import asyncpg
import pytest

from tests.client import Client, Project
from tests.sources import come_from
from tocsin.auth.source import lies_within, networks, source_of


async def test_a_forged_header_from_an_untrusted_peer_is_ignored(acme: Project) -> None:
    _, caller = await acme.new_key("users:read", "events:write", allowedIps=["203.0.113.0/24"])
    forged = caller.with_headers(X_Forwarded_For="203.0.113.9")
    assert (await forged.get("/users")).code == "ip_not_allowed"
    assert (await forged.post("/events", {"type": "a.b", "payload": {}})).code == "ip_not_allowed"


async def test_behind_a_trusted_proxy_the_client_is_whom_it_names(acme: Project, behind: Client) -> None:
    _, caller = await acme.new_key("users:read", "events:write", allowedIps=["203.0.113.0/24"])
    event = {"type": "a.b", "payload": {}}
    for address, status in (("203.0.113.9", 200), ("198.51.100.9", 403), ("203.0.113.9, 198.51.100.9", 403)):
        there = come_from(caller, address, behind)
        assert (await there.get("/users")).status == status
        assert (await there.post("/events", event)).status == (202 if status == 200 else 403)
    assert (await caller.at(behind).get("/users")).code == "ip_not_allowed"


async def test_the_audit_log_names_the_client_and_not_the_proxy(
    acme: Project, behind: Client, sql: asyncpg.Connection
) -> None:
    there = come_from(acme.owner, "203.0.113.77, 10.1.2.3", behind)
    made = await there.post("/projects/me/api-keys", {"name": "n", "permissions": []})
    address = await sql.fetchval("SELECT ip_address FROM tocsin.audit_log WHERE resource_id = $1", made.json["id"])
    assert address == "203.0.113.77"


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("10.0.0.1", True),
        ("::ffff:10.0.0.1", True),
        ("2002:a00:1::", False),
        ("64:ff9b::a00:1", False),
        ("11.0.0.1", False),
        ("fe80::1%eth0", True),
        ("nonsense", False),
        (None, False),
    ],
)
def test_only_an_address_that_is_in_a_list_lies_within_it(address: str | None, inside: bool) -> None:
    assert lies_within(address, networks(["10.0.0.0/8", "fe80::/10"])) is inside


def test_a_source_is_as_much_of_an_address_as_one_party_holds() -> None:
    assert source_of("203.0.113.9") == source_of("203.0.113.200") == "203.0.113.0/24"
    assert source_of("2001:db8::1") == source_of("2001:db8::ffff:1") == "2001:db8::/64"
    assert source_of("2001:db8:0:1::1") != source_of("2001:db8::1")
    assert source_of("::ffff:203.0.113.9") == "203.0.113.0/24"
