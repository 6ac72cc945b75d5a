"""The number of a row, as the path of an address holds it."""

from werkzeug.routing import IntegerConverter, Map

from portal.database.paging import DIGITS


class RowNumber(IntegerConverter):
    """A row's number in a path; one that no row can have is no address, whatever the method."""

    regex = f"[0-9]{{1,{DIGITS}}}"

    def __init__(self, url_map: Map) -> None:
        super().__init__(url_map, max=10**DIGITS - 1)
