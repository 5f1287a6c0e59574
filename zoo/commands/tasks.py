"""zoo tasks [pattern]

List the tasks: zoo run task=NAME trains on one of them.
"""

from rich.console import Console
from rich.table import Table

from zoo.commands import Given, Grammar
from zoo.commands.listing import headline, matching
from zoo.paths import choices

GRAMMAR = Grammar(names=("pattern",), bare="pattern")


def main(given: Given) -> None:
    files, table = choices("task"), Table()
    table.add_column("task=", no_wrap=True)
    table.add_column("what it asks", overflow="fold")
    for name in matching(given.get("pattern"), list(files), "task"):
        table.add_row(name, headline(files[name]))
    Console().print(table)
