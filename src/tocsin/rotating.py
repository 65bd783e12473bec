"""`tocsin keys`: the rotations on this installation, and what there is to say of the keys."""

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from tocsin.kit.dsn import plain_url
from tocsin.kit.roles import as_owner_of_tables
from tocsin.kit.vault import Vault
from tocsin.progress import progress
from tocsin.rotation import master_key
from tocsin.rotation.data_keys import Rotated, count_outdated, rotate_data_keys
from tocsin.rotation.master_key import NothingToRotate
from tocsin.rotation.status import Status, read_status
from tocsin.startup import Installation, NotConfigured


@dataclass(frozen=True, slots=True)
class MasterRotated:
    wrapped: int
    unreadable: list[UUID]
    status: Status


async def key_status(installation: Installation) -> Status:
    async with _owner(installation) as owner:
        return await read_status(owner, installation.master)


async def rotate_data(installation: Installation, slug: str | None, per_second: int) -> Rotated:
    """Raises NotConfigured for a project that there is not."""
    async with _owner(installation) as owner:
        with progress("values", await count_outdated(owner, slug)) as seen:
            try:
                return await rotate_data_keys(owner, Vault(installation.master), slug, seen, per_second)
            except KeyError as unknown:
                raise NotConfigured(f"There is no project {unknown.args[0]!r}.") from unknown


async def rotate_master(installation: Installation) -> MasterRotated:
    """Raises NothingToRotate where no second key can be had."""
    master_key.add_to_file(installation.master)
    async with _owner(installation) as owner:
        wrapped, unreadable = await master_key.wrap_anew(owner, installation.master)
        return MasterRotated(wrapped, unreadable, await read_status(owner, installation.master))


async def drop_master(installation: Installation, *, force: bool) -> int:
    """Forget the old master keys; how many. Raises NothingToRotate while something would be lost with them.

    API keys are not: bcrypt knows them. With ``force`` recovery codes may be.
    """
    status = await key_status(installation)
    if any(use.data_keys for use in status.masters[1:]):
        raise NothingToRotate("Data keys are still wrapped by an old master key: run `tocsin keys rotate-master`.")
    codes = sum(use.recovery_codes for use in status.masters[1:])
    if codes and not force:
        raise NothingToRotate(
            f"{codes} recovery codes of people's second factor would be lost. They can make new ones (POST"
            " /auth/2fa/recovery-codes); or add --force."
        )
    return master_key.drop_from_file(installation.master)


def in_words(status: Status) -> Iterator[str]:
    for number, use in enumerate(status.masters):
        role = "current" if number == 0 else "accepted" if use.accepted else "GONE"
        yield (
            f"master key {use.id} ({role}): wraps {use.data_keys} data keys,"
            f" HMAC of {use.api_keys} API keys and {use.recovery_codes} recovery codes"
        )
    oldest = f", the oldest of {status.oldest:%Y-%m-%d}" if status.oldest else ""
    yield f"data keys of {status.projects} projects{oldest}; rotation unfinished in {status.rotating}"


def _owner(installation: Installation) -> AbstractAsyncContextManager[asyncpg.Connection]:
    return as_owner_of_tables(plain_url(installation.installer_url), installation.roles)
