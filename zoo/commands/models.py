"""zoo models [pattern]

List the models that this installation knows, with their papers; zoo models "memn2n*" lists some. A file
conf/model/NAME.yaml in the working folder adds one.
"""

from rich.console import Console
from rich.table import Table

from zoo.commands import Given, Grammar
from zoo.commands.listing import matching
from zoo.training.build import registered

GRAMMAR = Grammar(names=("pattern",), bare="pattern")


def main(given: Given) -> None:
    models = registered()
    table = Table()
    for column in ("model=", "paper", "learns from", "memory", "link"):
        table.add_column(column, no_wrap=column == "model=", overflow="fold")
    for name in matching(given.get("pattern"), list(models), "model"):
        model = models[name]
        paper = model.paper
        table.add_row(name, f"{paper.authors}, {paper.year}", model.supervision, model.memory, paper.link)
    Console().print(table)
