"""The names of limits and features, and when a quota begins anew."""

from datetime import UTC, date, datetime, timedelta
from math import ceil

from tocsin.kit.errors import TooManyRequests

SANDBOX_EVENTS = "sandboxEventsPerDay"

FEATURES: dict[str, str] = {
    "eventApi": "Send events.",
    "rules": "Have rules decide who hears of them.",
    "inbox": "Answer people from an inbox.",
    "webhooks": "Send to webhooks.",
    "automation": "Campaigns, workflows and scheduled messages.",
    "abTests": "Campaigns with variants.",
    "customReports": "Save and export reports of one's own.",
    "languages": "Templates in several languages.",
    "customDomain": "The panel under a domain of one's own.",
    "whiteLabel": "No name but the project's.",
    "customIntegrations": "Channels made for the project.",
    "keyIpLists": "Addresses that an API key may be used from.",
    "aiSuggestions": "Suggested rules, replies and texts.",
    "sla": "Agreed service levels.",
}
"""What a plan may have or lack. `GET /platform/plans` shows which has what."""


def month_of(moment: datetime) -> date:
    """The calendar month, in UTC, by its first day."""
    return moment.astimezone(UTC).date().replace(day=1)


def resets_at(quota: str, moment: datetime) -> datetime:
    """When the period that a moment lies in ends: midnight for the sandbox, else the first of the next month, UTC."""
    today = moment.astimezone(UTC).date()
    following = today + timedelta(days=1) if quota == SANDBOX_EVENTS else (today.replace(day=1) + timedelta(days=32))
    first = following if quota == SANDBOX_EVENTS else following.replace(day=1)
    return datetime(first.year, first.month, first.day, tzinfo=UTC)


def exhausted(quota: str, moment: datetime) -> TooManyRequests:
    """The refusal of something that was to count towards a quota at a moment, when nothing of that is left."""
    until = resets_at(quota, moment)
    seconds = max(1, ceil((until - datetime.now(UTC)).total_seconds()))
    anew = f"{until:%Y-%m-%dT%H:%M:%SZ}"
    return TooManyRequests(
        "quota_exceeded",
        f"The quota {quota} of the project's plan is used up; it resets at {anew}.",
        headers={"Retry-After": str(seconds)},
        more={"quota": quota, "resetsAt": anew},
    )
