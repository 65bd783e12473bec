"""Hints and fan-out between processes: "look, there is work", and "tell everybody who subscribed".

A broker never holds work. Work is a row in PostgreSQL; whatever is lost here is found again by a poll, by a
sweep, or by a subscriber that reads its state anew when it is told of a gap. One ``Broker`` runs over one of
two links: PostgreSQL ``LISTEN/NOTIFY`` (nothing else to install) or Redis publish/subscribe.
"""

from tocsin.kit.broker.broker import Broker, Counters, Subscription, Waiter
from tocsin.kit.broker.keys import project_key
from tocsin.kit.broker.postgres_link import PostgresLink

__all__ = ["Broker", "Counters", "Subscription", "Waiter", "connect", "project_key"]


def connect(redis_url: str | None, dsn: str) -> Broker:
    """The broker of this installation, not yet started.

    ``dsn`` must lead to PostgreSQL itself: LISTEN does not work through a transaction pooler.
    """
    if not redis_url:
        return Broker(PostgresLink(dsn))
    from tocsin.kit.broker.redis_link import RedisLink  # its library takes 15 MiB that most installations need not pay

    return Broker(RedisLink(redis_url))
