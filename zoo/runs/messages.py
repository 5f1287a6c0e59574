"""Errors that the command line has caused → one message that says what to type instead."""

import contextlib
import dataclasses
import errno
import logging
import signal
import sys
from collections.abc import Iterator
from itertools import pairwise

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tasks.errors import UserError, nearest
from zoo.paths import CONF, choices
from zoo.runs.options import GROUPS, declared, unknown

logging.getLogger("hydra.utils").setLevel(logging.CRITICAL)  # its errors reach us, and are told once
WITH_VALUE = ("--cfg", "-c", "--package", "-p", "--info", "-i", "--config-dir", "-cd")  # of Hydra; a word follows
STOPPED = 130  # exit code, as shells have it
# what a folder or a disk refuses; all other errors of files are faults of ours
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.ENAMETOOLONG)


@contextlib.contextmanager
def ends_with_message(arguments: list[str]) -> Iterator[None]:
    """End the program with a message, and without a traceback, for errors that the command line has caused.

    SIGTERM ends it as an interrupt from the keyboard does. Lightning alone would go on to the end of its batch, or of
    the compiling of a kernel.
    """
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        sys.exit(STOPPED)
    except BrokenPipeError:
        raise  # somebody has read enough: see `quiet_pipes`
    except Exception as error:
        if (message := message_of(error, arguments)) is None:
            raise
        sys.exit(message)
    finally:
        signal.signal(signal.SIGTERM, before)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that main memory could not be had: of Python, numpy, torch or C++."""
    said = str(error)
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and ("can't allocate memory" in said or "std::bad_alloc" in said)
    )


def message_of(error: Exception, arguments: list[str]) -> str | None:
    """Explain an error that the command line has caused; None for a fault of ours."""
    cause: BaseException | None = error
    while isinstance(cause, (HydraException, OmegaConfBaseException)):  # Hydra wraps what happens inside instantiate
        cause = cause.__cause__
    if cause is None or (isinstance(cause, ValueError) and "Config group override" in str(cause)):
        return _of_hydra(error, arguments)
    if isinstance(cause, UserError):
        return str(cause)
    if isinstance(cause, ImportError) and str(cause).startswith("Error loading '"):  # Hydra, of a `_target_`
        return " ".join(str(cause).splitlines()[:2])
    if is_out_of_memory(cause):
        return "the memory of this machine does not hold this; type smaller numbers, or fewer restarts"
    if isinstance(cause, OSError) and cause.errno in REFUSED:
        place = cause.filename or "disk"
        return f"{place}: {cause.strerror}; results_dir=, data_dir= and cache_dir= say where things lie"
    if isinstance(cause, IsADirectoryError | FileExistsError):
        return f"{cause.filename}: {cause.strerror}; choose another place"
    return None


def words_of(arguments: list[str]) -> list[tuple[int, str]]:
    """List all arguments but the values of Hydra's own options, with their places."""
    return [(at, word) for at, (before, word) in enumerate(pairwise(["", *arguments])) if before not in WITH_VALUE]


def _of_hydra(error: Exception, arguments: list[str]) -> str:
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, name = error.missing_cfg_file.partition("/")
        known = list(choices(group)) or sorted(error.options)  # the latter of Hydra's own groups
        return (
            f"{group} '{name}' is not known{nearest(name, known)}\n"
            f"  there are: {', '.join(known)}   (one yaml each in conf/{group}/)"
        )
    said = str(error)
    keys, sweeps = declared(), bool({"-m", "--multirun"}.intersection(arguments))
    for _, argument in words_of(arguments):
        key, equals, value = argument.lstrip("+~").partition("=")
        if not sweeps and (message := _of_choice(argument, key, value, said)):
            return message
        if not equals and not argument.startswith(("-", "~")):
            return f"'{argument}' sets nothing; expected name=value, as in model=memn2n (python run.py --help)"
        if f"'{argument}'" in said and "Ambiguous value" in said:
            sweep = f"for a run of each: -m {argument}"
            return f"{argument}: expected one value; for a list: {key}=[{value}]; {sweep}"
        if isinstance(error, OverrideParseException) and error.override == argument:
            return f"{argument}: this cannot be read; quote a value with blanks, commas or brackets"
        if argument.startswith("model.recipe.") and key in said and key.rpartition(".")[2] in _recipe():
            return f"no yaml of this model sets '{key}'; type it with a plus: +{argument}"
        if equals and key in said and key not in keys and not argument.startswith(("+", "~", "-")):
            parent = key.rpartition(".")[0]
            beside = _beside(parent, arguments) or [k for k in keys if k.rpartition(".")[0] == parent]
            return unknown(key, beside or [k for k in keys if "." not in k], list(keys))
        if argument.startswith("+") and "Could not append" in said and f"'{key}'" in said:
            return f"{argument}: the yaml sets it already; type it without the plus: {argument.lstrip('+')}"
        if equals and f"'{key}'" in said and keys.get(key):
            return f"'{key}' is not an option of what was chosen; it stands in {', '.join(keys[key])}"
    return f"{said.splitlines()[0]}\n  (python run.py --help shows what can be set)"


def _of_choice(argument: str, key: str, value: str, said: str) -> str:
    """Explain an argument that chooses nothing, or several, where one is needed; empty for any other argument."""
    if key not in GROUPS or argument.startswith("+"):
        return ""
    several = value.strip("[]'\"")
    if argument.startswith("~") or value == "" or "Config group override must" in said:
        hint = "; logger=none writes nowhere" if key == "logger" else ""
        return f"{argument}: expected one of {', '.join(choices(key))}{hint}"
    if "," in several and key == "logger" and not value.startswith("["):
        return f"{argument}: to log to all of them, type logger=[{several}]; for a run with each, -m {argument}"
    if "," in several and key != "logger":
        return f"{argument}: a run has one {key}; for a run of each: python run.py -m {key}={several}"
    return ""


def _beside(parent: str, arguments: list[str]) -> list[str]:
    """The options below a key, as they are for the choices that the arguments make; empty if these choose nothing."""
    chosen = [one for one in arguments if one.partition("=")[0] in (*GROUPS, "experiment")]
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            node = OmegaConf.select(compose("config", chosen), parent) if parent else None
    except (HydraException, OmegaConfBaseException, ValueError):
        return []
    return [f"{parent}.{name}" for name in node or () if name not in ("_target_", "recipe")]


def _recipe() -> list[str]:
    from zoo.training.recipe import Recipe  # which loads torch

    return [field.name for field in dataclasses.fields(Recipe)]
