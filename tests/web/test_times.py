"""Times, days, numbers and names as pages say them, at the edges of each way of saying them."""

from datetime import date, timedelta

import pytest
import time_machine
from flask import Flask

from portal.models import Campaign, User
from portal.web.presentation import day_of, dialled, named, relative_time, short_day, since_time, written_day
from tests.factories import NOON

SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
MIDNIGHT = NOON - timedelta(hours=9)
"""Of the reader, in São Paulo, where it is Tuesday, 9:00."""


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (NOON, "hoje às 09:00"),
        (MIDNIGHT, "hoje às 00:00"),
        (MIDNIGHT - MINUTE, "ontem às 23:59"),
        (MIDNIGHT - DAY, "ontem às 00:00"),
        (MIDNIGHT - DAY - MINUTE, "domingo às 23:59"),
        (MIDNIGHT - 6 * DAY, "quarta-feira às 00:00"),
        (MIDNIGHT - 6 * DAY - MINUTE, "3 de mar. de 2026 23:59:00"),
        (MIDNIGHT + DAY, "11 de mar. de 2026 00:00:00"),
    ],
)
def test_a_time_is_said_as_people_say_it(app: Flask, moment, words: str) -> None:
    with time_machine.travel(NOON, tick=False), app.test_request_context():
        assert since_time(moment) == words


@pytest.mark.parametrize(
    ("distance", "words"),
    [
        (timedelta(0), "agora"),
        (SECOND * 0.999, "agora"),
        (-SECOND, "há 1 segundo"),
        (SECOND * 59, "em 59 segundos"),
        (-MINUTE, "há 1 minuto"),
        (-DAY, "há 1 dia"),
        (30 * DAY - SECOND, "em 4 semanas"),
        (-30 * DAY, "08/02/2026 09:00"),
        (30 * DAY, "09/04/2026 09:00"),
    ],
)
def test_a_distance_is_said_in_one_unit_and_a_date_beyond_a_month(app: Flask, distance, words: str) -> None:
    with time_machine.travel(NOON, tick=False), app.test_request_context():
        assert relative_time(NOON + distance) == words


@pytest.mark.parametrize(
    ("language", "short", "written"),
    [("pt-BR", "10/03", "26 de nov. de 2026"), ("en", "3/10", "Nov 26, 2026")],
)
def test_a_day_is_the_reader_s_in_their_order(app: Flask, language: str, short: str, written: str) -> None:
    with app.test_request_context(headers={"Accept-Language": language}):
        assert [day_of(MIDNIGHT - SECOND), day_of(MIDNIGHT)] == [date(2026, 3, 9), date(2026, 3, 10)]
        assert short_day(day_of(NOON)) == short
        assert [written_day(text) for text in ("2026-11-26", "2026-11-31", None)] == [written, "2026-11-31", None]


def test_people_of_one_name_are_told_apart_by_their_addresses() -> None:
    people = [User(id=each, name=name, email=f"{each}@x.test") for each, name in enumerate(("Ana", "Bia", "Ana"))]
    assert named(people) == [(0, "Ana (0@x.test)"), (1, "Bia"), (2, "Ana (2@x.test)")]
    assert named([Campaign(id=each, name="Feira") for each in (3, 4)]) == [(3, "Feira"), (4, "Feira")]


@pytest.mark.parametrize(
    ("phone", "dialled_as"),
    [("+55 (81) 5555-0000 r. 9", "+558155550000" + "9"), ("190", "190"), ("+1 x", ""), (None, "")],
)
def test_a_phone_is_dialled_by_its_digits(phone: str | None, dialled_as: str) -> None:
    assert dialled(phone) == dialled_as
