"""Where the threads of `portal serve` and `portal worker` take their memory from, and how much of it they keep."""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # glibc's numbers of these settings, in its malloc.h
LARGE_BYTES = 1024 * 1024


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
