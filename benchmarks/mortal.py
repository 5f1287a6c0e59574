"""Workers that are killed and paused at random moments, and replaced."""

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from typing import NamedTuple


class Harm(NamedTuple):
    """Harm that is done to workers."""

    deaths: int  # at most
    pauses: int  # at most
    every: float  # seconds between two of either, in the mean
    pause: float  # seconds that a worker is paused, in the mean


def outlive(begin: Callable[[int], int], workers: int, harm: Harm, rng: random.Random) -> tuple[int, int]:
    """Wait until workers end by themselves, while some are killed and some paused.

    Args:
        begin: starts a worker, given its number, and returns its process. One is started for each that was killed.
        workers: that work at once.
        harm: done to them.
        rng: chooses moments and workers.

    Returns:
        How many were killed, and how many paused.
    """
    running = {begin(number) for number in range(workers)}
    killed, paused, awake_at = 0, 0, dict[int, float]()
    begun, strike_at = workers, time.monotonic() + rng.expovariate(1 / harm.every)
    try:
        while running:
            ended, status = os.waitpid(-1, os.WNOHANG)
            if ended:
                running.discard(ended)
                awake_at.pop(ended, None)
                if os.WIFSIGNALED(status):
                    running.add(begin(begun))
                    begun += 1
                else:
                    assert status == 0, "a worker has failed"
                continue
            now = time.monotonic()
            for pid in [pid for pid, until in awake_at.items() if now > until]:
                os.kill(pid, signal.SIGCONT)
                del awake_at[pid]
            deaths, pauses = harm.deaths - killed, harm.pauses - paused
            if now > strike_at and deaths > 0:
                strike_at = now + rng.expovariate(1 / harm.every)
                pid = rng.choice(sorted(running))
                if rng.random() * (deaths + pauses) < deaths:
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
                else:
                    os.kill(pid, signal.SIGSTOP)
                    awake_at[pid] = now + harm.pause * rng.uniform(0.5, 1.5)
                    paused += 1
            time.sleep(0.005)
    finally:
        for pid in running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    return killed, paused
