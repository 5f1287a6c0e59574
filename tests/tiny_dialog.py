"""A little world of dialogs in the release's format: somebody wants a table, gets an offer and asks for its number."""

import random
from pathlib import Path

from tasks.corpus import Data
from tasks.dialog.official import FOLDER
from tasks.dialog.task import load

CUISINES, CITIES = ("greek", "thai"), ("oslo", "lima")
UNKNOWN_CITIES = ("bern", "cork")


def name_of(cuisine: str, city: str) -> str:
    return f"resto_{city}_{cuisine}"


def dialogs(count: int, seed: int, cities: tuple[str, ...]) -> str:
    draw = random.Random(seed)
    text = ""
    for _ in range(count):
        cuisine, city = draw.choice(CUISINES), draw.choice(cities)
        name = name_of(cuisine, city)
        lines = [
            f"{draw.choice(['hi', 'hello', 'good morning'])}\thello what can i help you with today",
            f"{cuisine} food please\twhere should it be",
            f"in {city}\tok let me look",
            f"<SILENCE>\tapi_call {cuisine} {city}",
            f"{name} R_cuisine {cuisine}",
            f"{name} R_phone {name}_phone",
            f"what is its number\there it is {name}_phone",
        ]
        text += "".join(f"{number} {line}\n" for number, line in enumerate(lines, start=1)) + "\n"
    return text


def write_dialogs(data_dir: Path) -> Path:
    """A data_dir with task 1 (it has a test set of unknown words) and task 6 (it has none, and no knowledge base)."""
    home = data_dir / FOLDER
    home.mkdir(parents=True)
    pairs = [(cuisine, city) for cuisine in CUISINES for city in CITIES + UNKNOWN_CITIES]
    replies = ["hello what can i help you with today", "where should it be", "ok let me look"]
    replies += [f"api_call {cuisine} {city}" for cuisine, city in pairs]
    replies += [f"here it is {name_of(*pair)}_phone" for pair in pairs]
    for name in ("dialog-babi-candidates.txt", "dialog-babi-task6-dstc2-candidates.txt"):
        (home / name).write_text("".join(f"1 {reply}\n" for reply in replies))
    (home / "dialog-babi-kb-all.txt").write_text(
        "".join(
            f"1 {name_of(*pair)} R_cuisine\t{pair[0]}\n1 {name_of(*pair)} R_location\t{pair[1]}\n"
            f"1 {name_of(*pair)} R_phone\t{name_of(*pair)}_phone\n"
            for pair in pairs
        )
    )
    for stem, parts in (("1-API-calls", ("trn", "dev", "tst", "tst-OOV")), ("6-dstc2", ("trn", "dev", "tst"))):
        for seed, part in enumerate(parts):
            cities = UNKNOWN_CITIES if part == "tst-OOV" else CITIES
            (home / f"dialog-babi-task{stem}-{part}.txt").write_text(dialogs(40 if part == "trn" else 10, seed, cities))
    return data_dir


def load_dialogs(data_dir: Path, ids: tuple[int, ...] = (1,), match: bool = False, **options: object) -> Data:
    """The tasks as conf/task/dialog.yaml has them, but for `options`."""
    usual = {"source": "official", "download": False, "protocol": "per_task"}
    return load(list(ids), match=match, data_dir=str(data_dir), cache_dir="unused", **usual | options)
