"""The public key for browsers, as whoever may have their own reads it (C9). Two projects."""

from typing import Any

import pytest

from tests.client import Client, Project, sign_up
from tests.operators import operator
from tests.people import join
from tests.running import Site

SETTINGS = {"subject": "mailto:ops@acme.example.com"}


@pytest.fixture
async def shop(api: Client) -> Project:
    return await sign_up(api, "Shop")


async def connected(caller: Client, path: str = "/connections", **fields: Any) -> Any:
    reply = await caller.post(path, {"provider": "webpush", "name": "Browsers", "settings": SETTINGS, **fields})
    assert reply.status == 201, reply.json
    return reply.json


async def told(caller: Client) -> tuple[str | None, str]:
    reply = await caller.get("/web-push")
    assert reply.status == 200, reply.json
    return reply.json["publicKey"], reply.json["reason"]


async def test_somebody_with_own_things_alone_reads_the_key_and_no_more(api: Client, shop: Project) -> None:
    ann = (await join(api, shop)).client
    assert await told(ann) == (None, "no connection for webpush")
    made = await connected(shop.key)
    assert await told(ann) == (made["credentials"]["vapidPublic"], "the project's")
    seen = (await ann.get("/web-push")).json
    assert set(seen) == {"publicKey", "reason"} and made["secret"] not in str(seen)
    assert (await ann.get(f"/connections/{made['id']}")).status == 404


async def test_another_projects_key_is_not_seen(api: Client, shop: Project, rival: Project) -> None:
    await connected(shop.key)
    for caller in (rival.owner, rival.key, (await join(api, rival)).client):
        assert await told(caller) == (None, "no connection for webpush")
    assert (await rival.owner.with_headers(X_Tenant_Id=shop.id).get("/web-push")).status in (403, 404)


async def test_it_is_the_key_of_the_connection_that_sends(api: Client, shop: Project) -> None:
    projects = await connected(shop.key)
    ann, ben = (await join(api, shop)).client, (await join(api, shop)).client
    own = await connected(ann)
    assert (await told(ann))[0] == own["credentials"]["vapidPublic"]
    assert (await told(ben))[0] == (await told(shop.key))[0] == projects["credentials"]["vapidPublic"]
    rotated = await shop.key.post(f"/connections/{projects['id']}/rotate")
    assert (await told(ben))[0] == rotated.json["credentials"]["vapidPublic"] != projects["credentials"]["vapidPublic"]
    stopped = await shop.owner.send("PATCH", f"/connections/{projects['id']}/suspend", {"reason": "Too loud"})
    assert stopped.status == 200
    assert await told(ben) == (None, "no active connection for webpush: suspended")


async def test_of_what_the_platform_lends_the_key_is_known_unless_it_is_declined(
    api: Client, site: Site, shop: Project
) -> None:
    chief = await operator(api, site)
    lent = await connected(chief.client, "/platform/connections")
    try:
        assert await told(shop.owner) == (lent["credentials"]["vapidPublic"], "the platform's default")
        assert (await shop.owner.put("/projects/me/settings", {"connections": {"usePlatform": False}})).status == 200
        assert await told(shop.owner) == (None, "no connection for webpush")
    finally:
        assert (await chief.client.delete(f"/platform/connections/{lent['id']}")).status == 204


async def test_the_public_key_of_an_app_alone_opens_nothing(shop: Project) -> None:
    assert (await shop.app.get("/web-push")).status == 401
