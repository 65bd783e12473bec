"""The link of a new admin by mail, beside the answer that shows it (A6, C10)."""

from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.kit.ids import PLATFORM_ID
from tocsin.kit.vault import Vault
from tocsin.mail.post import post
from tocsin.platform.links import LIFETIME_SECONDS
from tocsin.settings import Settings
from tocsin.signin.verification import check_address_limit
from tocsin.users.models import User


async def mail_link(
    session: AsyncSession, vault: Vault, settings: Settings, admin: User, url: str, inviter: str
) -> None:
    """Mail an admin who has no password yet the address of their link, if this installation has a mail server.

    Without one nothing is written: whoever invites has the link and passes it on. Raises TooManyRequests for an
    address that had enough mails within the hour.
    """
    if settings.smtp_url is None:
        return
    assert admin.email is not None
    await check_address_limit(session, admin, admin.email)
    await post(
        session,
        vault,
        PLATFORM_ID,
        "live",
        "admin_invitation",
        admin.email,
        {"url": url, "inviter": inviter},
        user_id=admin.id,
        give_up_at=datetime.now(UTC) + timedelta(seconds=LIFETIME_SECONDS),
    )
