"""A worker and its receiver in a network of their own, which is cut for a while: run by test_network.py.

Where a network of one's own is not permitted, the receiver goes away instead.
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys
import time

from portal import create_app
from portal.config import load_settings
from portal.database.db import db
from portal.demo.server import Receiver
from portal.models import Company
from tests import factories
from tests.conftest import running_worker
from tests.system.faults.conftest import make_deliveries, statuses, wait_until
from tests.system.faults.test_neighbours import endpoint_state

DELIVERIES, CUT_SECONDS = 60, 2.0
CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1


def leave_network() -> bool:
    """Into an empty network; false where that is not permitted."""
    return ctypes.CDLL(None).unshare(CLONE_NEWNET) == 0


def set_loopback(*, up: bool) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        asked = struct.pack("16sh14x", b"lo", 0)
        (flags,) = struct.unpack("16xh14x", fcntl.ioctl(control, SIOCGIFFLAGS, asked))
        flags = flags | IFF_UP if up else flags & ~IFF_UP
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags))


def main() -> None:
    is_alone = leave_network()
    if is_alone:
        set_loopback(up=True)
    receiver = Receiver(delay=0.1)
    receiver.start()
    app = create_app(load_settings(os.environ))
    with app.app_context():
        company = db.session.query(Company).one()
        factories.set_url(company, receiver.url)
        make_deliveries(company, DELIVERIES)
        with running_worker(app):
            assert receiver.wait_for(10)
            if is_alone:
                set_loopback(up=False)
            else:
                receiver.stop()
            wait_until(lambda: endpoint_state() == "failing")
            during = len(receiver.received)
            time.sleep(CUT_SECONDS)
            assert len(receiver.received) == during, "something came through"
            if is_alone:
                set_loopback(up=True)
            else:
                receiver.start()
            wait_until(lambda: statuses() == {"delivered": DELIVERIES}, seconds=40)
        receiver.stop()
        db.session.remove()
    ids = [post.headers["webhook-id"] for post in receiver.received]
    print("alone" if is_alone else "in company", len(set(ids)), len(ids))


if __name__ == "__main__":
    sys.exit(main())
