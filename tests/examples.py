"""The examples that Hypothesis makes up: the same in every run, or others and more by `--hypothesis-profile=hunt`.

A change has to pass on any machine what it passed on one. So neither chance nor what else a worker has imported has a
part in the examples, nor do a machine's haste and what failed there before.
"""

from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

USUAL = 100
"""How many examples Hypothesis makes up unless a test says otherwise."""
MORE = 10
"""Times as many, on the hunt."""


def offer_profiles() -> None:
    settings.register_profile(
        "same",
        derandomize=True,
        database=None,
        deadline=None,
        print_blob=True,
        max_examples=USUAL,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.register_profile("hunt", settings.get_profile("same"), derandomize=False, max_examples=USUAL * MORE)
    settings.load_profile("same")
    providers._get_local_constants = lambda: providers._local_constants  # none of those in the modules imported so far


def examples(usual: int) -> int:
    """How many a test makes up that takes longer or shorter than others."""
    return usual * settings().max_examples // USUAL
