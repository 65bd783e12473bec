"""A channel as somebody else would write it: of Tocsin the contract, the helpers beside it, and the door."""

from pydantic import Field

from tocsin.channels.calling import HeaderSecret, call, url_problems
from tocsin.channels.contract import Account, Channel, Described, Message, Receipt, Step
from tocsin.kit.errors import FieldError
from tocsin.kit.http import Door


class Loft(Described):
    """Where pigeons fly to."""

    url: str = Field(title="Loft", json_schema_extra={"format": "uri"})


class Whistle(Described):
    """What they listen to."""

    tune: HeaderSecret = Field(title="Tune")


class Pigeon(Channel[Loft, Whistle]):
    """One pigeon per notification."""

    provider = "pigeon"
    channel = "pigeon"
    title = "Carrier pigeon"
    reaches = "project"
    settings = Loft
    credentials = Whistle
    trusts = ("url",)
    setup_steps = (Step("feed", "Feed the pigeon."),)

    async def send(
        self, message: Message, address: str | None, settings: Loft, credentials: Whistle, door: Door
    ) -> Receipt:
        tune = {"X-Tune": credentials.tune.get_secret_value()}
        reply = await call(door, "POST", settings.url, headers=tune, json={"title": message.title})
        return Receipt(delivered=True, provider_message_id=str(message.delivery_id), status=reply.status)

    async def verify(self, settings: Loft, credentials: Whistle, door: Door) -> Account:
        await call(door, "GET", settings.url, headers={"X-Tune": credentials.tune.get_secret_value()})
        return Account(id=settings.url, name="A loft")

    async def check(self, settings: Loft, credentials: Whistle, door: Door) -> list[FieldError]:
        return await url_problems(door, settings.url, "/settings/url")
