"""zoo run model=memn2n task=babi task.ids=[1] [name=value …]

Train a model on a task, or go on with a run that was interrupted. The same as python run.py.
zoo run --help lists the names; zoo run --cfg job … shows a configuration whole.
"""

from zoo.runs.entry import main

__all__ = ["main"]
