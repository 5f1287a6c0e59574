"""Trains and compares memory networks: python run.py model=gated_memn2n task=babi_all (--help says more)."""

import os
import sys

os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # errors reach us instead of being printed as tracebacks

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from tasks.errors import UserError
from zoo.mistakes import explain, explained


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(config: DictConfig) -> None:
    from zoo.command import start  # torch is loaded only now: --help answers at once

    try:
        start(config)
    except Exception as error:
        if (message := explain(error, sys.argv[1:])) is None:
            raise
        job = HydraConfig.get()
        if job.mode is not RunMode.MULTIRUN:
            sys.exit(message)  # here, or Hydra would add a line of its own
        print(f"{' '.join(job.overrides.task)}: {message}", file=sys.stderr, flush=True)
        # which Hydra keeps until the others are made
        raise UserError("not every run of the sweep was made; what was wrong stands above") from None


if __name__ == "__main__":
    with explained(sys.argv[1:]):
        main()
