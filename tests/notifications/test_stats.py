"""What the counts of notifications say, in all and by day of UTC."""

from typing import Any

from tests.client import Project
from tests.people import Person
from tests.pipeline import Working, make_rule, notified, send_event, until


async def counted(project: Project, **params: Any) -> Any:
    """The counts once nothing is on its way."""

    async def settled() -> Any:
        stats = (await project.key.get("/notifications/stats", **params)).json
        return stats if "queued" not in stats["deliveries"] else None

    return await until(settled)


async def test_counts_by_state_and_channel(working: Working, shop: Project, other: Project, ann: Person) -> None:
    await make_rule(shop, "realtime", "email", targetUsers=[ann.id], requireAck=True)
    made = [await notified(shop.key, await send_event(shop.key)) for _ in range(3)]
    assert (await ann.client.put(f"/notifications/{made[0]['id']}/acknowledge")).status == 200
    stats = await counted(shop)
    [day] = stats.pop("days")
    wait = stats.pop("timeToAcknowledge")
    assert stats == {
        "hours": 24,
        "notifications": 3,
        "acknowledged": 1,
        "awaitingAcknowledgement": 2,
        "deliveries": {"sent": 3, "suppressed": 3},
        "deliveriesByChannel": {"realtime": 3, "email": 3},
    }
    assert 0 <= wait["medianSeconds"] == wait["p95Seconds"] < 60
    assert (day["notifications"], day["acknowledged"], day["timeToAcknowledge"]) == (3, 1, wait)
    assert day["channels"] == {"realtime": {"sent": 3}, "email": {"suppressed": 3}}
    nothing = await counted(other)
    assert (nothing["notifications"], nothing["timeToAcknowledge"], nothing["days"]) == (0, None, [])


async def test_time_to_acknowledge_is_the_median_and_the_slow_end(working: Working, shop: Project, ann: Person) -> None:
    await make_rule(shop, "realtime", targetUsers=[ann.id])
    for seconds in (10, 20, 600):
        made = await notified(shop.key, await send_event(shop.key))
        assert (await ann.client.put(f"/notifications/{made['id']}/acknowledge")).status == 200
        await working.sql.execute(
            "UPDATE tocsin.notifications SET acked_at = tocsin.id_time(id) + make_interval(secs => $2) WHERE id = $1",
            made["id"],
            seconds,
        )
    await notified(shop.key, await send_event(shop.key))
    assert (await counted(shop))["timeToAcknowledge"] == {"medianSeconds": 20, "p95Seconds": 600}
