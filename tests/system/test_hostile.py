"""No receiver, whatever it does, holds a sender beyond its deadline or takes its memory."""

import pytest

from tests.system.hostile import DEADLINE_SECONDS, measure


@pytest.mark.slow
@pytest.mark.alone
def test_every_hostile_receiver_ends_in_time_and_takes_no_memory() -> None:
    measured = measure(rounds=2)
    late = {name: seconds for name, seconds in measured.seconds.items() if seconds > DEADLINE_SECONDS + 0.5}
    print(f"{len(measured.seconds)} receivers: memory grew by {measured.megabytes:.1f} MB")
    assert late == {}
    assert measured.megabytes <= 20
