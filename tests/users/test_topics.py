"""Which topics there are: for the project with counts, for a person those that may reach them."""

from tests.client import Client, Project, sign_up
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
    wish = {"muted": True, "subscribed": False, "channels": ["email"], "ignoreQuietHours": False}
    reply = await ann.client.put(f"/users/{ann.id}/preferences", {"topics": {"orders": wish}})
    assert reply.status == 200, reply.json
    assert (await ann.client.get("/topics")).json == [
        {"name": "orders", "rules": None, "mutedBy": None, "optIn": False, "subscribers": None, "wish": wish}
    ]
    assert (await acme.key.get("/topics")).json == [
        {"name": "layoffs", "rules": 1, "mutedBy": 0, "optIn": False, "subscribers": None, "wish": None},
        {"name": "orders", "rules": 1, "mutedBy": 1, "optIn": False, "subscribers": None, "wish": None},
    ]
    assert [each["name"] for each in (await rival.key.get("/topics")).json] == ["theirs"]


async def test_topics_that_ask_for_subscribers_say_so_to_everybody_and_count_them_for_the_project(api: Client) -> None:
    acme, rival = await sign_up(api), await sign_up(api)
    ann, bob, carol = [await join(api, acme) for _ in range(3)]
    for project in (acme, rival):
        await make_rule(project, "realtime", targetRoles=["owner"], topic="news")
    await make_rule(acme, "realtime", targetUsers=[ann.id, bob.id, carol.id], topic="news")
    assert (await acme.owner.put("/projects/me/settings", {"optInTopics": ["news"]})).status == 200
    for person, wish in ((ann, {"subscribed": True}), (bob, {"subscribed": True, "muted": True})):
        reply = await person.client.put(f"/users/{person.id}/preferences", {"topics": {"news": wish}})
        assert reply.json["topics"]["news"]["subscribed"] is True
    (mine,) = (await carol.client.get("/topics")).json
    assert (mine["optIn"], mine["subscribers"], mine["wish"]["subscribed"]) == (True, None, False)
    (ours,) = (await acme.key.get("/topics")).json
    assert (ours["optIn"], ours["subscribers"], ours["mutedBy"]) == (True, 1, 1)
    (theirs,) = (await rival.key.get("/topics")).json
    assert (theirs["optIn"], theirs["subscribers"]) == (False, None)
