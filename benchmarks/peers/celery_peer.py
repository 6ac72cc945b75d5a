"""Celery with Redis: forked processes, no results, no talk between workers."""

import sys

import work
from celery import Celery

app = Celery("celery_peer", broker=work.REDIS)
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=16, broker_connection_retry_on_startup=True)
deliver = app.task(name="deliver")(work.deliver)

if __name__ == "__main__":
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "error")
    with work.redis_server() as redis:
        command = ("celery", "--app", "celery_peer", "worker", "--pool", "prefork", "--concurrency", sys.argv[5])
        work.measure(deliver.delay, [*command, *quiet], [redis])
