"""What came back of an attempt, as a call tells it."""

import pytest

from portal.api.protocol.exchange import response_of
from tests.factories import attempt_of


@pytest.mark.parametrize(
    ("body", "size", "told"),
    [
        (None, None, ("", 0, False)),
        (b"", 0, ("", 0, False)),
        (b"ok", 2, ("ok", 2, False)),
        (b"ok", 3, ("ok", 3, True)),
        (None, 3, ("", 3, True)),
    ],
)
def test_what_came_back_is_told_with_its_size(
    body: bytes | None, size: int | None, told: tuple[str, int, bool]
) -> None:
    said = response_of(attempt_of(status_code=200, response_body=body, response_size=size))
    assert said is not None
    assert (said["body"], said["size"], said["truncated"]) == told
    assert said.keys() == {"headers", "body", "size", "truncated"}


def test_when_nothing_came_back_nothing_is_told() -> None:
    assert response_of(attempt_of(status_code=None, response_body=b"ok", response_size=2)) is None
