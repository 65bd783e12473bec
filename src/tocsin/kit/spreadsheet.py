"""Rows of CSV (RFC 4180) that a spreadsheet shows and never runs."""

import csv
import io
from collections.abc import Iterable

BYTE_ORDER_MARK = "\ufeff"
"""First in every file: without it Excel reads UTF-8 as the code page of the machine."""

_RUNS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")


def row(values: Iterable[str | int | None]) -> str:
    """One line with its end. A text that a spreadsheet could take for a formula gets a ``'`` in front."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow([_harmless(value) for value in values])
    return line.getvalue()


def _harmless(value: str | int | None) -> str | int | None:
    return f"'{value}" if isinstance(value, str) and value.startswith(_RUNS) else value
