"""People in numbers, and work that falls due: written past the API, which would take minutes for them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from bench.running import Installed
from tests.client import Project
from tocsin.kit.ids import new_id

ROLE = "crowd"
FIRST, RETRY = 2, 6
"""Ranks of a first attempt and of a retry, both of normal priority."""


async def populate(place: Installed, project: Project, count: int) -> list[UUID]:
    """So many active people in a role called `ROLE`; their ids, in order."""
    made = await project.key.post("/roles", {"name": ROLE, "permissions": []})
    if made.status != 201:
        raise RuntimeError(f"the role was refused: {made.json}")
    project_id, role_id = UUID(project.id), UUID(made.json["id"])
    people = [new_id() for _ in range(count)]
    await place.superuser.copy_records_to_table(
        "users",
        schema_name="tocsin",
        columns=("project_id", "id", "env", "name", "status"),
        records=[(project_id, person, "live", f"Person {number}", "active") for number, person in enumerate(people)],
    )
    await place.superuser.copy_records_to_table(
        "user_roles",
        schema_name="tocsin",
        columns=("project_id", "user_id", "role_id", "env"),
        records=[(project_id, person, role_id, "live") for person in people],
    )
    return people


async def owe(
    place: Installed, project: Project, titles: Sequence[str], due_at: datetime, *, rank: int, attempts: int
) -> None:
    """A notification of each title and its webhook, to be sent at that time: after ``attempts`` that failed."""
    project_id = UUID(project.id)
    ids = [(new_id(), new_id()) for _ in titles]
    await place.superuser.copy_records_to_table(
        "notifications",
        schema_name="tocsin",
        columns=("project_id", "id", "env", "title", "message", "priority", "require_ack"),
        records=[
            (project_id, id_, "live", title, "", "normal", False) for (id_, _), title in zip(ids, titles, strict=True)
        ],
    )
    await place.superuser.copy_records_to_table(
        "deliveries",
        schema_name="tocsin",
        columns=("project_id", "id", "env", "notification_id", "channel", "ready", "rank", "due_at", "attempts"),
        records=[
            (project_id, delivery, "live", notification, "webhook", False, rank, due_at, attempts)
            for notification, delivery in ids
        ],
    )
