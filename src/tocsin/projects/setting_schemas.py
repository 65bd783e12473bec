"""Shapes of a project's settings. `projects.settings` holds what was set, under the names of the API."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from tocsin.kit.schema import WHOLE, Answer, Body, unsent
from tocsin.projects.currencies import CURRENCIES
from tocsin.projects.networks import AllowedNetworks
from tocsin.users.contact import Email
from tocsin.users.hours import QuietHours, Timezone
from tocsin.users.preferences import MOST_TOPICS, TopicName


def _known_currency(value: str) -> str:
    if value not in CURRENCIES:
        raise ValueError("is not a currency of ISO 4217, e.g. EUR")
    return value


def _each_once(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))


Language = Annotated[
    str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?$"), Field(examples=["de-AT"])
]
Currency = Annotated[
    str, StringConstraints(pattern=r"^[A-Z]{3}$"), AfterValidator(_known_currency), Field(examples=["EUR"])
]


_OPT_IN = "Topics of rules that reach only those who subscribe to them in their preferences."
OptInTopics = Annotated[
    list[TopicName],
    Field(max_length=MOST_TOPICS, description=_OPT_IN, examples=[["marketing"]]),
    AfterValidator(_each_once),
]


class SecurityUpdate(Body):
    require_2fa: bool = Field(default_factory=lambda: False, alias="require2fa")
    require_sso: bool = unsent()
    ip_allow_list: AllowedNetworks = unsent()


class ConnectionsUpdate(Body):
    use_platform: bool = unsent()
    own_per_provider: Annotated[int, Field(ge=1, le=20), WHOLE] = unsent()
    require_verified_addresses: bool = unsent()
    phone_codes_per_day: Annotated[int, Field(ge=0, le=100_000), WHOLE] = unsent()


class SettingsUpdate(Body):
    """What is left out stays, inside `security` and `connections` too."""

    timezone: Timezone = unsent()
    language: Language = unsent()
    currency: Currency = unsent()
    quiet_hours: QuietHours | None = unsent()
    opt_in_topics: OptInTopics = unsent()
    billing_email: Email | None = unsent()
    security: SecurityUpdate = unsent()
    connections: ConnectionsUpdate = unsent()


class SecurityAnswer(Answer):
    require_2fa: bool = Field(False, alias="require2fa")
    require_sso: bool = False
    ip_allow_list: list[str] = Field(
        [], description="From where panel, API and keys may be used; empty: from everywhere."
    )


class ConnectionsAnswer(Answer):
    use_platform: bool = Field(True, description="Whether the platform's connections may send where no other can.")
    own_per_provider: int = Field(1, description="How many connections a person may have at one provider.")
    require_verified_addresses: bool = Field(
        False, description="Whether mail and SMS go only to addresses that were proven to be the person's."
    )
    phone_codes_per_day: int = Field(
        100, description="How many codes that prove telephone numbers are sent by SMS in 24 hours; 0: none."
    )


class SettingsAnswer(Answer):
    timezone: str = "UTC"
    language: str = "en"
    currency: str = "USD"
    quiet_hours: QuietHours | None = Field(
        None, description="For everybody who has said nothing else, in their own timezone."
    )
    opt_in_topics: list[str] = Field([], description=_OPT_IN)
    billing_email: str | None = Field(None, description="Who hears of quotas by mail; null: the owner.")
    security: SecurityAnswer = SecurityAnswer()
    connections: ConnectionsAnswer = ConnectionsAnswer()
