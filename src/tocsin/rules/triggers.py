"""What makes a rule run: events of some types or a clock, and what each of them takes."""

from tocsin.channels.registry import kinds
from tocsin.kit.errors import FieldError, Invalid
from tocsin.rules.models import Rule


def refuse_untimely(rule: Rule) -> None:
    """Raise Invalid for a rule that nothing or two things would make run, or whose clock goes by people's time while
    it tells somebody who is no person (R6)."""
    if bool(rule.event_types) == bool(rule.clock):
        detail = "A rule has event types or a clock, and not both."
        raise Invalid([FieldError("/clock" if rule.clock else "/eventTypes", "one_of", detail)])
    if rule.clock and rule.clock["timezone"] == "recipient" and (place := _tells_a_place(rule)):
        detail = "A clock in the zone of its recipients tells people alone: each place would hear of it zone by zone."
        raise Invalid([FieldError(place, "needs_people", detail)])


def _tells_a_place(rule: Rule) -> str | None:
    """Where the rule names something that is no person."""
    if rule.target_destinations:
        return "/targetDestinations"
    for index, channel in enumerate(rule.channels):
        if channel in kinds() and kinds()[channel].reaches == "project":
            return f"/channels/{index}"
    return None
