"""zoo playground [out=results/playground.html] [models=memn2n,entnet,…] [results_dir=results] [data_dir=data]

Make the playground: one page in which trained networks read a story side by side, in the reader's browser. It takes the
joint network of every model whose weights are in results_dir/weights, and stories of the test set to start from. The
largest networks are left out where the page would be too large; models= says which are wanted. If a network of
task=dialog is there too, without match types, a second tab has its dialogs.
"""

import sys
from pathlib import Path

from tasks.errors import UserError, printable
from tasks.files import write_atomically
from zoo.commands import Given, Grammar
from zoo.playground.members import corpus_of, find_bot, members
from zoo.playground.page import as_html

GRAMMAR = Grammar(names=("out", "models", "results_dir", "data_dir"), bare="out")


def main(given: Given) -> None:
    models = given.get("models")
    networks = members(given.results_dir, models.split(",") if models else ())
    corpus = corpus_of(networks[0], given.get("data_dir"))
    try:
        bot = find_bot(given.results_dir, given.get("data_dir"))
    except UserError as error:
        _say(f"without a dialog: {str(error).splitlines()[0]}")
        bot = None
    text = as_html(networks, corpus, _say, may_leave_out=not models, bot=bot).encode()
    out = Path(given.get("out") or given.results_dir / "playground.html")
    write_atomically(out, lambda stream: stream.write(text))
    print(f"{out}: {len(text) / 1e6:.1f} MB")


def _say(line: str) -> None:
    print(printable(line), file=sys.stderr, flush=True)
