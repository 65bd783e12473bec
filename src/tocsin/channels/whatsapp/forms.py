"""What the owner of a number enters."""

from pydantic import Field, SecretStr

from tocsin.channels.calling import HeaderSecret
from tocsin.channels.contract import Described
from tocsin.channels.whatsapp import versions, words


class WhatsAppSettings(Described):
    """Which number sends, and what it says to people who have not written within 24 hours."""

    phone_number_id: str = Field(
        title="Phone number ID",
        description="Of the number in Meta's app: not the number itself, nor the ID of the account.",
        pattern=r"^[0-9]{5,30}$",
    )
    business_account_id: str | None = Field(
        None, title="WhatsApp Business Account ID", description="To check what reaches us.", pattern=r"^[0-9]{5,30}$"
    )
    graph_version: str = Field(
        versions.CURRENT, title="Version of the Graph API", pattern=r"^v(2[1-9]|[3-9][0-9])\.[0-9]$"
    )
    template: str | None = Field(
        None,
        title="Template",
        description="An approved one of the category Utility, for people who have not written within 24 hours."
        " Without it they cannot be reached.",
        pattern=r"^[a-z0-9_]{1,512}$",
    )
    template_language: str = Field("en_US", title="Language of the template", pattern=r"^[a-z]{2,3}(_[A-Z]{2,3})?$")
    template_parameters: tuple[words.Word, ...] = Field(
        ("title", "message"), title="Words in the places of the template's body, in order", max_length=10
    )


class WhatsAppCredentials(Described):
    """Of the Meta app that the number belongs to."""

    access_token: HeaderSecret = Field(
        title="Access token",
        description="Of a system user, with whatsapp_business_messaging and whatsapp_business_management.",
    )
    app_secret: SecretStr | None = Field(
        None,
        title="App secret",
        description="Proves that what arrives was sent by Meta. Left out where a registered Meta app receives.",
        min_length=16,
        max_length=128,
    )
