"""What texts of the database cannot hold."""

import json

import pytest

from tocsin.kit.db import json_text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("plain ä", "plain ä"),
        ("a\0b", "a\ufffdb"),
        ("\0\0", "\ufffd\ufffd"),
        ("\\\0", "\\\ufffd"),
        (r"\u0000", r"\u0000"),
        (r"\\u0000", r"\\u0000"),
    ],
)
def test_the_character_nul_is_replaced_and_what_only_looks_like_it_is_not(text: str, kept: str) -> None:
    assert json.loads(json_text({text: [text]})) == {kept: [kept]}
