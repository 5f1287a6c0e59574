"""Trains and compares memory networks: python run.py model=gated_memn2n task=babi_all (--help says more)."""

import os
import sys

os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # errors reach us instead of being printed as tracebacks

import hydra
from omegaconf import DictConfig

from zoo.mistakes import explained


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(config: DictConfig) -> None:
    from zoo.command import start  # torch is loaded only now: --help answers at once

    with explained(sys.argv[1:]):  # here too, or Hydra would add a line of its own
        start(config)


if __name__ == "__main__":
    with explained(sys.argv[1:]):
        main()
