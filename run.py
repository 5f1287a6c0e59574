"""Train and compare memory networks: python run.py model=gated_memn2n task=babi_all (--help says more)."""

import sys

from zoo.runs.entry import main

if __name__ == "__main__":
    main(sys.argv[1:])
