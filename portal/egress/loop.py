"""The one thread that sends: every exchange under way is driven by libcurl's multi handle, which keeps connections."""

import logging
import os
import select
import threading
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from math import ceil
from queue import SimpleQueue
from typing import Any, NamedTuple

import pycurl

from portal import clock
from portal.egress.answer import Answer, EgressError
from portal.egress.transport import Kept, Request, Route, StandIn, Transport

MAX_IDLE_CONNECTIONS = 256
MAX_STAND_INS = 1024

logger = logging.getLogger(__name__)

# Gets the answer, the EgressError, or a fault of our own; called on the loop's thread, and raises nothing.
Done = Callable[[Answer | Exception], None]

_EVENTS = {
    pycurl.POLL_IN: select.POLLIN,
    pycurl.POLL_OUT: select.POLLOUT,
    pycurl.POLL_INOUT: select.POLLIN | select.POLLOUT,
}


class Exchange(NamedTuple):
    """A request with its time, and who is told what came of it. Times are monotonic, in seconds."""

    request: Request
    started: float
    ends_at: float
    done: Done


class Loop:
    """Begins with the first call, and ends with `close`."""

    def __init__(self, *, body_cap: int, ca_file: str, connect_timeout: float) -> None:
        self._body_cap, self._ca_file, self._connect_timeout = body_cap, ca_file, connect_timeout
        self._calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._kept = Kept()
        self._free: list[Transport] = []
        self._running: dict[pycurl.Curl, tuple[Transport, Exchange]] = {}
        self._stand_ins: dict[tuple[str, Route], StandIn] = {}
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._is_asleep = self._is_closing = self._has_ended = False

    def call(self, function: Callable[[], None]) -> None:
        """Run a function on the loop's thread: soon, or at once for whoever is there already. From any thread."""
        if threading.current_thread() is self._thread:
            function()
            return
        self._calls.put(function)
        if self._thread is None:
            self._start()
        if self._is_asleep:
            self._wake()
        if self._has_ended:
            self._run_calls()  # nobody else does: what they send is refused

    def call_later(self, seconds: float, function: Callable[[], None]) -> None:
        """Run a function after a while. On the loop's thread only."""
        heappush(self._later, (clock.monotonic() + seconds, next(self._numbers), function))

    def send(self, exchange: Exchange) -> None:
        """Send a request. On the loop's thread only."""
        if self._is_closing:
            exchange.done(EgressError("connection_failed", "the portal is stopping"))
            return
        if not self._free:
            self._free.append(Transport(self._kept, body_cap=self._body_cap, ca_file=self._ca_file))
        self._begin(exchange, self._free.pop())

    def close(self) -> None:
        """Refuse what is sent from now on, wait for the exchanges under way, and close the kept connections."""
        with self._starting:
            self._is_closing = True
            thread = self._thread
        if thread is None:
            self._has_ended = True
        else:
            self._wake()
            thread.join()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None and not self._is_closing:
                self._reader, self._writer = os.pipe()
                os.set_blocking(self._reader, False)
                os.set_blocking(self._writer, False)
                self._thread = threading.Thread(target=self._run, name="egress", daemon=True)
                try:
                    self._thread.start()
                except RuntimeError:  # the next call tries again
                    self._thread = None
                    os.close(self._reader)
                    os.close(self._writer)
                    raise

    def _wake(self) -> None:
        try:
            os.write(self._writer, b"x")
        except OSError:
            return  # it is full of calls already, or has just been closed

    def _run(self) -> None:
        self._multi = multi = pycurl.CurlMulti()
        multi.setopt(pycurl.M_MAXCONNECTS, MAX_IDLE_CONNECTIONS)
        multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._poll = select.poll()  # not epoll, which takes two system calls for each request
        self._poll.register(self._reader, select.POLLIN)
        while self._running or not self._is_closing:
            try:
                self._turn()
            except Exception:  # a fault in what one caller handed over must not end the thread that sends for all
                logger.exception("The sender met a fault.", extra={"action": "send_failed"})
        self._has_ended = True
        self._run_calls()
        multi.close()
        for transport in self._free:
            transport.curl.close()
        os.close(self._reader)
        os.close(self._writer)

    def _turn(self) -> None:
        self._is_asleep = True
        events = self._poll.poll(self._pause())
        self._is_asleep = False
        for descriptor, mask in events:
            if descriptor == self._reader:
                os.read(self._reader, 4096)
            else:  # a fault is both: whoever reads or writes meets it
                reads = pycurl.CSELECT_IN if mask & ~select.POLLOUT else 0
                writes = pycurl.CSELECT_OUT if mask & ~select.POLLIN else 0
                self._multi.socket_action(descriptor, reads | writes)
        self._run_calls()
        now = clock.monotonic()
        while self._later and self._later[0][0] <= now:
            heappop(self._later)[2]()
        if self._multi.timeout() == 0:
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        self._reap()

    def _pause(self) -> int | None:
        """In how many milliseconds something is to be done that no socket tells of."""
        if not self._calls.empty():
            return 0
        pauses = [ceil(max(self._later[0][0] - clock.monotonic(), 0) * 1000)] if self._later else []
        wanted = self._multi.timeout()
        return min([*pauses, wanted] if wanted >= 0 else pauses, default=None)

    def _run_calls(self) -> None:
        while not self._calls.empty():
            self._calls.get_nowait()()

    def _watch(self, what: int, descriptor: int, *_: Any) -> None:
        """CURLMOPT_SOCKETFUNCTION: which sockets libcurl wants to hear of."""
        try:
            if what == pycurl.POLL_REMOVE:
                self._poll.unregister(descriptor)
            else:
                self._poll.register(descriptor, _EVENTS[what])
        except KeyError:
            return  # libcurl also takes leave of what it never began to watch

    def _begin(self, exchange: Exchange, transport: Transport, *, fresh: bool = False) -> None:
        timeout = exchange.ends_at - clock.monotonic()
        if timeout <= 0:
            self._free.append(transport)
            exchange.done(EgressError("timeout", "no time was left to send"))
            return
        request = exchange.request
        stand_in = self._stand_in_of(request.origin, request.route)
        try:
            transport.begin(request, stand_in, connect_timeout=self._connect_timeout, timeout=timeout, fresh=fresh)
            self._multi.add_handle(transport.curl)
        except (pycurl.error, ValueError) as error:  # what libcurl does not even take
            exchange.done(error)
            return
        self._running[transport.curl] = transport, exchange

    def _stand_in_of(self, origin: str, route: Route) -> StandIn:
        stand_in = self._stand_ins.pop((origin, route), None)
        if stand_in is None:
            is_full = len(self._stand_ins) >= MAX_STAND_INS
            oldest = self._stand_ins.pop(next(iter(self._stand_ins))) if is_full else None
            stand_in = StandIn(route, f"{next(self._numbers)}.invalid", in_place_of=oldest)
        self._stand_ins[origin, route] = stand_in  # at the end: the one used longest ago goes first
        return stand_in

    def _reap(self) -> None:
        """Finish the exchanges that libcurl has ended, and then tell of them together: who is told wakes a thread."""
        ended: list[tuple[Done, Answer | Exception]] = []
        left = 1
        while left:
            left, good, bad = self._multi.info_read()
            for curl in good:
                self._finish(curl, 0, "", ended)
            for curl, code, message in bad:
                self._finish(curl, code, message, ended)
        for done, result in ended:
            done(result)

    def _finish(self, curl: pycurl.Curl, code: int, message: str, ended: list[tuple[Done, Answer | Exception]]) -> None:
        """Notes in `ended` whom to tell what came of it, unless it begins again."""
        transport, exchange = self._running.pop(curl)
        result: Answer | Exception
        try:
            result = transport.finish(code, message, started=exchange.started)
        except Exception as error:  # an EgressError, or a fault of our own, which is the caller's to know
            result = error
        self._multi.remove_handle(curl)  # only now: before, it knows its connection
        if transport.met_disturbed:
            self._begin(exchange, transport, fresh=True)
            return
        self._free.append(transport)
        ended.append((exchange.done, result))
