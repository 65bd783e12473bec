"""The shop of the demonstration: who works there, and who wants to know of what."""

from typing import Any

PEOPLE = {"Fiona": "finance", "Walter": "warehouse", "Olga": "operations"}
"""Name to role."""

RULES: tuple[dict[str, Any], ...] = (
    {
        "name": "Large order",
        "eventTypes": ["order.created"],
        "condition": "payload.amount > 1000",
        "targetRoles": ["finance"],
        "channels": ["realtime"],
        "title": "Order {{ payload.orderId }} over {{ payload.amount }} {{ payload.currency }}",
        "message": "{{ payload.customer }} ordered {{ payload.items }} items.",
        "priority": "high",
    },
    {
        "name": "Low stock",
        "eventTypes": ["stock.changed"],
        "condition": "payload.quantity <= payload.reorderAt",
        "targetRoles": ["warehouse"],
        "channels": ["realtime"],
        "title": "{{ payload.name }}: {{ payload.quantity }} left",
        "message": "Reorder {{ payload.sku }} for {{ payload.warehouse }}.",
    },
    {
        "name": "Failed payment",
        "eventTypes": ["payment.failed"],
        "targetRoles": ["finance"],
        "channels": ["realtime"],
        "title": "Payment for {{ payload.orderId }} failed",
        "message": "{{ payload.amount }} {{ payload.currency }}: {{ payload.reason }}, attempt {{ payload.attempt }}.",
        "priority": "critical",
        "requireAck": True,
    },
    {
        "name": "Activity",
        "eventTypes": ["*"],
        "targetRoles": ["operations"],
        "channels": ["realtime"],
        "title": "{{ event.type }}",
        "message": "{{ payload.orderId }}{{ payload.name }}",
        "priority": "low",
    },
)
