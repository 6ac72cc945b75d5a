"""Name resolution with a limit of time, which `getaddrinfo` does not have."""

import socket
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from threading import Lock, Thread

# Host and port to addresses as text; nothing, or any exception, when the name does not resolve.
Resolve = Callable[[str, int], Iterable[str]]

MAX_THREADS = 256  # how many names are looked up at the same time; others wait for one of these
MAX_PENDING_LOOKUPS = 1024  # more than the most that one worker has on its way (`worker.shares`)
# What getaddrinfo says when it has no answer, as against: there is no such name.
_FOR_NOW = (socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_SYSTEM)


class LookupTimeoutError(Exception):
    """The name service did not answer in time."""


class LookupFailedError(Exception):
    """The name service could not tell: another time it may know the name."""


def resolve_with_getaddrinfo(host: str, port: int) -> list[str]:
    """The system's answers for a TCP connection, in its order of preference."""
    # Looked up at each call, so that a replaced socket.getaddrinfo is obeyed.
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Resolver:
    """Runs lookups in threads of their own, each shared by all who ask for the same name meanwhile.

    A name server that hangs holds one thread per name, and callers of other names do not wait for it while there are
    threads. The threads are daemons: a process that ends does not wait for them either.
    """

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._lock = Lock()
        self._pending: dict[tuple[str, int], Future[tuple[str, ...]]] = {}
        self._waiting: deque[tuple[str, int]] = deque()  # those of the pending that have no thread yet
        self._threads = 0

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
        """Begin a lookup, or join the one under way; it waits while all threads are taken. Nothing is raised here."""
        key = (host, port)
        with self._lock:
            if (known := self._pending.get(key)) is not None:
                return known
            future: Future[tuple[str, ...]] = Future()
            if len(self._pending) >= MAX_PENDING_LOOKUPS:
                future.set_exception(LookupTimeoutError("too many lookups wait for an answer"))
                return future
            self._pending[key] = future
            if self._threads >= MAX_THREADS:
                self._waiting.append(key)
                return future
            self._threads += 1
        try:
            Thread(target=self._run, args=(key,), name=f"resolve {host}", daemon=True).start()
        except RuntimeError:
            fault = LookupTimeoutError("this machine gives no thread to look it up")
            failed: tuple[str, int] | None = key
            while failed is not None:  # also those that came to wait for it meanwhile
                failed = self._end(failed, fault)
        return future

    def _run(self, key: tuple[str, int] | None) -> None:
        """Look up one name after the other, while any waits."""
        while key is not None:
            key = self._end(key, self._look_up(*key))

    def _look_up(self, host: str, port: int) -> tuple[str, ...] | Exception:
        try:
            return tuple(self._resolve(host, port))
        except Exception as error:  # gaierror, UnicodeError, ...: whatever it was, the name did not resolve
            if isinstance(error, socket.gaierror) and error.errno in _FOR_NOW:
                return LookupFailedError(f"the name service could not look up {host}: {error.strerror}")
            return ()

    def _end(self, key: tuple[str, int], result: tuple[str, ...] | Exception) -> tuple[str, int] | None:
        """Tell all who asked for a name what came of it. Returns the name that its thread takes next."""
        with self._lock:
            future = self._pending.pop(key)
            following = self._waiting.popleft() if self._waiting else None
            if following is None:
                self._threads -= 1
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
        return following
