"""A Slurm of one node on the loopback interface, without systemd, cgroups or accounting."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.cluster.lists import SmallList, until

PROGRAMS = ("munged", "slurmctld", "slurmd", "srun", "sbatch", "squeue", "scontrol", "scancel")
CONF = """
ClusterName=zoo
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={home}/munge/socket
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=2,bf_interval=2
ReturnToService=2
SlurmctldPort={controller}
SlurmdPort={node}
SlurmdParameters=config_overrides
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool
SlurmctldPidFile={home}/run/slurmctld.pid
SlurmdPidFile={home}/run/slurmd.pid
SlurmctldLogFile={home}/log/slurmctld
SlurmdLogFile={home}/log/slurmd
JobRequeue=1
KillWait=2
MessageTimeout=10
SlurmdTimeout=10
InactiveLimit=0
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=1000 State=UNKNOWN
PartitionName=zoo Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Slurm:
    """The daemons, in a folder of their own."""

    def __init__(self, home: Path) -> None:
        missing = [program for program in PROGRAMS if shutil.which(program) is None]
        if missing:
            pytest.skip(f"no Slurm here ({missing[0]} is missing): apt-get install slurmctld slurmd slurm-client munge")
        if os.getuid() != 0:
            pytest.skip("a Slurm for tests is started by root only")
        self.home = home
        for name in ("munge", "state", "spool", "run", "log"):
            (home / name).mkdir(parents=True, mode=0o755)
        (home / "slurm.conf").write_text(
            CONF.format(home=home, host=socket.gethostname(), user="root", controller=_free_port(), node=_free_port())
        )
        os.environ["SLURM_CONF"] = str(home / "slurm.conf")
        key = home / "munge/key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        munge = {name: home / "munge" / name for name in ("socket", "pid-file", "log-file", "seed-file")}
        options = [f"--{name}={file}" for name, file in munge.items()]
        # --force: folders below /tmp are open to others
        subprocess.run(["munged", f"--key-file={key}", *options, "--force"], check=True, capture_output=True)
        self.start_controller()
        self.start_node()
        self.wait_for("idle")

    def start_controller(self) -> None:
        subprocess.run(["slurmctld"], check=True, capture_output=True)

    def start_node(self) -> None:
        subprocess.run(["slurmd"], check=True, capture_output=True)

    def wait_for(self, state: str) -> None:
        until = time.monotonic() + 60
        while state not in self.ask("sinfo", "-h", "-o", "%T"):
            assert time.monotonic() < until, (self.home / "log/slurmctld").read_text()[-2000:]
            time.sleep(0.2)

    def ask(self, *words: str) -> str:
        return subprocess.run(words, capture_output=True, text=True).stdout

    def _kill(self, name: str, number: int = signal.SIGKILL) -> None:
        pid = self.home / "run" / f"{name}.pid" if name != "munge" else self.home / "munge/pid-file"
        with contextlib.suppress(OSError, ValueError):
            os.kill(int(pid.read_text()), number)

    def kill_controller(self) -> None:
        self._kill("slurmctld")

    def kill_node(self) -> None:
        """Kill the daemon of the node and all that it has started."""
        self._kill("slurmd")
        for stat in Path("/proc").glob("[0-9]*/environ"):
            try:
                of_ours = f"SLURM_CONF={self.home}/slurm.conf".encode() in stat.read_bytes()
                is_step = b"slurmstepd" in (stat.parent / "cmdline").read_bytes()
                in_job = b"SLURM_JOB_ID=" in stat.read_bytes()
                if of_ours and (is_step or in_job):
                    os.kill(int(stat.parent.name), signal.SIGKILL)
            except OSError:
                continue

    def shorten_jobs(self) -> None:
        """Set the limit of every job to the next whole minute but half of one."""
        for line in self.ask("squeue", "-h", "-r", "-t", "R", "-o", "%i %M").splitlines():
            job, ran = line.split()
            *hours, minutes, seconds = (int(part) for part in ran.replace("-", ":").split(":"))
            limit = minutes + (60 * hours[-1] if hours else 0) + (1 if seconds < 30 else 2)
            self.ask("scontrol", "update", f"JobId={job}", f"TimeLimit={limit}")

    def run_requeued(self) -> None:
        """Let requeued jobs begin now; Slurm would let them wait for two minutes."""
        for job in self.ask("squeue", "-h", "-r", "-t", "PD", "-o", "%i").split():
            self.ask("scontrol", "update", f"JobId={job}", "StartTime=now")

    def drain(self, small: SmallList, campaign: subprocess.Popen) -> None:
        """Let a campaign come to its end, and check what it has made."""

        def is_done() -> bool:
            self.run_requeued()
            return campaign.poll() is not None

        until(is_done)
        assert campaign.returncode == 0, small.said()
        small.check()

    def stop(self) -> None:
        self.ask("scancel", "--full", "-u", "root")
        time.sleep(0.5)
        self.kill_node()
        self._kill("slurmctld", signal.SIGTERM)
        self._kill("munge", signal.SIGTERM)
        os.environ.pop("SLURM_CONF", None)
