"""What never fits into the small messages of some channels is refused when the rule is saved (C9)."""

import re

from tocsin.channels.registry import kinds
from tocsin.kit.errors import FieldError, Invalid
from tocsin.rules.models import Rule

_PRINTED = re.compile(r"\{\{.*?\}\}", re.DOTALL)


def refuse_unfit(rule: Rule) -> None:
    """Raise Invalid where the action's address is too long for a channel whatever its templates print.

    Title and message are shortened when they are sent, an address cannot be.
    """
    translated = [said["action"] for said in (rule.translations or {}).values() if said.get("action")]
    least = max((least_bytes(action["url"]) for action in [rule.action, *translated] if action), default=0)
    for channel in rule.channels:
        most = kinds()[channel].action_bytes if channel in kinds() else None
        if most is not None and least > most:
            detail = f"Over {channel} an address may have {most:,} bytes; this one has {least:,} at least."
            raise Invalid([FieldError("/action/url", "too_long_for_channel", detail)])


def least_bytes(template: str) -> int:
    """How much a template prints at least: the text around its variables. Of one with tags nothing is known."""
    return 0 if "{%" in template else len(_PRINTED.sub("", template).strip().encode())
