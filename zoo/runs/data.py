"""The data of a run."""

import inspect

from hydra.errors import InstantiationException
from hydra.utils import get_method, instantiate

from tasks.corpus import Data
from tasks.errors import UserError


def load_data(config: dict, training: str | None = None) -> Data:
    """Load the data of a run, or of one of its trainings only.

    Args:
        config: the resolved configuration.
        training: the name of the training; None for all.
    """
    task = dict(config["task"])
    if training is not None and config["protocol"] == "per_task":
        task["ids"] = [int(training)]
    given = task | {name: config[name] for name in ("protocol", "data_dir", "cache_dir")}
    wanted = inspect.signature(get_method(task["_target_"])).parameters  # what is drawn needs no folder
    task = {name: value for name, value in given.items() if name in ("_target_", *wanted)}
    try:
        data: Data = instantiate(task, _convert_="all")
    except InstantiationException as error:
        if isinstance(error.__cause__, UserError):  # which Hydra has wrapped
            raise error.__cause__ from None
        raise
    return data
