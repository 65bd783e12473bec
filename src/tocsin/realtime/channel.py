"""One channel: who is subscribed, and on presence channels who that is, each person counted once."""

from tocsin.realtime.client import Client
from tocsin.realtime.protocol import Member


class Channel:
    __slots__ = ("clients", "members", "name", "sockets_of")

    def __init__(self, name: str) -> None:
        self.name = name
        self.clients: set[Client] = set()
        self.members: dict[str, Member] = {}
        self.sockets_of: dict[str, int] = {}

    def join(self, client: Client, member: Member | None) -> bool:
        """Add a client that is not subscribed yet; True when a person arrived who was not here."""
        self.clients.add(client)
        if member is None:
            return False
        sockets = self.sockets_of.get(member.user_id, 0)
        self.sockets_of[member.user_id] = sockets + 1
        self.members.setdefault(member.user_id, member)
        return sockets == 0

    def leave(self, client: Client, user_id: str | None) -> bool:
        """Remove a subscribed client; True when the last socket of its person left."""
        self.clients.discard(client)
        if user_id is None:
            return False
        self.sockets_of[user_id] -= 1
        if self.sockets_of[user_id]:
            return False
        del self.sockets_of[user_id], self.members[user_id]
        return True
