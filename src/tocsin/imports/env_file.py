"""Reading a .env file, as shells and container tools write them."""

import re

from tocsin.imports.wanted import BadInput

_LINE = re.compile(
    r"""[ \t]*(?:(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)[ \t]*=[ \t]*
    (?:'(?P<single>[^']*)'|"(?P<double>[^"\\]*(?:\\.[^"\\]*)*)"|(?P<plain>(?:[^\n'"][^\n]*)?)))?
    [ \t]*(?:\#[^\n]*)?(?:\n|\Z)""",
    re.VERBOSE | re.DOTALL,
)
_COMMENT = re.compile(r"(?:^|[ \t])#.*")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def read_env_file(raw: bytes) -> dict[str, str]:
    """Names and values; of a name that is there twice the last counts. Nothing is expanded. Raises BadInput."""
    text = _text(raw)
    values: dict[str, str] = {}
    place = 0
    while place < len(text):
        line = _LINE.match(text, place)
        if line is None:
            number = text.count("\n", 0, place) + 1
            raise BadInput(
                f"line {number}: this is no NAME=value. Is it a .env file? Comments begin with #,"
                " and a value in quotes ends with the same quote."
            )
        if line["name"]:
            values[line["name"]] = _value(line)
        place = line.end()
    return values


def _text(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput("this is no text in UTF-8; save the file in that encoding.") from None
    if "\0" in text:
        raise BadInput("this is no text in UTF-8 but has NUL characters, as UTF-16 does; save it in UTF-8.")
    return text.replace("\r\n", "\n")


def _value(line: re.Match[str]) -> str:
    if line["single"] is not None:
        return line["single"]
    if line["double"] is not None:
        return _ESCAPED.sub(lambda found: "\n" if found[1] == "n" else found[1], line["double"])
    return _COMMENT.sub("", line["plain"]).rstrip()
