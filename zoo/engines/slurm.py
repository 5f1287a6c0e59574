"""Jobs on Slurm: one array, submitted by submitit; each job makes cells until none is left.

A signal before a job's limit sets a flag: the cell that it makes ends behind its epoch, with a checkpoint, and the job
is requeued. The process that submits may go away: the jobs go on, and the same command watches them again.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

import submitit
from submitit.core.utils import FailedJobError, FailedSubmissionError

from tasks.errors import UserError, nearest
from tasks.files import make_folder, write_atomically
from zoo.engines import enter, folder_of, watch
from zoo.runs.listed import Cell, Listed, State, cells_of, drain, look
from zoo.training import CHECKPOINT

IN_VAIN = 3  # arrays that end without having made anything, after which no more are submitted
SIGNAL = signal.SIGUSR2  # as submitit asks Slurm to send it


class Slurm:
    """An array of jobs."""

    def __init__(self, jobs: int, signal_delay_s: int, **parameters: object) -> None:
        """
        Args:
            jobs: in the array, at most.
            signal_delay_s: seconds before the limit, when a job is told to stop.
            parameters: of submitit's executor.
        """
        known = sorted(submitit.SlurmExecutor._valid_parameters())
        for name in parameters:
            if name not in known:
                raise UserError(f"engine.{name} is no option of submitit's executor{nearest(name, known)}")
        if shutil.which("srun") is None:
            raise UserError("engine=slurm: there is no srun here; type it on a machine of the cluster, or engine=local")
        own = parameters.pop("additional_parameters", None) or {}
        assert isinstance(own, dict)
        self.jobs, self.delay = jobs, signal_delay_s
        given = {name: value for name, value in parameters.items() if value is not None}
        self.parameters = given | {"signal_delay_s": signal_delay_s, "additional_parameters": {"requeue": True} | own}

    def drain(self, runs: Sequence[Listed], news: Callable[[str], None]) -> list[str]:
        """Submit jobs, and watch them; see `Engine`."""
        array = Array(self, folder_of(runs, "slurm"))
        failed = watch(runs, news, lambda states: array.tend(runs, states), poll=5.0)
        array.end(remove=not failed)
        return failed


class Array:
    """The jobs of a list, which are found again by a file beside their logs."""

    def __init__(self, engine: Slurm, folder: Path) -> None:
        self.engine, self.folder, self.file = engine, folder, folder / "array.json"
        self.in_vain, self.said = 0, ""
        self.did: tuple[int, float] | None = None
        self.job = str(json.loads(self.file.read_text())["job"]) if self.file.exists() else ""
        if self.job and self.lives():
            print(f"job {self.job} of an earlier command is watched", flush=True)

    def tend(self, runs: Sequence[Listed], states: dict[str, State]) -> None:
        """Submit jobs where there are none and there is something that nobody does."""
        if not any(state.free for state in states.values()) or self.lives():
            return
        waiting = [cell for run in runs if run.name in states for cell in cells_of(run) if look(cell) != "done"]
        # cells that are done, and the newest checkpoint of one that is not
        checkpoints = {cell.home: [*cell.home.glob(f"*/*/{CHECKPOINT}")] for cell in waiting}.values()
        newest = max((file.stat().st_mtime for files in checkpoints for file in files if file.exists()), default=0.0)
        did = (-len(waiting), newest)
        self.in_vain = self.in_vain + 1 if did == self.did else 0
        self.did = did
        if self.in_vain >= IN_VAIN:
            raise UserError(
                f"{IN_VAIN} arrays of jobs have ended without making anything; {self.folder} holds their logs"
            )
        self.submit(waiting)

    def submit(self, waiting: list[Cell]) -> None:
        make_folder(self.folder)
        executor = submitit.SlurmExecutor(self.folder)
        executor.update_parameters(**{"job_name": "zoo"} | self.engine.parameters)
        jobs = max(1, min(self.engine.jobs, len(waiting)))
        first = [number * len(waiting) // jobs for number in range(jobs)]
        here, every = str(Path.cwd()), [waiting] * jobs
        try:
            array = executor.map_array(work, [here] * jobs, every, first, [self.engine.delay] * jobs)
        except (FailedJobError, FailedSubmissionError, OSError, subprocess.SubprocessError) as error:
            self.say(f"no job can be submitted now; trying again ({str(error).strip().splitlines()[-1]})")
            return
        self.job = array[0].job_id.partition("_")[0]
        write_atomically(self.file, lambda stream: stream.write(json.dumps({"job": self.job}).encode()))
        self.say(f"job {self.job}: {jobs} job(s) for {len(waiting)} cells; logs in {self.folder}")

    def say(self, text: str) -> None:
        if text != self.said:
            print(text, flush=True)
        self.said = text

    def lives(self) -> bool:
        """Tell whether jobs wait or run; while the controller does not answer they may."""
        if not self.job:
            return False
        asked = subprocess.run(["squeue", "-h", "-j", self.job, "-o", "%T"], capture_output=True, text=True)
        return bool(asked.stdout.split()) if asked.returncode == 0 else "Invalid job id" not in asked.stderr

    def end(self, remove: bool) -> None:
        """Cancel jobs that have nothing to do any more, and remove their logs if nothing has failed."""
        if self.job and self.lives():
            subprocess.run(["scancel", self.job], capture_output=True)
            until = time.monotonic() + 30
            while self.lives() and time.monotonic() < until:
                time.sleep(0.5)
        if remove:
            shutil.rmtree(self.folder, ignore_errors=True)


def work(folder: str, cells: list[Cell], first: int, delay: int) -> None:
    """Make cells, as a job.

    Args:
        folder: the working folder of the command.
        cells: of the list.
        first: where to begin.
        delay: seconds between the signal and the limit.
    """
    enter(folder)
    stop, ended = threading.Event(), threading.Event()
    tasks = int(os.environ.get("SLURM_NTASKS", "1"))

    def soon(number: int, frame: FrameType | None) -> None:
        if not stop.is_set():
            print("asked to stop", file=sys.stderr, flush=True)
            stop.set()
            threading.Thread(target=before_the_limit, daemon=True).start()

    def before_the_limit() -> None:
        # an epoch may be longer than what is left; other tasks of the job have epochs of their own
        if not ended.wait(delay * 2 / 3) or tasks > 1:
            requeue()

    signal.signal(SIGNAL, soon)  # in place of submitit's, which would end the process in the middle of an epoch
    drain(cells, stop, first)
    if stop.is_set() and any(look(cell) != "done" for cell in cells):
        if tasks == 1:
            ended.set()
            requeue()
        else:
            time.sleep(delay)
    else:
        ended.set()


def requeue() -> None:
    """Ask Slurm to run this job again."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    job = f"{array}_{task}" if array else os.environ["SLURM_JOB_ID"]
    asked = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True)
    print(f"requeued: {job} {asked.stderr.strip()}", file=sys.stderr, flush=True)
