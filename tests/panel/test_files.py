"""What was built, as it is read: media types, how long it may be kept, compressed siblings."""

from pathlib import Path

import pytest

from tocsin.panel.files import PLATFORM_PAGE, read, read_page


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    assets = tmp_path / "assets"
    assets.mkdir()
    (tmp_path / "index.html").write_text("<!doctype html>")
    (tmp_path / "platform.html").write_text("<!doctype html><title>Platform</title>")
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "early.js").write_text("1")
    (assets / "index-abc.js").write_text("console.log(1)")
    (assets / "index-abc.js.br").write_bytes(b"br")
    (assets / "index-abc.js.gz").write_bytes(b"gz")
    (assets / "plain-abc.woff2").write_bytes(b"font")
    return tmp_path


def test_files_are_known_by_their_paths_and_siblings_are_no_files_of_their_own(folder: Path) -> None:
    assert set(read(folder)) == {"early.js", "assets/index-abc.js", "assets/plain-abc.woff2"}


def test_each_panel_has_its_page(folder: Path) -> None:
    assert read_page(folder) == "<!doctype html>"
    assert read_page(folder, PLATFORM_PAGE) == "<!doctype html><title>Platform</title>"


def test_nothing_built_is_nothing_served(tmp_path: Path) -> None:
    assert read(tmp_path / "nowhere") == {}
    assert read_page(tmp_path / "nowhere") is None


def test_what_has_a_digest_in_its_name_is_kept_for_ever_and_the_rest_is_asked_for_again(folder: Path) -> None:
    files = read(folder)
    assert "immutable" in files["assets/index-abc.js"].cache_control
    assert files["early.js"].cache_control == "no-cache"


@pytest.mark.parametrize(
    ("accepted", "body", "encoding"),
    [
        ("gzip, deflate, br, zstd", b"br", "br"),
        ("gzip", b"gz", "gzip"),
        ("br;q=0, gzip;q=0.5", b"gz", "gzip"),
        ("identity", b"console.log(1)", None),
        ("", b"console.log(1)", None),
    ],
)
def test_the_smallest_form_is_sent_that_the_client_takes(
    folder: Path, accepted: str, body: bytes, encoding: str | None
) -> None:
    assert read(folder)["assets/index-abc.js"].accepted(accepted) == (body, encoding)


def test_scripts_and_fonts_have_types_that_browsers_believe(folder: Path) -> None:
    files = read(folder)
    assert files["assets/index-abc.js"].media_type == "text/javascript"
    assert files["assets/plain-abc.woff2"].media_type == "font/woff2"
