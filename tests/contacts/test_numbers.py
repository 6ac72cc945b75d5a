"""Numbers by numbers: what was set last is found, however they crowd and however many there are."""

import sys

from portal.contacts.numbers import FEWEST_PLACES, Numbers


def test_numbers_are_found_however_many_there_are() -> None:
    kept = Numbers()
    keys = [number * 7919 - 2**62 for number in range(FEWEST_PLACES * 20)]
    for place, key in enumerate(keys, 1):
        kept[key] = place
    assert [kept[key] for key in keys] == [*range(1, len(keys) + 1)]
    assert [kept[key + 1] for key in keys] == [0] * len(keys), "absent"


def test_what_was_set_last_counts_and_takes_no_more_room() -> None:
    kept = Numbers()
    size = sys.getsizeof(kept._keys)
    for value in range(FEWEST_PLACES * 2):
        kept[-5] = value
    assert (kept[-5], sys.getsizeof(kept._keys)) == (FEWEST_PLACES * 2 - 1, size)


def test_keys_that_share_a_place_take_the_next_ones_over_the_end_too() -> None:
    kept = Numbers()
    keys = [FEWEST_PLACES * (number + 1) - 1 for number in range(10)]
    for key in keys:
        kept[key] = key * 2
    assert [kept[key] for key in keys] == [key * 2 for key in keys]
    assert kept[FEWEST_PLACES * 11 - 1] == 0
