"""Starter rules: what most projects want to hear of first, ready to be installed (R5, R7).

A starter is a rule like any other once it is there: it can be changed, switched off and deleted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tocsin.rules.schemas import RuleCreate

_NUMBERS = """\
{{ payload.counts.events.total }} events, {{ payload.counts.notifications.made }} notifications, \
{{ payload.counts.notifications.acknowledged }} acknowledged; \
{{ payload.counts.deliveries.delivered }} delivered, {{ payload.counts.deliveries.failed }} failed.\
{% for type in payload.counts.events.byType %}
{{ type[0] }}: {{ type[1] }}{% endfor %}"""
_TROUBLE = """\
{% case event.type %}\
{% when 'tocsin.delivery.failing' %}Messages over {{ payload.channel }} do not arrive\
{% when 'tocsin.connection.error' %}The connection {{ payload.name }} has stopped\
{% when 'tocsin.quota.warning' %}{{ payload.percent }} percent of the month's {{ payload.quota }} are used\
{% when 'tocsin.quota.exceeded' %}The month's {{ payload.quota }} are used up\
{% when 'tocsin.login.suspicious' %}A sign-in of {{ payload.name }} looks suspicious\
{% when 'tocsin.webhook.paused' %}The webhook {{ payload.url }} is paused\
{% endcase %}"""


@dataclass(frozen=True, slots=True)
class Starter:
    """A rule to be installed: what it is for, and what it asks of the project's events, by an example."""

    name: str
    title: str
    description: str
    rule: Mapping[str, Any]
    needs: Mapping[str, Any] = field(default_factory=dict)
    """The type of event and an example of its payload that the project sends; nothing where it sends none."""

    @property
    def runs_by_clock(self) -> bool:
        return "clock" in self.rule

    def drafted(self, **chosen: Any) -> RuleCreate:
        """The rule as it would be saved. ``chosen`` has ``targetRoles`` and ``channels``, and of a clock ``time`` and
        ``timezone``; what is left out is as the starter has it."""
        wanted = {name: value for name, value in chosen.items() if value is not None}
        clock = {name: wanted.pop(name) for name in ("time", "timezone") if name in wanted}
        body = {"name": self.title, "description": self.description, "targetRoles": ["owner", "admin"], **self.rule}
        if self.runs_by_clock:
            body["clock"] = {**self.rule["clock"], **clock}
        return RuleCreate.model_validate({**body, **wanted})


_ALL = (
    Starter(
        "orders",
        "Orders",
        "Tells of every new order.",
        {
            "eventTypes": ["order.created"],
            "title": "Order {{ payload.orderId }}: {{ payload.amount }} {{ payload.currency }}",
            "message": "{% if payload.customer %}From {{ payload.customer }}.{% endif %}",
        },
        {"type": "order.created", "payload": {"orderId": "A-17", "amount": 49.9, "currency": "EUR", "customer": "Ann"}},
    ),
    Starter(
        "low-stock",
        "Low stock",
        "Tells when no more of something is left than it is to be ordered again at.",
        {
            "eventTypes": ["stock.changed"],
            "condition": "payload.quantity <= payload.reorderAt",
            "title": "{{ payload.name }}: {{ payload.quantity }} left",
            "message": "{% if payload.sku %}Reorder {{ payload.sku }}.{% endif %}",
        },
        {"type": "stock.changed", "payload": {"name": "Kettle", "sku": "K-2", "quantity": 3, "reorderAt": 5}},
    ),
    Starter(
        "pending-transaction",
        "Pending transaction",
        "Asks somebody to see to a transaction that waits, four times at most.",
        {
            "eventTypes": ["transaction.pending"],
            "title": "A transaction over {{ payload.amount }} {{ payload.currency }} waits",
            "message": "{{ payload.transactionId }}{% if payload.reason %}: {{ payload.reason }}{% endif %}",
            "priority": "high",
            "requireAck": True,
            "repeat": {"everySeconds": 900, "maxTimes": 3},
        },
        {
            "type": "transaction.pending",
            "payload": {"transactionId": "T-9", "amount": 1200, "currency": "EUR", "reason": "to be approved"},
        },
    ),
    Starter(
        "new-sign-in",
        "Sign-in from a new place",
        "Tells the person who signed in and the admins, when it was in a place that was not seen before: of sign-ins "
        "to your own product, and of those to this project's panel.",
        {
            "eventTypes": ["user.signed_in", "tocsin.login.suspicious"],
            "condition": "event.type == 'user.signed_in' ? payload.newPlace == true : payload.reason == 'new_place'",
            "targetPayloadUser": True,
            "title": "{{ user.name | default: payload.name }} signed in from a new place",
            "message": "{{ payload.place | default: payload.ipAddress }}",
            "priority": "high",
        },
        {"type": "user.signed_in", "payload": {"userId": "customer-7", "newPlace": True, "place": "Graz, Austria"}},
    ),
    Starter(
        "daily-summary",
        "Daily summary",
        "The counts of the last day, for everybody in its roles at one time.",
        {"clock": {"time": "18:00"}, "title": "The day until {{ payload.localTime }}", "message": _NUMBERS},
    ),
    Starter(
        "personal-summary",
        "Daily summary of a person",
        "The counts of the last day, for those in its roles who have switched it on in their preferences, each at the "
        "time that they chose in their own zone.",
        {
            "clock": {"time": "18:00", "timezone": "recipient", "dailySummary": True},
            "title": "The day until {{ payload.localTime }}",
            "message": _NUMBERS,
        },
    ),
    Starter(
        "trouble",
        "When something goes wrong",
        "Tells the admins of failing deliveries, connections that stopped, quotas, paused webhooks and suspicious "
        "sign-ins. Every new project has it; it counts towards no limit.",
        {
            "eventTypes": [
                "tocsin.delivery.failing",
                "tocsin.connection.error",
                "tocsin.quota.warning",
                "tocsin.quota.exceeded",
                "tocsin.login.suspicious",
                "tocsin.webhook.paused",
            ],
            # People hear by themselves of their own connections, and of sign-ins in new places by a rule of its own.
            "condition": "event.type == 'tocsin.connection.error' ? payload.owner == 'project'"
            " : event.type != 'tocsin.login.suspicious' || payload.reason != 'new_place'",
            "title": _TROUBLE,
            "message": "{{ payload.error | default: payload.statusReason | default: payload.reason }}",
            "priority": "high",
        },
    ),
)

STARTERS: Mapping[str, Starter] = {starter.name: starter for starter in _ALL}
FIRST = ("trouble",)
"""What every new project has."""
