"""How many may be on their way to one receiver, tried on receivers of every kind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.rules.window import FIRST, Window, after_answer, after_strain

MOST = 16


def play(window: Window, seconds: list[float], *, most: int = MOST) -> Window:
    """The window after a round: as many answers as there were on their way."""
    for each in seconds:
        window = after_answer(window, each, in_use=len(seconds), most=most)
    return window


def serve(pace: float, *, at_once: int, rounds: int, most: int = MOST) -> list[int]:
    """The window, round after round, at a receiver that serves so many at the same time and the rest in turn."""
    window, sizes = Window(), []
    for _ in range(rounds):
        size = min(int(window.size), most)
        window = play(window, [pace * -(-place // at_once) for place in range(1, size + 1)], most=most)
        sizes.append(size)
    return sizes


answers = st.tuples(st.floats(0, 100), st.integers(1, 64), st.booleans())


@given(st.lists(answers, max_size=200), st.integers(1, 64))
def test_it_is_never_less_than_one_and_never_grows_above_the_most(
    given_answers: list[tuple[float, int, bool]], most: int
) -> None:
    window = Window()
    for seconds, in_use, is_strain in given_answers:
        before = window.size
        window = (
            after_strain(window, in_use=in_use)
            if is_strain
            else after_answer(window, seconds, in_use=in_use, most=most)
        )
        assert 1 <= window.size <= max(before, most)


@given(st.floats(0, 30), st.integers(1, 64))
def test_a_receiver_of_a_steady_pace_gets_all_it_may_have_however_slow_it_is(pace: float, most: int) -> None:
    sizes = serve(pace, at_once=64, rounds=6, most=most)
    assert sizes == sorted(sizes)
    assert sizes[-1] == most


@given(st.floats(0.5, 10), st.integers(1, 8))
def test_one_that_serves_few_at_once_is_not_flooded(pace: float, at_once: int) -> None:
    late = serve(pace, at_once=at_once, rounds=60)[10:]
    assert sum(late) / len(late) <= at_once * 3
    assert min(late) >= min(at_once, FIRST) / 2 - 1


@given(st.floats(0.05, 1), st.integers(2, 16))
def test_a_round_of_late_answers_halves_it_once(pace: float, size: int) -> None:
    window = play(Window(size=float(size), best_seconds=pace), [pace * 3 + 1] * size)
    assert window.size == max(size / 2, 1)


def test_what_is_hardly_used_does_not_grow() -> None:
    window = Window()
    for _ in range(100):
        window = after_answer(window, 0.1, in_use=1, most=MOST)
    assert window.size == FIRST


def test_a_receiver_that_became_slower_for_good_gets_all_again() -> None:
    window = play(Window(), [0.1] * 50)
    for _ in range(400):
        window = play(window, [3.0] * int(window.size))
    assert window.size == MOST


def test_a_window_that_is_half_used_grows_and_one_used_less_does_not() -> None:
    assert [after_answer(Window(8.0), 0.1, in_use=in_use, most=MOST).size for in_use in (3, 4, 5)] == [8.0, 9.0, 9.0]


def test_after_a_late_answer_the_others_on_their_way_say_nothing_new() -> None:
    window = after_strain(Window(8.0), in_use=3)
    assert (window.size, window.unheeded) == (4.0, 2)
    again = [after_strain(window, in_use=3), after_strain(after_strain(window, in_use=3), in_use=3)]
    assert [each.size for each in again] == [4.0, 4.0]
    assert after_strain(again[-1], in_use=0) == Window(2.0, is_doubling=False)


@pytest.mark.parametrize(
    ("window", "seconds", "in_use", "after"),
    [
        (Window(), 0.5, 4, Window(5.0, 0.5)),
        (Window(4.0, 0.5), 0.25, 1, Window(4.0, 0.25)),
        (Window(4.0, 0.5), 1.0, 2, Window(5.0, 0.505)),
        (Window(4.0, 0.5), 1.1, 4, Window(5.0, 0.506)),
        (Window(4.0, 0.5), 1.2, 4, Window(2.0, 0.507, is_doubling=False, unheeded=3)),
        (Window(4.0, 0.5, unheeded=2), 1.2, 4, Window(4.0, 0.507, unheeded=1)),
        (Window(1.5, 0.5), 9.0, 1, Window(1.0, 0.585, is_doubling=False)),
        (Window(4.0, 0.5, is_doubling=False), 0.5, 4, Window(4.25, 0.5, is_doubling=False)),
        (Window(4.0, 0.5, unheeded=2), 0.5, 4, Window(5.0, 0.5, unheeded=1)),
        (Window(15.5, 0.5), 0.5, 16, Window(16.0, 0.5)),
        (Window(20.0, 0.5), 0.5, 1, Window(16.0, 0.5)),
    ],
)
def test_an_answer_changes_its_own_facts_and_no_other(
    window: Window, seconds: float, in_use: int, after: Window
) -> None:
    assert after_answer(window, seconds, in_use=in_use, most=MOST) == pytest.approx(after)
