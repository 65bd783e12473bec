"""Places for so many requests at once, the urgent ones first (P11)."""

import asyncio

import pytest

from tocsin.kit import crowd as crowds
from tocsin.kit.crowd import Crowd, Kind
from tocsin.kit.errors import Unavailable


async def filled(places: int, kind: Kind, count: int) -> Crowd:
    crowd = Crowd(places)
    for _ in range(count):
        await crowd.enter(kind)
    return crowd


async def test_whoever_finds_no_place_is_refused_with_a_time_to_come_back() -> None:
    crowd = await filled(8, Kind.ORDINARY, 6)
    with pytest.raises(Unavailable) as refused:
        await crowd.enter(Kind.ORDINARY)
    assert refused.value.code == "overloaded"
    assert 1 <= int(refused.value.headers["Retry-After"]) <= 5


async def test_ordinary_requests_leave_places_to_acknowledgements() -> None:
    crowd = await filled(8, Kind.ORDINARY, 6)
    await crowd.enter(Kind.ACKNOWLEDGEMENT)


async def test_a_place_that_becomes_free_goes_to_the_most_urgent_first() -> None:
    crowd = await filled(8, Kind.ACKNOWLEDGEMENT, 8)
    order: list[Kind] = []

    async def wait(kind: Kind) -> None:
        await crowd.enter(kind)
        order.append(kind)
        crowd.leave(kind)

    waiting = [asyncio.create_task(wait(kind)) for kind in (Kind.HEAVY, Kind.ORDINARY, Kind.ACKNOWLEDGEMENT)]
    await asyncio.sleep(0)
    crowd.leave(Kind.ACKNOWLEDGEMENT)
    await asyncio.gather(*waiting)
    assert order == [Kind.ACKNOWLEDGEMENT, Kind.ORDINARY, Kind.HEAVY]


async def test_waiting_for_others_takes_no_place_from_anybody() -> None:
    crowd = await filled(8, Kind.OUTSIDE, 32)
    await crowd.enter(Kind.ORDINARY)


async def test_beyond_the_queue_nobody_is_kept_waiting() -> None:
    crowd = await filled(8, Kind.ORDINARY, 6)
    queue = [asyncio.create_task(crowd.enter(Kind.ORDINARY)) for _ in range(8 * crowds.MOST_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        crowd.check(Kind.ORDINARY)
    assert all(isinstance(each, Unavailable) for each in await asyncio.gather(*queue, return_exceptions=True))
    crowd.check(Kind.ORDINARY)


async def test_a_place_given_in_the_moment_of_giving_up_is_not_lost() -> None:
    crowd = await filled(8, Kind.ORDINARY, 6)
    waiting = asyncio.create_task(crowd.enter(Kind.ORDINARY))
    await asyncio.sleep(0)
    crowd.leave(Kind.ORDINARY)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await crowd.enter(Kind.ORDINARY)
