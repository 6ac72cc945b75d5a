"""The demonstration's receiver: takes most deliveries at once, and some only after failing as receivers do."""

import json
from collections import Counter
from collections.abc import Callable
from threading import Event, Lock

from werkzeug.datastructures import Headers

from portal.demo.server import Receiver, Reply

TAKEN = Reply(200, b'{"success":true,"message":"Lead recebido"}', "application/json")
DOUBTFUL = Reply(200, b'{"success":false,"error":"Telefone em branco"}', "application/json")
PHP_ERROR = Reply(
    200, b"<br />\n<b>Warning</b>:  Undefined array key 3 in <b>crm.php</b> on line 12<br />", "text/html"
)
REFUSED = Reply(404, b"Not Found")
# By the last digit of the contact's id: the first answer to each of its deliveries; the next one is good.
FIRST_REPLIES = {3: Reply(500, b"Internal Server Error"), 4: DOUBTFUL, 5: Reply(202, b"Accepted"), 7: PHP_ERROR}
SLOW_DIGIT, SLOW_SECONDS = 8, 2.0
LOST_CONTACT = 9  # the contact whose deliveries are never taken, so that the log shows one that failed for good


class MoodyReceiver(Receiver):
    """Answers by the contact and how often the delivery came. `on_answer` hears name, level and status before that."""

    def __init__(self, on_answer: Callable[[str, int, int], None]) -> None:
        super().__init__()
        self._on_answer = on_answer
        self._seen: Counter[str] = Counter()
        self._lock = Lock()

    def take(self, method: str, path: str, headers: Headers, body: bytes) -> Reply:
        super().take(method, path, headers, body)
        self.received.clear()
        contact = json.loads(body)["contact"]
        with self._lock:
            self._seen[headers["webhook-id"]] += 1
            is_first = self._seen[headers["webhook-id"]] == 1
        reply = choose_reply(contact["id"], is_first=is_first)
        if contact["id"] % 10 == SLOW_DIGIT:
            Event().wait(SLOW_SECONDS)
        self._on_answer(contact["name"], contact["interest_level"], reply.status)
        return reply


def choose_reply(contact_id: int, *, is_first: bool) -> Reply:
    """The answer to a delivery of this contact; `is_first` says whether it comes for the first time."""
    if contact_id == LOST_CONTACT:
        return REFUSED
    return FIRST_REPLIES.get(contact_id % 10, TAKEN) if is_first else TAKEN
