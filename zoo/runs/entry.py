"""`python run.py` and `zoo run`: Hydra's command line."""

import os
import sys

os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # errors reach us instead of being printed as tracebacks

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from tasks.errors import UserError
from zoo.interrupts import held_back
from zoo.paths import CONF, conf_folders
from zoo.pipes import quiet_pipes
from zoo.runs.messages import ends_with_message, message_of, words_of
from zoo.runs.sweeps import announce, share_of


def main(arguments: list[str]) -> None:
    """Make the run, or the sweep, of these arguments."""
    own = [f"hydra.searchpath=[file://{folder}]" for folder in conf_folders()[1:]]
    overrides = [at for at, word in words_of(arguments) if "=" in word and word[0] != "-"]
    place = overrides[0] if overrides else len(arguments)  # Hydra wants overrides side by side
    sys.argv = [sys.argv[0], *arguments[:place], *own, *arguments[place:]]
    with quiet_pipes(), ends_with_message(arguments):
        announce(arguments)
        _hydra()


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def _hydra(config: DictConfig) -> float:
    with held_back():
        from zoo.runs.run import start  # torch is loaded only now: --help answers at once

    job = HydraConfig.get()
    with share_of(config, job):
        try:
            return start(config)
        except BrokenPipeError:
            raise
        except Exception as error:
            if (message := message_of(error, list(job.overrides.task))) is None:
                raise
            if job.mode is not RunMode.MULTIRUN:
                sys.exit(message)  # here, or Hydra would add a line of its own
            print(f"{' '.join(job.overrides.task)}: {message}", file=sys.stderr, flush=True)
            # which Hydra keeps until the others are made
            raise UserError("not every run of the sweep was made; what was wrong stands above") from None
