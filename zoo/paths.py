"""Where the project's own files lie: in a checkout, or in the folder that pip installed."""

import os
from pathlib import Path

_HERE = Path(__file__).parent
ROOT = _HERE.parent  # of the code
IS_CHECKOUT = (ROOT / "run.py").is_file() and (ROOT / "conf" / "config.yaml").is_file()
CONF = ROOT / "conf" if IS_CHECKOUT else _HERE / "conf"
PUBLISHED = ROOT / "results" if IS_CHECKOUT else _HERE / "published"  # published*.csv


def cache_dir() -> Path:
    """Name the folder of things that can be made again: compiled kernels, composed settings."""
    return Path(os.environ.get("ZOO_CACHE", "~/.cache/memory-zoo")).expanduser()


def conf_folders() -> list[Path]:
    """List the folders of configuration: the zoo's own, then `conf/` of the working folder, for models of your own."""
    own = Path.cwd() / "conf"
    return [CONF, own] if own.is_dir() and own.resolve() != CONF.resolve() else [CONF]


def choices(group: str) -> dict[str, Path]:
    """Find the files of a group of the configuration, by the names that stand behind its `=`."""
    return {
        file.relative_to(folder / group).with_suffix("").as_posix(): file
        for folder in conf_folders()
        for file in sorted((folder / group).rglob("*.yaml"))
    }
