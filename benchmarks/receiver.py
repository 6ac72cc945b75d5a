"""A receiver that costs little: one process, epoll, and the same answer to every request after a delay.

Run as `python benchmarks/receiver.py PORT [DELAY_SECONDS [HOSTS]]`: it listens at 127.0.0.1 and so many addresses from
there on. A line on standard input ends it. It prints how many requests and connections there were.
"""

import heapq
import select
import socket
import sys
import time

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nOK"


class Connection:
    def __init__(self, accepted: socket.socket) -> None:
        self.socket = accepted
        self.buffer = b""

    def requests(self) -> int:
        """How many whole requests have arrived since the last call; -1 when the sender closed."""
        data = self.socket.recv(262_144)
        if not data:
            return -1
        self.buffer += data
        found = 0
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.buffer) < end + 4 + length:
                break
            self.buffer = self.buffer[end + 4 + length :]
            found += 1
        return found


def serve(port: int, delay: float, hosts: int) -> tuple[int, int]:
    servers = [socket.create_server((f"127.0.0.{1 + place}", port), backlog=1024) for place in range(hosts)]
    listeners = {server.fileno(): server for server in servers}
    poll = select.epoll()
    for server in servers:
        poll.register(server, select.EPOLLIN)
    poll.register(sys.stdin, select.EPOLLIN)
    connections: dict[int, Connection] = {}
    later: list[tuple[float, int]] = []
    requests = opened = 0
    while True:
        pause = max(later[0][0] - time.monotonic(), 0) if later else -1
        for descriptor, _ in poll.poll(pause):
            if descriptor == sys.stdin.fileno():
                return requests, opened
            if descriptor in listeners:
                accepted, _ = listeners[descriptor].accept()
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connections[accepted.fileno()] = Connection(accepted)
                poll.register(accepted, select.EPOLLIN)
                opened += 1
                continue
            connection = connections[descriptor]
            count = connection.requests()
            if count < 0:
                poll.unregister(descriptor)
                connections.pop(descriptor).socket.close()
                continue
            requests += count
            if delay:
                for _ in range(count):
                    heapq.heappush(later, (time.monotonic() + delay, descriptor))
            elif count:
                connection.socket.sendall(ANSWER * count)
        while later and later[0][0] <= time.monotonic():
            _, descriptor = heapq.heappop(later)
            if descriptor in connections:
                connections[descriptor].socket.sendall(ANSWER)


if __name__ == "__main__":
    given = dict(enumerate(sys.argv[1:]))
    print(*serve(int(given[0]), float(given.get(1, 0)), int(given.get(2, 1))))
