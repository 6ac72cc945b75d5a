"""What is kept for a while, and may be much."""

from portal.database.scratch import MARKS, MOST_RECENT, Numbers


def test_numbers_are_kept_beyond_those_in_memory():
    kept = Numbers()
    keys = [number * 7919 - 2**62 for number in range(MOST_RECENT * 2 + 5)]
    for place, key in enumerate(keys, 1):
        kept[key] = place
    assert [kept[key] for key in keys] == [*range(1, len(keys) + 1)]
    kept[keys[0]] = 0
    assert kept[keys[0]] == 0, "the last that was set"
    assert [kept[keys[1] + MARKS], kept[5]] == [0, 0], "absent, with a mark of another and with none"
