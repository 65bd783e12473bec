"""What Meta says that the owner of a number should see to, found by scheduled checks (C5, W11)."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from tests.inbound.shops import Installed, Shop, make_shop
from tests.pipeline import checked

DEAF = "No app is subscribed to the WhatsApp Business Account, so no status or message will reach us."


@pytest.fixture
def deaf(installed: Installed) -> Iterator[None]:
    """No app is subscribed any more to any account."""
    installed.meta.subscribed = False
    yield
    installed.meta.subscribed = True


async def test_what_checks_find_is_mailed_to_the_owner_once(installed: Installed, shop: Shop) -> None:
    other = await make_shop(installed, "Other")
    known = await health_after_check(installed, shop)
    assert known["warnings"] and DEAF not in known["warnings"] and await mailed(installed, shop) == []
    installed.meta.subscribed = False
    try:
        found = [(await health_after_check(installed, shop))["warnings"] for _ in range(3)]
    finally:
        installed.meta.subscribed = True
    assert found == [sorted([*known["warnings"], DEAF], key=found[0].index)] * 3
    assert await mailed(installed, shop) == [shop.project.email] and await mailed(installed, other) == []
    told = await shop.project.owner.get("/audit", action="connection.warned")
    assert [each["metadata"]["after"]["warnings"] for each in told.json["items"]] == [[DEAF]]
    mended = await health_after_check(installed, shop)
    assert (mended["status"], mended["warnings"]) == ("active", known["warnings"])


async def test_what_a_verification_has_said_is_not_mailed_as_well(installed: Installed, shop: Shop, deaf: None) -> None:
    said = await shop.project.key.post(f"/connections/{shop.number.connection['id']}/verify")
    assert DEAF in said.json["warnings"]
    for _ in range(2):
        assert DEAF in (await health_after_check(installed, shop))["warnings"]
    assert await mailed(installed, shop) == []


async def health_after_check(installed: Installed, shop: Shop) -> Any:
    """The health of the number after one more check of the worker."""
    where = shop.number.connection["id"]
    await checked(installed.sql, where)
    return (await shop.project.key.get(f"/connections/{where}/health")).json


async def mailed(installed: Installed, shop: Shop) -> list[str]:
    query = "SELECT recipient FROM tocsin.mails WHERE project_id = $1 AND kind = 'connection_warned'"
    return [row["recipient"] for row in await installed.sql.fetch(query, UUID(shop.project.id))]
