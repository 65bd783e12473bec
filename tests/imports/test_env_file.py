"""How .env files are written."""

import pytest

from tocsin.imports.env_file import read_env_file
from tocsin.imports.wanted import BadInput


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b"),
        ("export A = b ", "b"),
        ("A=b # why", "b"),
        ("A=b#c", "b#c"),
        ("A=#c", ""),
        ("A=", ""),
        ("A='b # c' # why", "b # c"),
        (r'A="say \"b\" \\ \n c"', 'say "b" \\ \n c'),
        ("A='b\nc'", "b\nc"),
        (r"A='b\n'", r"b\n"),
        ("A=${B}", "${B}"),
        ("A=b=c", "b=c"),
        ("A=1\nA=2", "2"),
        ("\ufeffA=b", "b"),
        ("A=b\r", "b"),
        ("# A=c\n\n  A=b\n#", "b"),
    ],
)
def test_a_value_is_read_as_it_is_meant(line: str, value: str) -> None:
    assert read_env_file(f"{line}\n".encode()) == {"A": value}
    assert read_env_file(line.encode()) == {"A": value}


@pytest.mark.parametrize("line", ["A", "A B=c", "1A=b", "A='b' c", "A='b", 'A="b\\"', "=b"])
def test_what_is_no_line_of_it_is_named(line: str) -> None:
    with pytest.raises(BadInput, match="line 2: "):
        read_env_file(f"B=c\n{line}\n".encode())
