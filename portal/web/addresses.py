"""What an address may hold: the numbers of rows, ids of deliveries, and the path of the portal itself."""

from werkzeug.routing import BaseConverter, IntegerConverter, Map

from portal.database.paging import DIGITS


class RowNumber(IntegerConverter):
    """A row's number in a path; one that no row can have is no address, whatever the method."""

    regex = f"[0-9]{{1,{DIGITS}}}"

    def __init__(self, url_map: Map) -> None:
        super().__init__(url_map, max=10**DIGITS - 1)


class WebhookId(BaseConverter):
    """A delivery's id in an address, told from `resend`, which is an address of its own and allows other methods."""

    regex = "(?!resend$)[^/]+"
    part_isolating = True


def path_within(root: str, asked: str) -> str:
    """The path below `root` ("" for the whole host, else such as `/portal`) that was asked for.

    A proxy in front takes the root away, or leaves it.
    """
    return asked.removeprefix(root) if asked == root or asked.startswith(f"{root}/") else asked
