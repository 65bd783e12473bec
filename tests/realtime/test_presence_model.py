"""Presence against a model: whatever people do, what an observer was told adds up to who is there."""

import json

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from tests.realtime.recorder import Recorder, connected
from tocsin.realtime.client import Client
from tocsin.realtime.hub import Hub
from tocsin.realtime.protocol import Member

ROOM = "presence-room"


class Presence(RuleBasedStateMachine):
    clients = Bundle("clients")

    def __init__(self) -> None:
        super().__init__()
        self.hub = Hub()
        self.observer, self.seen = connected(self.hub)
        self.hub.subscribe(self.observer, ROOM, Member("observer"))
        self.present: dict[Client, str] = {}
        self.links: dict[Client, Recorder] = {}

    @rule(target=clients)
    def connect(self) -> Client:
        client, self.links[client] = connected(self.hub)
        return client

    @rule(client=clients, user=st.sampled_from(["ann", "bob", "eve"]))
    def enter(self, client: Client, user: str) -> None:
        self.hub.subscribe(client, ROOM, Member(user))
        self.present.setdefault(client, user)
        told = json.loads(self.links[client].sent[-1]["data"])["presence"]
        assert set(told["ids"]) == set(told["hash"]) == {"observer", *self.present.values()}
        assert told["count"] == len(told["ids"])

    @rule(client=clients)
    def leave(self, client: Client) -> None:
        self.hub.unsubscribe(client, ROOM)
        self.present.pop(client, None)

    @rule(client=consumes(clients))
    def vanish(self, client: Client) -> None:
        self.hub.disconnect(client)
        self.present.pop(client, None)

    @invariant()
    def the_hub_counts_people(self) -> None:
        assert set(self.hub.members("1", ROOM)) == {"observer", *self.present.values()}
        assert self.hub.stats("1").subscriptions == 1 + len(self.present)

    @invariant()
    def the_observer_was_told_of_every_change_once(self) -> None:
        known = set()
        for frame in self.seen.sent[1:]:
            user = json.loads(frame["data"])["user_id"]
            if frame["event"] == "pusher_internal:member_added":
                assert user not in known
                known.add(user)
            else:
                known.remove(user)
        assert known == set(self.present.values())


TestPresence = Presence.TestCase
TestPresence.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
