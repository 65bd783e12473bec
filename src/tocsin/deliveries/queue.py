"""The order in which deliveries leave the queue."""

# First attempts of any priority go before retries: a failing endpoint must not hold up fresh alerts.
RANKS = {"critical": 0, "high": 1, "normal": 2, "low": 3}
RETRY_RANK = 4
