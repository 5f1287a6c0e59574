"""The identity of a run: a hash of every setting that decides its figures.

FROZEN. Names, values and both sentences go into the hash letter by letter: a change here orphans the committed records.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.corpus import Data  # which loads torch

SCHEMA = 1
SELECTIONS = {  # by kind of data
    "stories": (
        "of each restart the epoch of lowest validation error, of equals the last; of the restarts the one of lowest "
        "validation error, of equals that of lowest validation loss in the last epoch; test read once, at the end"
    ),
    "sequences": (
        "of each restart the epoch of fewest bits on validation sequences, of equals the last; of the restarts the one "
        "of fewest bits; test sequences read once, at the end"
    ),
}
# Options that are younger than some records, and the value that means "as before". With this value an option is no part
# of the settings, so the identities of older records stay what they are. A new option of a model, its recipe or a task
# goes here, by its full name (model.recipe.average, task.rename …).
NEUTRAL: dict[str, object] = {
    "compile": "auto",
    "kernels": "auto",
    "model.recipe.warmup_steps": 0,
    "model.recipe.anneal_by": 0.5,
    "model.recipe.mixed": False,
    "model.recipe.batched_by": "",
    "model.recipe.l2": 0.0,
    "model.recipe.average": 0.0,
    "model.recipe.refit": False,
    "model.head_init": "stacked",
    "model.forget_bias": 0.0,
    "model.training_slots": 0,
    "model.sees_question": False,
    "model.word_masks": False,
    "model.answers_from": "question",
    "model.dropped": 0.0,
    "model.dropout_of": "dimensions",
    "task.rename": False,
}


def settings_of(config: dict, experiment: str | None, data: "Data", packs: list[list[str]]) -> dict:
    """Collect the settings that decide the figures of a run; folders, loggers and processes do not.

    Args:
        config: the resolved configuration.
        experiment: the name of the experiment, if there is one.
        data: what is learned.
        packs: the trainings of each program.
    """
    without = ["source", "download", "protocol", "text"]  # what a text holds is in the digest of the data
    if data.source in ("official", "partial") and not data.filled:  # then nothing was generated
        without += ["generator", "fill_missing"]
    task = {key: value for key, value in config["task"].items() if key not in without}
    together = [sorted(names, key=int) for names in packs if len(names) > 1]  # they have one size
    if "ids" in task:
        task["ids"] = sorted(task["ids"])
    return without_neutral(
        {
            "experiment": experiment,
            "model": config["model"],
            "task": task | {"source": data.source},
            "protocol": config["protocol"],
            "restarts": config["restarts"],
            "seed": config["seed"],
            "max_epochs": config["trainer"]["max_epochs"],
            "accelerator": config["trainer"]["accelerator"],
            "compile": config["trainer"]["compile"],  # of older records
            "kernels": config["trainer"]["kernels"],  # which round otherwise
            **({"together": sorted(together)} if together else {}),
            "data_sha256": data.fingerprint,
        }
    )


def without_neutral(settings: Mapping, above: str = "") -> dict:
    """Leave out every option that has its value in NEUTRAL."""
    kept = {}
    for name, value in settings.items():
        full = above + name
        if full in NEUTRAL and value == NEUTRAL[full]:
            continue
        kept[name] = without_neutral(value, f"{full}.") if isinstance(value, Mapping) else value
    return kept


def identity_of(settings: dict, kind: str) -> str:
    """Hash the settings: ten hexadecimal digits, equal only for runs that must give equal figures."""
    text = json.dumps({"schema": SCHEMA, "selection": SELECTIONS[kind]} | settings, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def changed(then: dict, now: dict, above: str = "") -> list[tuple[str, object, object]]:
    """List the settings that differ: full name, value then, value now."""
    found = []
    for name in dict.fromkeys((*then, *now)):
        before, after = then.get(name), now.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            found += changed(before, after, f"{above}{name}.")
        elif before != after:
            found.append((above + name, before, after))
    return found
