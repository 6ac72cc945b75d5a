"""Where the threads of `portal serve` and `portal worker` take their memory from."""

import ctypes

M_ARENA_MAX = -8  # glibc's number of this setting, in its malloc.h


def share_one_arena() -> None:
    """Let all threads of this process take memory from one place. To be called while there is but one thread.

    By itself glibc gives each thread its own, and what one frees no other gets: those that answer pages held more than
    20 MB of it. Threads that run Python hardly ever ask at the same time. Nothing is done where there is no glibc.
    """
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(M_ARENA_MAX, 1)
