"""Which topics there are: for the project with counts, for a person those that may reach them."""

from tests.client import Client, Project
from tests.people import join
from tests.pipeline import make_rule


async def test_the_project_sees_all_with_counts_and_a_person_their_own_with_what_they_chose(
    api: Client, acme: Project, rival: Project
) -> None:
    ann = await join(api, acme)
    await make_rule(acme, "realtime", targetUsers=[ann.id], topic="orders")
    await make_rule(acme, "realtime", targetRoles=["owner"], topic="orders", active=False)
    await make_rule(acme, "realtime", targetRoles=["owner"], topic="layoffs")
    await make_rule(rival, "realtime", targetRoles=["owner"], topic="theirs")
    wish = {"muted": True, "channels": ["email"], "ignoreQuietHours": False}
    reply = await ann.client.put(f"/users/{ann.id}/preferences", {"topics": {"orders": wish}})
    assert reply.status == 200, reply.json
    assert (await ann.client.get("/topics")).json == [{"name": "orders", "rules": None, "mutedBy": None, "wish": wish}]
    assert (await acme.key.get("/topics")).json == [
        {"name": "layoffs", "rules": 1, "mutedBy": 0, "wish": None},
        {"name": "orders", "rules": 1, "mutedBy": 1, "wish": None},
    ]
    assert [each["name"] for each in (await rival.key.get("/topics")).json] == ["theirs"]
