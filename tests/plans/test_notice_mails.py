"""80 and 100 percent are mailed to the billing contact, once each (Q2)."""

import asyncio
from typing import Any

import pytest

from tests.client import Client, Project
from tests.mail.mailbox import text_of
from tests.mail.posted import Posted
from tests.operators import operator
from tests.pipeline import until
from tests.plans.build import in_force, put_on, send_batch

WARNING, EXCEEDED = "80 percent of the", "All events of"


@pytest.fixture
async def shop(posted: Posted) -> Project:
    return await posted.sign_up("Shop")


@pytest.fixture
async def rival(posted: Posted) -> Project:
    return await posted.sign_up("Rival")


async def limit(posted: Posted, project: Project, events: int, **overrides: Any) -> None:
    await put_on(posted.sql, project, "free", quotas={"events": events}, **overrides)
    await in_force()


async def contact(caller: Client, address: str | None) -> None:
    reply = await caller.put("/projects/me/settings", {"billingEmail": address})
    assert (reply.status, reply.json["billingEmail"]) == (200, address)


async def quota_mails(posted: Posted, project: Project, count: int = 0) -> list[tuple[str, str]]:
    """Kind and address of each mail about a quota, once so many have left."""

    async def look() -> list[Any]:
        rows = await posted.sql.fetch(
            "SELECT kind, recipient, state FROM tocsin.mails WHERE project_id = $1 AND kind LIKE 'quota%' ORDER BY id",
            project.id,
        )
        return rows if sum(row["state"] == "sent" for row in rows) >= count else []

    rows = await until(look) if count else await look()
    return [(row["kind"], row["recipient"]) for row in rows]


async def test_each_mark_is_mailed_once_to_the_contact_of_its_project(
    posted: Posted, shop: Project, rival: Project
) -> None:
    await contact(shop.owner, "money@shop.example")
    await contact(rival.owner, "money@rival.example")
    await limit(posted, shop, 5)
    await limit(posted, rival, 50)
    await send_batch(rival.key, *[None] * 10)
    await send_batch(shop.key, *[None] * 4)
    warning = text_of(await posted.boxes.next("money@shop.example", WARNING))
    assert "has used 4 of the 5 events" in " ".join(warning.split())
    assert await quota_mails(posted, shop) == [("quota_warning", "money@shop.example")]
    await asyncio.gather(*(send_batch(shop.key, None, None) for _ in range(5)))
    exceeded = text_of(await posted.boxes.next("money@shop.example", EXCEEDED))
    assert "00:00 UTC further events are refused" in " ".join(exceeded.split())
    await send_batch(shop.key, None)
    assert await quota_mails(posted, shop, 2) == [
        ("quota_warning", "money@shop.example"),
        ("quota_exceeded", "money@shop.example"),
    ]
    assert posted.boxes.of("money@shop.example") == []
    assert await quota_mails(posted, rival) == []
    assert posted.boxes.of("money@rival.example") == []


async def test_the_mail_says_so_where_the_project_goes_on(posted: Posted, shop: Project) -> None:
    await contact(shop.owner, "overdrawn@shop.example")
    await limit(posted, shop, 1, overage=True)
    await send_batch(shop.key, None, None)
    said = text_of(await posted.boxes.next("overdrawn@shop.example", EXCEEDED))
    assert "what is over is counted" in " ".join(said.split())


async def test_without_a_contact_the_owner_hears_of_it(posted: Posted, shop: Project, rival: Project) -> None:
    """Taken back, the contact of before hears nothing either."""
    await contact(shop.owner, "former@shop.example")
    await contact(shop.owner, None)
    await posted.member(shop, "second@shop.example", "owner")
    await limit(posted, shop, 1)
    await send_batch(shop.key, None)
    assert {address for _, address in await quota_mails(posted, shop, 2)} == {shop.email}
    assert await quota_mails(posted, rival) == []


async def test_after_the_owner_an_admin_hears_of_it(posted: Posted, shop: Project) -> None:
    for place, roles in (("agent", ["agent"]), ("admin", ["admin"]), ("later", ["admin"])):
        await posted.member(shop, f"{place}-{shop.slug}@shop.example", *roles)
    await posted.sql.execute(
        "UPDATE tocsin.users SET status = 'disabled' WHERE project_id = $1 AND email = $2", shop.id, shop.email
    )
    await limit(posted, shop, 1)
    await send_batch(shop.key, None)
    assert {address for _, address in await quota_mails(posted, shop, 2)} == {f"admin-{shop.slug}@shop.example"}


async def test_billing_sets_the_contact_of_one_project_on_both_records(
    posted: Posted, shop: Project, rival: Project
) -> None:
    billing = (await operator(posted.api, posted.site, "billing")).client
    changed = await billing.put(f"/platform/projects/{shop.id}", {"billingEmail": "Books@shop.example"})
    assert (changed.status, changed.json["billingEmail"]) == (200, "books@shop.example")
    assert (await billing.get(f"/platform/projects/{rival.id}")).json["billingEmail"] is None
    read = [(await each.owner.get("/projects/me/settings")).json["billingEmail"] for each in (shop, rival)]
    assert read == ["books@shop.example", None]
    rows = await posted.sql.fetch(
        "SELECT metadata->'before'->>'billingEmail', metadata->'after'->>'billingEmail' FROM tocsin.audit_log"
        " WHERE action = 'project.updated' AND resource_id = $1",
        shop.id,
    )
    assert [tuple(row) for row in rows] == [(None, "books@shop.example")] * 2
    await limit(posted, shop, 1)
    await send_batch(shop.key, None)
    assert {address for _, address in await quota_mails(posted, shop, 2)} == {"books@shop.example"}


async def test_a_contact_that_is_no_address_is_refused(posted: Posted, shop: Project) -> None:
    billing = (await operator(posted.api, posted.site, "billing")).client
    refused = await billing.put(f"/platform/projects/{shop.id}", {"billingEmail": "books"})
    assert (refused.status, refused.pointers) == (422, ["/billingEmail"])
