"""What an order makes of a file, by the kind of the file and by what somebody chose."""

from dataclasses import replace

import pytest

from portal.contacts.saved import FileRules
from portal.importing.layout import Layout
from portal.importing.order import Order
from portal.importing.own import KIND as OWN


@pytest.mark.parametrize(
    ("kind", "delimiter", "adds"),
    [("generic", ",", True), ("linkedin", ",", True), (OWN, ";", False), ("jsonl", None, False)],
)
def test_a_file_that_holds_whole_threads_replaces_them_and_the_rest_is_as_it_was_ordered(kind, delimiter, adds):
    order = Order(layout=Layout(kind, "utf-8", delimiter), columns=(), user_id=1)
    assert order.rules == FileRules(keeps_levels=True, updates_elsewhere=False, adds_messages=adds)
    other = replace(order, keeps_levels=False, updates_elsewhere=True)
    assert other.rules == FileRules(keeps_levels=False, updates_elsewhere=True, adds_messages=adds)


@pytest.mark.parametrize(
    ("delimiter", "columns", "is_sending", "sets"),
    [
        (",", ("name", "interest_level"), True, True),
        (",", ("name", None), True, False),
        (",", ("name", "interest_level"), False, False),
        (None, (), True, True),
        (None, (), False, False),
    ],
)
def test_the_crm_is_told_of_levels_that_a_file_may_hold(delimiter, columns, is_sending, sets):
    layout = Layout("generic", "utf-8", delimiter)
    assert Order(layout=layout, columns=columns, user_id=1, is_sending=is_sending).sets_levels is sets
