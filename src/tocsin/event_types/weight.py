"""What judging a value by a schema costs at most: how many schemas, one inside the other, may look at one place.

A schema may refer to itself and to the same part many times, and so make a short text look at a value 2^32 times. All
but the worst way down is left out of the count, since a value goes only one way at a time; so lists of many fields
cost no more than their heaviest.
"""

from tocsin.event_types.parts import MEETING, Schema, parts, referred
from tocsin.kit.strict_json import MAX_DEPTH

MOST = 200
HEAVY = {"pattern": 10, "patternProperties": 10, "uniqueItems": 10, "format": 3}
"""Keywords that look at a whole text or list, as so many schemas."""
EACH_OF = ("enum", "required")
PER_LOOK = 10
"""Values of a list that are as much work as one schema."""
_BEYOND = 10**6


class Circular(Exception):
    """A schema that refers to itself without going on to a member of the value."""


def weigh(root: Schema) -> int:
    """The weight of a schema, at least 1. Raises Circular."""
    return _Scale(root).of(root, 0)


class _Scale:
    def __init__(self, root: Schema) -> None:
        self._root = root
        self._known: dict[tuple[int, int], int] = {}
        self._open: set[tuple[int, int]] = set()

    def of(self, schema: Schema, depth: int) -> int:
        """The weight for a value that lies so deep."""
        key = id(schema), depth
        if key in self._open:
            raise Circular
        if key not in self._known:
            self._open.add(key)
            self._known[key] = min(self._sum(schema, depth), _BEYOND)
            self._open.discard(key)
        return self._known[key]

    def _sum(self, schema: Schema, depth: int) -> int:
        if not isinstance(schema, dict):
            return 1
        total = 1 + sum(heavy for keyword, heavy in HEAVY.items() if keyword in schema)
        total += sum(len(schema[name]) // PER_LOOK for name in EACH_OF if isinstance(schema.get(name), list))
        target = referred(self._root, schema)
        if target is not None:
            total += self.of(target, depth)
        one: dict[str, int] = {}
        for part in parts(schema):
            meets = MEETING[part.keyword]
            if meets == "same":
                total += self.of(part.schema, depth)
            elif meets != "named" and depth < MAX_DEPTH:
                below = self.of(part.schema, depth + 1)
                one[part.keyword] = (
                    max(one.get(part.keyword, 0), below) if meets == "one" else below + one.get(part.keyword, 0)
                )
        return total + sum(one.values())
