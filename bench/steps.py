"""How far apart the stations of an event's way were, as the database noted them."""

from datetime import UTC, datetime

from bench.running import Installed

_STEPS = """
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM e.processed_at - e.received_at) * 1000)
        AS "stored to decided p50",
    percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM a.started_at - e.processed_at) * 1000)
        AS "decided to called p50",
    percentile_cont(0.5) WITHIN GROUP (ORDER BY a.duration_ms) AS "call p50"
FROM tocsin.events e
LEFT JOIN tocsin.notifications n ON n.project_id = e.project_id AND n.event_id = e.id
LEFT JOIN tocsin.deliveries d ON d.project_id = n.project_id AND d.notification_id = n.id AND d.channel <> 'realtime'
LEFT JOIN tocsin.attempts a ON a.project_id = d.project_id AND a.delivery_id = d.id
WHERE e.received_at >= $1
"""


async def steps(site: Installed, since: float) -> dict[str, float]:
    """Milliseconds of the median event since a time (seconds since 1970): from the transaction that stored it to the
    write of what its rules made of it, from there to the first byte of its call, and the call (whole milliseconds)."""
    row = await site.superuser.fetchrow(_STEPS, datetime.fromtimestamp(since, UTC))
    return {name: float(value) for name, value in row.items() if value is not None}
