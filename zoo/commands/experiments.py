"""zoo experiments [pattern]

List the settings of papers, and settings of our own that do better: zoo run experiment=NAME makes one. A published
figure stands behind its setting. ‡: seen only where others quote the paper. †: known from memory of the paper only.
"""

from pathlib import Path
from typing import cast

from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table

from zoo.commands import Given, Grammar
from zoo.commands.listing import headline, matching
from zoo.families.babi import FAMILY
from zoo.families.board import Published
from zoo.paths import choices

GRAMMAR = Grammar(names=("pattern",), bare="pattern")


def main(given: Given) -> None:
    files, table = choices("experiment"), Table()
    published = {row["key"]: row for row in FAMILY.published(Path("results"))}
    for column in ("experiment=", "setting", "published error"):
        table.add_column(column, no_wrap=column == "experiment=", overflow="fold")
    for name in matching(given.get("pattern"), list(files), "experiment"):
        row = published.get(str((cast(DictConfig, OmegaConf.load(files[name])).get("published") or {}).get("key")), {})
        figure = Published(row.get("mean_error", ""), row.get("mean_standing", ""))
        table.add_row(name, headline(files[name]), f"{figure} %" if figure.text else "")
    Console().print(table)
