"""Compiled things kept by their source text, the least recently used dropped first."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Compiled(Generic[T]):
    """Compiles a text once and remembers the result.

    Bounded by the characters of the sources, because what a compiled form takes grows with its source: a
    count alone would let a few 64 KiB templates fill the memory cap.
    """

    def __init__(self, compile_text: Callable[[str], T], max_characters: int) -> None:
        self._compile = compile_text
        self._room = max_characters
        self._by_text: OrderedDict[str, T] = OrderedDict()

    def __call__(self, text: str) -> T:
        """The compiled form of a text; whatever the compiler raises is raised each time."""
        if text in self._by_text:
            self._by_text.move_to_end(text)
            return self._by_text[text]
        compiled = self._compile(text)
        self._by_text[text] = compiled
        self._room -= len(text)
        while self._room < 0 and len(self._by_text) > 1:
            oldest, _ = self._by_text.popitem(last=False)
            self._room += len(oldest)
        return compiled
