"""What is written into the page before anybody has signed in."""

import json
import re

from tocsin.panel.page import filled

_PAGE = '<title>Tocsin</title><script type="application/json" id="boot">{}</script>'


def _boot(page: str) -> object:
    found = re.search(r'id="boot">(.*?)</script>', page)
    assert found is not None
    return json.loads(found[1])


def test_a_project_gives_the_page_its_name() -> None:
    page = filled(_PAGE, {"project": {"name": "Acme & Sons"}})
    assert "<title>Acme &amp; Sons</title>" in page
    assert _boot(page) == {"project": {"name": "Acme & Sons"}}


def test_without_a_project_the_page_is_as_it_was_built() -> None:
    assert filled(_PAGE, {"project": None}).startswith("<title>Tocsin</title>")


def test_no_name_ends_the_element_it_stands_in() -> None:
    known = {"project": {"name": "</script><script>alert(1)</script>\u2028\\1"}}
    page = filled(_PAGE, known)
    assert page.count("<script") == 1
    assert "<script>alert" not in page
    assert _boot(page) == known
