"""Two projects of an installation that can send mail, and an hour that begins anew with each test."""

import pytest

from tests.client import Project
from tests.mail.posted import Posted


@pytest.fixture(scope="module")
async def shop(posted: Posted) -> Project:
    return await posted.sign_up("Shop")


@pytest.fixture(scope="module")
async def other(posted: Posted) -> Project:
    return await posted.sign_up("Other")


@pytest.fixture
async def new_hour(posted: Posted) -> None:
    """Forget how many mails went where."""
    await posted.sql.execute("DELETE FROM tocsin.mail_counts")
