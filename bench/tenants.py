"""Projects beside the first one, each with a webhook to the far end and a rule that sends every event there."""

from bench.running import Installed
from bench.streams import MARKED, Stream
from tests.client import Client, Project, sign_up
from tests.connections.build import make_hook
from tests.pipeline import make_rule


async def settle_in(place: Installed, name: str, url: str) -> Project:
    """A new project whose webhooks go to that address, and wait there for whoever hangs to answer."""
    project = await sign_up_beside(place, name)
    await make_hook(project.key, settings={"url": url, "timeoutSeconds": 30})
    await make_rule(project, "webhook", targetRoles=["owner"], **MARKED)
    return project


async def sign_up_beside(place: Installed, name: str) -> Project:
    """A new project that does nothing yet."""
    key = place.project.key
    return await sign_up(Client(key.http, key.base), name)


def steady(name: str, projects: list[Project], per_second: float, seconds: float) -> list[Stream]:
    """A stream of each project, their events spread evenly over the time between two of one of them."""
    return [
        Stream(
            f"{name}{number}",
            dict(project.key.headers),
            per_second,
            int(per_second * seconds),
            begins=number / len(projects) / per_second,
        )
        for number, project in enumerate(projects)
    ]
