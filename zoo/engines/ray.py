"""Cells as tasks of Ray, on this machine or on a cluster that is running."""

import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray
from ray.exceptions import RayError

from tasks.errors import UserError
from zoo.engines import enter, watch
from zoo.runs.listed import Cell, Listed, State, cells_of, give_up, look, make

IN_VAIN = 3  # times that the worker of a cell dies, with all of Ray's retries, after which the cell has failed


class Ray:
    """Tasks, one per cell."""

    def __init__(
        self, address: str | None, num_cpus: float, num_gpus: float, resources: dict[str, float], max_retries: int
    ) -> None:
        """
        Args:
            address: of a running cluster; None for a Ray of this machine, for this command.
            num_cpus: that a cell takes.
            num_gpus: that a cell takes.
            resources: that a cell takes, by names that the cluster gives.
            max_retries: where a worker or its machine has died.
        """
        self.address = address
        takes = {"num_cpus": num_cpus, "num_gpus": num_gpus, "resources": resources, "max_retries": max_retries}
        self.task = ray.remote(**takes)(_make)

    def drain(self, runs: Sequence[Listed], news: Callable[[str], None]) -> list[str]:
        """Place the cells, and watch them; see `Engine`."""
        try:
            ray.init(
                address=self.address, log_to_driver=False, logging_level=logging.ERROR,
                **({} if self.address else {"include_dashboard": False}),
            )  # fmt: skip
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise UserError(
                f"engine.address={self.address}: no Ray answers there ({str(error).splitlines()[0]})"
            ) from None
        placed: dict[ray.ObjectRef, tuple[Listed, Cell]] = {}
        died: dict[Cell, int] = {}
        here = str(Path.cwd())

        def tend(states: dict[str, State]) -> None:
            ended, _ = ray.wait(list(placed), num_returns=len(placed), timeout=0) if placed else ([], [])
            for task in ended:
                run, cell = placed.pop(task)
                try:
                    ray.get(task)
                except RayError as error:
                    died[cell] = died.get(cell, 0) + 1
                    why = str(error).strip().splitlines()[0]
                    print(f"{run.name}, {'+'.join(cell.names)}: {why}", file=sys.stderr, flush=True)
                    if died[cell] >= IN_VAIN:
                        give_up(run.plan, cell, f"its worker died {IN_VAIN} times: {why}")
            at_work = {cell for _, cell in placed.values()}
            for run in runs:
                if run.name in states and states[run.name].free:
                    for cell in cells_of(run):
                        if cell not in at_work and look(cell) == "free":
                            placed[self.task.remote(here, cell)] = run, cell

        try:
            return watch(runs, news, tend)
        finally:
            ray.shutdown()


def _make(folder: str, cell: Cell) -> bool:
    enter(folder)
    return make(cell)
