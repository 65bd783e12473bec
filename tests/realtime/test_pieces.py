"""Messages in pieces."""

import os

import pytest

from tocsin.realtime.pieces import MOST_BYTES, MOST_UNFINISHED, Pieces


@pytest.mark.parametrize("size", [0, 1, 83, 84, 85, 168, 169, 10_000])
def test_a_message_arrives_as_it_was(size: int) -> None:
    sender, receiver = Pieces(100), Pieces(100)
    message = os.urandom(size)
    pieces = list(sender.cut(message))
    assert all(len(piece) <= 100 for piece in pieces)
    assert [receiver.join(piece) for piece in pieces] == [None] * (len(pieces) - 1) + [message]


def test_messages_of_several_senders_arrive_between_each_other() -> None:
    one, other, receiver = Pieces(100), Pieces(100), Pieces(100)
    pairs = zip(one.cut(b"a" * 200), other.cut(b"b" * 200), strict=True)
    arrived = [receiver.join(piece) for pair in pairs for piece in pair]
    assert [message for message in arrived if message] == [b"a" * 200, b"b" * 200]


def test_ones_own_messages_do_not_arrive() -> None:
    pieces = Pieces(100)
    assert [pieces.join(piece) for piece in pieces.cut(b"a" * 200)] == [None] * 3


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_message_that_lacks_a_piece_does_not_arrive_and_the_next_one_does(lost: int) -> None:
    sender, receiver = Pieces(100), Pieces(100)
    pieces = list(sender.cut(b"a" * 200))
    del pieces[lost]
    assert [receiver.join(piece) for piece in [*pieces, *sender.cut(b"b")]] == [None, None, b"b"]


def test_what_never_becomes_whole_is_given_up() -> None:
    receiver = Pieces(100)
    endless = Pieces(100)
    beginnings = [list(endless.cut(b"a" * 200)) for _ in range(MOST_UNFINISHED + 1)]
    for pieces in beginnings:
        receiver.join(pieces[0])
    ends = [[receiver.join(piece) for piece in pieces[1:]][-1] for pieces in beginnings]
    assert [end is not None for end in ends] == [False] + [True] * MOST_UNFINISHED


def test_a_message_beyond_the_bound_is_dropped() -> None:
    sender, receiver = Pieces(MOST_BYTES), Pieces(MOST_BYTES)
    assert not any(receiver.join(piece) for piece in sender.cut(b"a" * (MOST_BYTES + 1)))
