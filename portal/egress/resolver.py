"""Name resolution with a limit of time, which `getaddrinfo` does not have."""

import socket
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from threading import Lock, Thread

Resolve = Callable[[str, int], Iterable[str]]
"""Host and port to addresses as text; nothing, or any exception, when the name does not resolve."""

MAX_PENDING_LOOKUPS = 256
_FOR_NOW = (socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_SYSTEM)
"""What getaddrinfo says when it has no answer, as against: there is no such name."""


class LookupTimeoutError(Exception):
    """The name service did not answer in time."""


class LookupFailedError(Exception):
    """The name service could not tell: another time it may know the name."""


def resolve_with_getaddrinfo(host: str, port: int) -> list[str]:
    """The system's answers for a TCP connection, in its order of preference."""
    # Looked up at each call, so that a replaced socket.getaddrinfo is obeyed.
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Resolver:
    """Runs each lookup in a thread of its own, shared by all who ask for the same name meanwhile.

    A name server that hangs holds one thread per name, and callers of other names never wait for it. The threads are
    daemons: a process that ends does not wait for them either.
    """

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._lock = Lock()
        self._pending: dict[tuple[str, int], Future[tuple[str, ...]]] = {}

    def lookup(self, host: str, port: int, *, timeout: float) -> tuple[str, ...]:
        """The addresses of a name, empty when it does not resolve.

        Raises LookupFailedError, and LookupTimeoutError after `timeout` seconds, or at once when too many hang already
        or there is no thread for it.
        """
        try:
            return self.begin(host, port).result(max(timeout, 0))
        except TimeoutError:
            raise LookupTimeoutError(f"no answer about {host} within {timeout:.1f} s") from None

    def begin(self, host: str, port: int) -> Future[tuple[str, ...]]:
        """Begin a lookup, or join the one under way. Raises LookupTimeoutError when there is no thread for it."""
        key = (host, port)
        with self._lock:
            future = self._pending.get(key)
            if future is not None:
                return future
            if len(self._pending) >= MAX_PENDING_LOOKUPS:
                raise LookupTimeoutError("too many lookups wait for an answer")
            future = self._pending[key] = Future()
        try:
            Thread(target=self._run, args=(key, future), name=f"resolve {host}", daemon=True).start()
        except RuntimeError:
            with self._lock:
                del self._pending[key]  # or all who ask for the name would wait for this one for ever
            raise LookupTimeoutError("this machine gives no thread to look it up") from None
        return future

    def _run(self, key: tuple[str, int], future: Future[tuple[str, ...]]) -> None:
        answers: tuple[str, ...] = ()
        fault: Exception | None = None
        try:
            answers = tuple(self._resolve(*key))
        except Exception as error:  # gaierror, UnicodeError, ...: whatever it was, the name did not resolve
            if isinstance(error, socket.gaierror) and error.errno in _FOR_NOW:
                fault = LookupFailedError(f"the name service could not look up {key[0]}: {error.strerror}")
        with self._lock:
            del self._pending[key]
        if fault is None:
            future.set_result(answers)
        else:
            future.set_exception(fault)
