"""A project whose people are on another installation's sockets: what we send as a Pusher app's server (W3)."""

from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest

from tests.channels.conftest import MESSAGE
from tests.client import sign_up
from tests.realtime.conftest import Place
from tests.realtime.publishers import App, app_of
from tocsin.channels.contract import BadCredentials
from tocsin.channels.pusher import Pusher, PusherCredentials, PusherSettings
from tocsin.kit.http import Door


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with Door(allowed=(ip_network("127.0.0.0/8"),)) as door:
        yield door


def settings(place: Place, app: App) -> PusherSettings:
    return PusherSettings.model_validate({"appId": app.id, "key": app.key, "url": place.process.url})


def credentials(app: App) -> PusherCredentials:
    return PusherCredentials.model_validate({"secret": app.secret})


async def test_the_http_api_of_tocsin_takes_it_under_any_other_name(place: Place, door: Door) -> None:
    """Ours keeps ``notification.created`` on a person's channel for ourselves, and says so."""
    app = app_of(await sign_up(place.api, "Acme"))
    assert (await Pusher().verify(settings(place, app), credentials(app), door)).id == app.id
    with pytest.raises(BadCredentials) as refused:
        await Pusher().send(MESSAGE, None, settings(place, app), credentials(app), door)
    assert "Tocsin alone" in refused.value.answer
