"""Turns what goes wrong at the command line into one message that says what to type instead."""

import contextlib
import dataclasses
import errno
import sys
from collections.abc import Iterator

from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tasks.errors import UserError, nearest
from zoo.paths import CONF

# what a folder or a disk refuses; all other errors of files are faults of ours
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.ENAMETOOLONG)


@contextlib.contextmanager
def ends_with_message(arguments: list[str]) -> Iterator[None]:
    """Ends the program with a message, and without a traceback, for errors that the command line has caused."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on from here")
    except Exception as error:
        if (message := message_of(error, arguments)) is None:
            raise
        sys.exit(message)


def message_of(error: Exception, arguments: list[str]) -> str | None:
    """What to tell of an error that the command line has caused; None of a fault of ours."""
    cause: BaseException | None = error
    while isinstance(cause, (HydraException, OmegaConfBaseException)):  # Hydra wraps what happens inside instantiate
        cause = cause.__cause__
    if cause is None:
        return _of_hydra(error, arguments)
    if isinstance(cause, UserError):
        return str(cause)
    if isinstance(cause, OSError) and cause.errno in REFUSED:
        place = cause.filename or "disk"
        return f"{place}: {cause.strerror}; results_dir=, data_dir= and cache_dir= say where things lie"
    return None


def _of_hydra(error: Exception, arguments: list[str]) -> str:
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, name = error.missing_cfg_file.partition("/")
        files = (file.relative_to(CONF / group).with_suffix("").as_posix() for file in (CONF / group).rglob("*.yaml"))
        known = sorted(files) or sorted(error.options)  # the latter of Hydra's own groups
        return (
            f"{group} '{name}' is not known{nearest(name, known)}\n"
            f"  there are: {', '.join(known)}   (one yaml each in conf/{group}/)"
        )
    keys = _keys()
    for argument in arguments:
        key, equals, _ = argument.lstrip("+~").partition("=")
        if not equals and not argument.startswith("-"):
            return f"'{argument}' sets nothing; expected name=value, as in model=memn2n (python run.py --help)"
        if argument.startswith("model.recipe.") and key in str(error) and key.rpartition(".")[2] in _recipe():
            return f"no yaml of this model sets '{key}'; type it with a plus: +{argument}"
        if equals and key in str(error) and key not in keys and not argument.startswith(("+", "~", "-")):
            siblings = [k for k in keys if k.rpartition(".")[0] == key.rpartition(".")[0]]
            near = nearest(key, siblings) or nearest(key, list(keys))
            shown = ", ".join(siblings or [k for k in keys if "." not in k])
            return f"'{key}' is not an option{near}\n  there are: {shown}"
        if equals and f"'{key}'" in str(error) and keys.get(key):
            return f"'{key}' is not an option of what was chosen; it stands in {', '.join(keys[key])}"
    return f"{str(error).splitlines()[0]}\n  (python run.py --help shows what can be set)"


def _recipe() -> list[str]:
    from zoo.training.recipe import Recipe  # which loads torch

    return [field.name for field in dataclasses.fields(Recipe)]


def _keys() -> dict[str, list[str]]:
    """Every option that the command line can set, for every choice of the groups, and the files that have it."""

    def walk(node: DictConfig, prefix: str) -> Iterator[str]:
        for key in node:
            if key in ("defaults", "hydra"):
                continue
            yield f"{prefix}{key}"
            child = node._get_node(key)
            if isinstance(child, DictConfig):
                yield from walk(child, f"{prefix}{key}.")

    keys: dict[str, list[str]] = {key: [] for key in walk(OmegaConf.load(CONF / "config.yaml"), "")}
    unset = "experiment", "campaign"  # whose files hold no options of their own
    for group in sorted(path for path in CONF.iterdir() if path.is_dir() and path.name not in unset):
        name = group.name.removesuffix("_on_task")  # model_on_task sets options of the model
        keys[name] = []
        for file in sorted(group.glob("*.yaml")):
            for key in walk(OmegaConf.load(file), f"{name}."):
                keys.setdefault(key, []).append(f"{CONF.name}/{group.name}/{file.name}")
    return keys | {"experiment": []}
