"""The event that is sent and stored by every contender: about 300 bytes, as an order system would send it."""

from typing import Any

import msgspec

TYPE = "order.created"
PAYLOAD: dict[str, Any] = {
    "orderId": "A-2026-001742",
    "amount": 1250.5,
    "currency": "EUR",
    "customer": {"name": "Mária Kovács", "tier": "gold"},
    "items": [{"sku": "TB-100", "count": 2}, {"sku": "TB-220", "count": 1}],
    "paid": True,
    "note": "deliver to the back door after four o'clock",
}
PAYLOAD_TEXT = msgspec.json.encode(PAYLOAD).decode()
OPEN_EVENT = msgspec.json.encode({"type": TYPE, "payload": PAYLOAD, "source": "shop"}).decode()[:-1]
"""The event as JSON without its last brace, so that a clientEventId can follow."""
