"""What the web server does with its connections: which thread a request gets, how much of it is taken in, who must go.

Waitress takes requests in on one thread, without waiting for any, and answers them on others. So a request that is only
half there costs a descriptor and no thread; the rest of what keeps one caller from another's way is said here.
"""

import errno
import logging
import math
import resource
from typing import Any

from waitress.buffers import OverflowableBuffer
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher, WSGITask

from portal import clock
from portal.database.db import BUSY_TIMEOUT_SECONDS, patience

# Threads for requests that only read, and for the others, which may have to wait for other writers.
READERS, WRITERS = 8, 8
# A further connection closes the one that was silent longest. A process may usually open 1024 descriptors.
MOST_CONNECTIONS = 400
SILENT_SECONDS = 60  # how long a connection may say nothing, and how long a reader of a long answer may take none of it
# How long new connections wait when there are no descriptors left, and how often the log says so.
PAUSE_SECONDS, TOLD_EVERY_SECONDS = 1.0, 60.0
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
ENDING_SECONDS = 0.2  # for a thread that has answered to its end
READING, HEALTH = ("GET", "HEAD", "OPTIONS"), "/healthz"

logger = logging.getLogger(__name__)


class Lanes:
    """Threads for a sign of life, for requests that read, and for those that may write; no kind waits for another."""

    def __init__(self) -> None:
        self._health, self._readers, self._writers = (ThreadedTaskDispatcher() for _ in range(3))
        for lane, count in ((self._health, 1), (self._readers, READERS), (self._writers, WRITERS)):
            lane.set_thread_count(count)

    def add_task(self, channel: "Channel") -> None:
        """Let the first request of the connection be answered."""
        request = channel.requests[0]
        channel.patient_until = clock.monotonic() + BUSY_TIMEOUT_SECONDS
        lane = self._readers if request.error or request.command in READING else self._writers
        (self._health if request.within == HEALTH else lane).add_task(channel)

    def end(self) -> None:
        """End the threads that answer nothing any more: none of them is to meet what was closed behind it."""
        for lane in (self._health, self._readers, self._writers):
            lane.shutdown(timeout=ENDING_SECONDS)


class Body(OverflowableBuffer):  # type: ignore[misc]
    """A body as it comes in. It keeps no more than the request may send, and the application refuses what is longer."""

    def __init__(self, in_memory: int, limit: int) -> None:
        super().__init__(in_memory)
        self.limit, self.length = limit, 0

    def append(self, data: bytes) -> None:
        self.length += len(data)
        if self.length <= self.limit:
            super().append(data)


class Parser(HTTPRequestParser):  # type: ignore[misc]
    """A request as it comes in: its head says how long its body may be."""

    within: str | None = None  # the path that is asked for, below that of the portal

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        self.within = self.adj.path_within(self.path)
        if self.body_rcv is not None:
            environ = {f"HTTP_{name}": value for name, value in self.headers.items()}
            environ |= {"PATH_INFO": self.within, "REQUEST_METHOD": self.command}
            environ |= {} if self.chunked else {"CONTENT_LENGTH": str(self.content_length)}
            self.body_rcv.buf = Body(self.adj.inbuf_overflow, self.adj.limit_of(environ))

    def received(self, data: bytes) -> int:
        taken: int = super().received(data)
        if self.completed and self.chunked and self.body_rcv is not None:
            self.headers["CONTENT_LENGTH"] = str(self.body_rcv.buf.length)
        return taken


class Answer(WSGITask):  # type: ignore[misc]
    """An answer, whose head goes out with the beginning of its body, and not before it in a packet of its own."""

    wrote_header: bool

    def write(self, data: bytes) -> None:
        if not self.wrote_header:
            self.channel.head, self.wrote_header = self.build_response_header(), True
        super().write(data)
        if self.channel.head:
            self.channel.write_soon(b"")


class Channel(HTTPChannel):  # type: ignore[misc]
    parser_class, task_class = Parser, Answer
    patient_until = 0.0  # Until when its request may wait for other writers. Waiting for a thread counts.
    head = b""  # of the answer that is being written, until it is sent

    def write_soon(self, data: Any) -> int:
        if self.head:
            data, self.head = self.head + data, b""
        sent: int = super().write_soon(data)
        return sent

    def service(self) -> None:
        with patience(max(0.0, self.patient_until - clock.monotonic())):
            super().service()


class Listener(TcpWSGIServer):  # type: ignore[misc]
    """One listening socket, with the connections that came in by it."""

    channel_class = Channel
    shut_until = told_at = -math.inf

    def readable(self) -> bool:
        return super().readable() and clock.monotonic() >= self.shut_until

    def accept(self) -> Any:
        """The next connection; None when there is none, or nothing to hold it with."""
        try:
            return super().accept()
        except OSError as error:
            if error.errno not in EXHAUSTED:
                raise
            self._rest(error)
            return None

    def handle_accept(self) -> None:
        super().handle_accept()
        self._let_go(len(self.active_channels) - most_connections())

    def maintenance(self, now: float) -> None:
        """Close connections that were silent for too long, or whose client does not read the answer."""
        for channel in list(self.active_channels.values()):
            is_waited_for = not channel.requests or channel.total_outbufs_len
            if is_waited_for and now - channel.last_activity > SILENT_SECONDS:
                channel.handle_close()

    def _let_go(self, count: int) -> None:
        """Close `count` idle connections, those first that were silent longest."""
        if count > 0:
            idle = [channel for channel in self.active_channels.values() if not channel.requests]
            for channel in sorted(idle, key=lambda channel: channel.last_activity)[:count]:
                channel.handle_close()

    def _rest(self, error: OSError) -> None:
        """Let nobody in for a moment, and make room."""
        now = clock.monotonic()
        self.shut_until = now + PAUSE_SECONDS
        self._let_go(1)
        if now - self.told_at >= TOLD_EVERY_SECONDS:
            self.told_at = now
            logger.error("No connection can be taken in: %s.", error.strerror, extra={"action": "connections_refused"})


def most_connections() -> int:
    """How many connections are held at once: half of the descriptors stay for everything else."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(MOST_CONNECTIONS, descriptors // 2)
