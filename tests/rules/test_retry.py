"""The retry schedule, and what a receiver may ask of it."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.rules.retry import DEFAULT_SCHEDULE, RetrySchedule, parse_retry_after, parse_schedule

HTTP_DATES = (
    "Sun, 22 Nov 2026 13:00:00 GMT",
    "Sunday, 22-Nov-26 13:00:00 GMT",
    "Sun Nov 22 13:00:00 2026",
)
NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SCHEDULE = parse_schedule(DEFAULT_SCHEDULE)


def test_default_schedule_has_nine_tries_over_about_68_hours() -> None:
    assert len(SCHEDULE.delays) == 9
    assert SCHEDULE.total == timedelta(hours=67, minutes=35, seconds=30)


def test_first_try_is_at_once() -> None:
    assert SCHEDULE.next_delay(0) == timedelta(0)


def test_each_try_waits_its_own_pause() -> None:
    assert [SCHEDULE.next_delay(tries) for tries in range(9)] == list(SCHEDULE.delays)


@pytest.mark.parametrize("tries", [9, 10, 1000])
def test_no_pause_is_left_after_the_last_try(tries: int) -> None:
    assert SCHEDULE.next_delay(tries, retry_after=HOUR) is None


def test_largest_jitter_adds_ten_percent() -> None:
    assert SCHEDULE.next_delay(1, jitter=1.0) == timedelta(seconds=33)


@given(tries=st.integers(0, 8), jitter=st.floats(0, 1))
def test_jitter_never_shortens_a_pause(tries: int, jitter: float) -> None:
    pause = SCHEDULE.next_delay(tries, jitter=jitter)
    assert pause is not None
    assert SCHEDULE.delays[tries] <= pause <= SCHEDULE.delays[tries] * 1.1 + timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("tries", "asked", "pause"),
    [
        (1, timedelta(seconds=5), timedelta(seconds=30)),
        (1, HOUR, HOUR),
        (1, timedelta(days=365), DAY),
        (8, HOUR, DAY),
        (1, timedelta.max, DAY),
        (1, -HOUR, timedelta(seconds=30)),
    ],
)
def test_retry_after_only_lengthens_and_at_most_to_a_day(tries: int, asked: timedelta, pause: timedelta) -> None:
    assert SCHEDULE.next_delay(tries, retry_after=asked) == pause


def test_jitter_does_not_lift_retry_after_over_a_day() -> None:
    assert SCHEDULE.next_delay(1, retry_after=DAY, jitter=1.0) == DAY


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", [0]), ("5s", [5]), (" 1s , 2m,3h , 4d ", [1, 120, 10_800, 345_600]), ("0m,1s", [0, 1])],
)
def test_schedule_is_read_in_all_units(text: str, seconds: list[int]) -> None:
    assert parse_schedule(text) == RetrySchedule(tuple(timedelta(seconds=each) for each in seconds))


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ",",
        "0s,",
        "30",
        "s",
        "-5s",
        "1.5h",
        "5 m",
        "5w",
        "5S",
        "0s,0s",
        "31d",
        "9999999999s",
        "٣s",
        "1s;2s",
        ",".join(["1s"] * 51),
    ],
)
def test_unusable_schedule_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]{20,160}\.$"):
        parse_schedule(text)


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("120", timedelta(minutes=2)),
        (" 120\t", timedelta(minutes=2)),
        ("0005", timedelta(seconds=5)),
        ("0" * 20 + "120", timedelta(minutes=2)),
        ("1000000000", DAY),
        ("9" * 10_000, DAY),
        ("Sun, 22 Nov 2026 13:00:00 GMT", HOUR),
        ("Sunday, 22-Nov-26 13:00:00 GMT", HOUR),
        ("Sun Nov 22 13:00:00 2026", HOUR),
        ("Fri, 31 Dec 9999 23:59:59 GMT", DAY),
    ],
)
def test_retry_after_is_read(value: str, wait: timedelta) -> None:
    assert parse_retry_after(value, NOW) == wait


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "0",
        "000",
        "-5",
        "abc",
        "1.5",
        "1e3",
        "12 s",
        "٣",
        "²",
        "Sun, 22 Nov 2026 12:00:00 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 99 Nov 2026 08:49:37 GMT",
        "Sun Nov",
        ",",
        "2026-11-23",
    ],
)
def test_unusable_retry_after_is_ignored(value: str | None) -> None:
    assert parse_retry_after(value, NOW) is None


@pytest.mark.slow
@given(value=st.text())
def test_retry_after_never_raises_nor_leaves_its_bounds(value: str) -> None:
    wait = parse_retry_after(value, NOW)
    assert wait is None or timedelta(0) < wait <= DAY


def test_a_date_whose_year_has_twenty_digits_is_no_date() -> None:
    assert parse_retry_after("Wed, 21 Oct 99999999999999999999 07:28:00 GMT", NOW) is None


def test_the_most_tries_and_the_longest_pause_are_taken_and_no_more() -> None:
    assert len(parse_schedule("0s" + ",1s" * 49).delays) == 50
    assert parse_schedule("30d,2592000s").longest == timedelta(days=33)
    for text in ("0s" + ",1s" * 50, "2592001s", "31d"):
        with pytest.raises(ValueError, match="are the most"):
            parse_schedule(text)


@pytest.mark.parametrize(
    ("tries", "jitter", "pause"),
    [(-1, 0.0, 0.0), (0, 1.0, 0.0), (1, -1.0, 30.0), (1, 0.5, 31.5), (1, 2.0, 33.0), (2, 1.0, 330.0)],
)
def test_a_pause_is_lengthened_by_its_share_of_a_tenth(tries: int, jitter: float, pause: float) -> None:
    assert SCHEDULE.next_delay(tries, jitter=jitter) == timedelta(seconds=pause)


@pytest.mark.parametrize(
    ("asked", "jitter", "pause"), [(29, 0.0, 30), (30, 1.0, 33), (31, 1.0, 34.1), (86_399, 0.0, 86_399)]
)
def test_what_a_receiver_asks_for_is_lengthened_too(asked: int, jitter: float, pause: float) -> None:
    asked_for = timedelta(seconds=asked)
    assert SCHEDULE.next_delay(1, retry_after=asked_for, jitter=jitter) == timedelta(seconds=pause)


def test_the_longest_pause_counts_what_a_receiver_may_ask_for() -> None:
    assert parse_schedule("0s,1s").longest == 1.1 * DAY
    assert parse_schedule("0s,2d").longest == 2.2 * DAY


@pytest.mark.parametrize("date", HTTP_DATES)
@pytest.mark.parametrize("zone", ["America/Sao_Paulo", "Asia/Tokyo"])
def test_a_date_of_http_is_in_utc_wherever_the_machine_stands(
    date: str, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        with monkeypatch.context() as there:
            there.setenv("TZ", zone)
            time.tzset()
            assert parse_retry_after(date, NOW) == HOUR
    finally:
        time.tzset()
