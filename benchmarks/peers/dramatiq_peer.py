"""dramatiq with Redis: processes with threads."""

import sys

import dramatiq
import work
from dramatiq.brokers.redis import RedisBroker

dramatiq.set_broker(RedisBroker(url=work.REDIS))
deliver = dramatiq.actor(work.deliver, actor_name="deliver")

if __name__ == "__main__":
    processes, threads = sys.argv[5:]
    with work.redis_server() as redis:
        command = ("dramatiq", "dramatiq_peer", "--processes", processes, "--threads", threads)
        work.measure(deliver.send, command, [redis])
