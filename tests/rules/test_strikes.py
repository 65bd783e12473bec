from uuid import uuid4

from tocsin.rules.strikes import MOST, WITHIN_SECONDS, Strikes


def test_a_rule_that_is_stopped_again_and_again_has_had_enough() -> None:
    strikes, rule, other = Strikes(), uuid4(), uuid4()
    assert [strikes.add(rule) for _ in range(MOST)] == [False] * (MOST - 1) + [True]
    assert not strikes.add(other)
    assert not strikes.add(rule), "counting began anew"


def test_what_was_long_ago_is_forgotten() -> None:
    now = 0.0
    strikes, rule = Strikes(lambda: now), uuid4()
    for _ in range(MOST * 3):
        assert not strikes.add(rule)
        now += WITHIN_SECONDS / (MOST - 1)
    assert [strikes.add(rule) for _ in range(2)] == [False, True]
