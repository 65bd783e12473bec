"""C1: a third party adds a channel as an installed package with an entry point."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tocsin.channels.registry import BadChannel, load
from tocsin.kit.http import Door

PIGEON = """
from pydantic import Field, SecretStr
from tocsin.channels.contract import Account, Channel, Described, Receipt, Step


class Loft(Described):
    place: str = Field(title="Place")


class Whistle(Described):
    tune: SecretStr = Field(title="Tune")


class Pigeon(Channel[Loft, Whistle]):
    provider = "pigeon"
    channel = "pigeon"
    title = "Carrier pigeon"
    reaches = "project"
    settings = Loft
    credentials = Whistle
    setup_steps = (Step("feed", "Feed the pigeon."),)

    async def send(self, message, address, settings, credentials, door):
        return Receipt(delivered=True, provider_message_id=f"{settings.place}/{message.delivery_id}")

    async def verify(self, settings, credentials, door):
        return Account(id=settings.place, name=settings.place)


class Deaf(Channel[Loft, Whistle]):
    provider = "deaf"


class Impostor(Pigeon):
    provider = "smtp"


not_a_channel = 7
"""

Install = Callable[[str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a package with the given entry point onto the path, as an installer would."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "pigeon_post", raising=False)

    def install(target: str) -> None:
        (tmp_path / "pigeon_post.py").write_text(PIGEON)
        info = tmp_path / "pigeon_post-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pigeon-post\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[tocsin.channels]\npigeon = {target}\n")

    return install


async def test_a_package_adds_a_channel(install: Install, door: Door, message: Callable[..., object]) -> None:
    install("pigeon_post:Pigeon")
    found = load()
    assert {"realtime", "smtp", "webhook", "pigeon"} <= found.keys()
    pigeon = found["pigeon"]
    assert pigeon.describe()["credentialsSchema"]["properties"]["tune"]["writeOnly"] is True
    receipt = await pigeon.send(  # type: ignore[attr-defined]
        message(),
        None,
        pigeon.settings.model_validate({"place": "roof"}),
        pigeon.credentials.model_validate({"tune": "la"}),
        door,
    )
    assert receipt.provider_message_id == "roof/0199a000-0000-7000-8000-000000000001"


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("pigeon_post:Missing", "cannot be imported"),
        ("no_such_package:Pigeon", "cannot be imported"),
        ("pigeon_post:not_a_channel", "not a subclass"),
        ("pigeon_post:Loft", "not a subclass"),
        ("pigeon_post:Deaf", "lacks a part"),
        ("pigeon_post:Impostor", "exists already"),
    ],
)
def test_a_package_that_cannot_be_used_is_named(install: Install, target: str, words: str) -> None:
    install(target)
    with pytest.raises(BadChannel, match=words) as refused:
        load()
    assert target in str(refused.value)
