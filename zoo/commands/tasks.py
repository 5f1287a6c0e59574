"""zoo tasks [pattern]

List the tasks: python run.py task=NAME trains on one of them.
"""

from rich.console import Console
from rich.table import Table

from zoo.commands import Given, Grammar
from zoo.commands.listing import headline, matching, named

GRAMMAR = Grammar(names=("pattern",), bare="pattern")


def main(given: Given) -> None:
    files, table = named("task"), Table()
    table.add_column("task=", no_wrap=True)
    table.add_column("what it asks", overflow="fold")
    for name in matching(given.get("pattern"), list(files), "task"):
        table.add_row(name, headline(files[name]))
    Console().print(table)
