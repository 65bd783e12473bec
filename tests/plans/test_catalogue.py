"""Plans are data: a super admin edits them, and they count from the next call on (Q1)."""

from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import asyncpg
import pytest

from tests.client import Client, Project, sign_up
from tests.operators import Operator, operator
from tests.plans.build import put_on, send
from tests.running import Site

TABLE = {
    "free": (1_000, 5_000, 1_000, 100, 5, 5, 3, 10, 1, 0, 1_000, 50_000_000),
    "starter": (50_000, 100_000, 10_000, 1_000, 20, 25, 10, 50, 5, 5, 10_000, 1_000_000_000),
    "professional": (500_000, 1_000_000, 50_000, 10_000, 100, 100, 50, 200, 25, 25, 100_000, 10_000_000_000),
    "enterprise": (None,) * 12,
}
COLUMNS = (
    "events",
    "notifications",
    "messages",
    "users",
    "teamMembers",
    "rules",
    "sounds",
    "campaigns",
    "bots",
    "webhooks",
    "apiCallsPerHour",
    "storageBytes",
)


@pytest.fixture(scope="module")
def admin(root: Operator) -> Client:
    return root.client


@pytest.fixture
async def plans(admin: Client) -> AsyncIterator[list[Any]]:
    """The catalogue as it can be sent again, put back at the end."""
    shown = (await admin.get("/platform/plans")).json["plans"]
    sent = [{name: value for name, value in plan.items() if name != "currency"} for plan in shown]
    yield [{**plan, "quotas": dict(plan["quotas"])} for plan in sent]
    assert (await admin.put("/platform/plans", {"plans": sent})).status == 200


async def test_the_first_catalogue_is_the_published_table(admin: Client) -> None:
    plans = (await admin.get("/platform/plans")).json["plans"]
    assert [plan["name"] for plan in plans] == list(TABLE)
    for plan in plans:
        assert tuple(plan["quotas"][name] for name in COLUMNS) == TABLE[plan["name"]]
    assert [plan["monthlyPriceCents"] for plan in plans] == [0, 4_900, 19_900, None]
    assert [plan["graceDays"] for plan in plans] == [7] * 4


async def test_each_plan_has_what_the_one_before_it_has(admin: Client) -> None:
    features = [set(plan["features"]) for plan in (await admin.get("/platform/plans")).json["plans"]]
    assert all(less < more for less, more in pairwise(features))


async def test_a_changed_plan_counts_from_the_next_call_on(
    admin: Client, plans: list[Any], api: Client, sql: asyncpg.Connection
) -> None:
    shop = await sign_up(api, "Shop")
    await put_on(sql, shop, "starter")
    assert (await send(shop.key)).status == 202
    plans[1]["quotas"]["events"] = 1
    assert (await admin.put("/platform/plans", {"plans": plans})).status == 200
    assert (await send(shop.key)).status == 429
    plans[1]["quotas"]["events"] = None
    assert (await admin.put("/platform/plans", {"plans": plans})).status == 200
    assert (await send(shop.key)).status == 202


async def test_a_change_stands_in_the_platforms_audit_log(
    admin: Client, plans: list[Any], sql: asyncpg.Connection
) -> None:
    plans[0]["label"] = "Gratis"
    assert (await admin.put("/platform/plans", {"plans": plans})).status == 200
    metadata = await sql.fetchval(
        "SELECT metadata FROM tocsin.audit_log WHERE action = 'plans.changed' ORDER BY id DESC"
    )
    assert '"label":"Free"' in metadata
    assert '"label":"Gratis"' in metadata


async def test_a_plan_in_use_cannot_be_left_out(
    admin: Client, plans: list[Any], api: Client, sql: asyncpg.Connection
) -> None:
    shop = await sign_up(api, "Shop")
    await put_on(sql, shop, "professional")
    refused = await admin.put("/platform/plans", {"plans": [plan for plan in plans if plan["name"] != "professional"]})
    assert (refused.status, refused.code, refused.pointers) == (409, "plan_in_use", ["/plans"])


async def test_a_plan_can_be_added_and_taken_away_again(admin: Client, plans: list[Any]) -> None:
    more = {**plans[1], "name": "club", "label": "Club"}
    added = await admin.put("/platform/plans", {"plans": [*plans, more]})
    assert [plan["name"] for plan in added.json["plans"]][-1] == "club"
    assert [plan["name"] for plan in (await admin.put("/platform/plans", {"plans": plans})).json["plans"]] == list(
        TABLE
    )


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"quotas": {"events": 1}}, "/plans/0/quotas/notifications"),
        ({"features": ["teleport"]}, "/plans/0/features"),
        ({"name": "No Plan"}, "/plans/0/name"),
        ({"graceDays": -1}, "/plans/0/graceDays"),
        ({"monthlyPriceCents": 1.5}, "/plans/0/monthlyPriceCents"),
    ],
)
async def test_nonsense_is_refused_at_its_place(
    admin: Client, plans: list[Any], change: dict[str, Any], pointer: str
) -> None:
    refused = await admin.put("/platform/plans", {"plans": [{**plans[0], **change}, *plans[1:]]})
    assert refused.status == 422
    assert pointer in refused.pointers


async def test_a_plan_named_twice_is_refused(admin: Client, plans: list[Any]) -> None:
    assert (await admin.put("/platform/plans", {"plans": [*plans, plans[0]]})).code == "plan_doubled"


async def test_support_sees_plans_and_changes_none(site: Site, api: Client, plans: list[Any]) -> None:
    support = (await operator(api, site, "support")).client
    assert (await support.get("/platform/plans")).status == 200
    assert (await support.put("/platform/plans", {"plans": plans})).code == "permission_missing"


async def test_a_projects_owner_sees_and_changes_none(acme: Project, plans: list[Any]) -> None:
    assert (await acme.owner.get("/platform/plans")).code == "permission_missing"
    assert (await acme.owner.put("/platform/plans", {"plans": plans})).code == "permission_missing"


async def test_a_plan_that_stays_as_it_is_disturbs_none_of_its_projects(
    admin: Client, plans: list[Any], api: Client, sql: asyncpg.Connection
) -> None:
    told = "SELECT count(*) FROM tocsin.revocations WHERE project_id = $1 AND kind = 'project'"
    shop, club = await sign_up(api, "Shop"), await sign_up(api, "Club")
    await put_on(sql, shop, "starter")
    await put_on(sql, club, "professional")
    before = [await sql.fetchval(told, project.id) for project in (shop, club)]
    plans[1]["quotas"]["rules"] = 26
    assert (await admin.put("/platform/plans", {"plans": plans})).status == 200
    after = [await sql.fetchval(told, project.id) for project in (shop, club)]
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 0]
