"""Where the threads of `portal serve` and `portal worker` take their memory from, and how much of it they keep."""

import ctypes
import gc

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # glibc's numbers of these settings, in its malloc.h
LARGE_BYTES = 1024 * 1024
# After so many new objects Python looks for garbage among them, with each sixth look among what is a little older,
# and with each third of those among all, if these have grown by a fourth.
COLLECTIONS = (2_000, 5, 2)


def keep_little_memory() -> None:
    """Let all threads of this process take memory from one place, and give back what is large. To be called while there
    is but one thread.

    By itself glibc gives each thread a place of its own, and what one frees no other gets: those that answer pages held
    more than 20 MB of it. Threads that run Python hardly ever ask at the same time. And once a large piece was freed it
    keeps up to two of that size: after two log-ins that is what their passwords' hashes took, 20 to 40 MB. Nothing is
    done where there is no glibc.
    """
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(M_TRIM_THRESHOLD, 2 * LARGE_BYTES)


def keep_little_garbage() -> None:
    """Look often for objects that only each other need, and never among those of the start. To be called after it.

    To compile one statement of a page leaves thousands of them. A start looks for garbage seldom, and as seldom
    afterwards they came to 750,000, which are 150 MB.
    """
    gc.freeze()  # a look writes to all that it looks through, and what is written to a forked worker shares no longer
    gc.set_threshold(*COLLECTIONS)
