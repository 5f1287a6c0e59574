"""Networks and stories → playground.html: one file that works without a server, and fetches nothing."""

from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files

import torch

from tasks.babi import TASKS
from tasks.batch import NONE
from tasks.corpus import Corpus
from tasks.errors import UserError
from zoo.leaderboard.html import assembled
from zoo.playground import graph
from zoo.playground.dialog import Bot, dialog_data
from zoo.playground.short import shortened
from zoo.playground.words import following, text_of
from zoo.pretrained.network import Network
from zoo.traces import TRACES

LENGTHS = (10, 25)  # sentences of a story; each has a graph, and none may be longer
STORIES = 8  # questions per task, to start from
LARGEST = 6 * 10**6  # bytes of the page
STYLES = ("style.css",)
SCRIPTS = (
    *("tensors.js", "operators.js", "graph.js", "words.js"),
    *("state.js", "reading.js", "telling.js", "dialog.js", "main.js"),
)
Say = Callable[[str], None]


def as_html(
    networks: Sequence[Network], corpus: Corpus, say: Say, may_leave_out: bool = False, bot: Bot | None = None
) -> str:
    """Write playground.html.

    Args:
        networks: each a model of its own.
        corpus: has stories to start from, and shows how words follow each other.
        say: is told of each network that is ready, or is left out.
        may_leave_out: whether the largest networks are left out of a page that would be too large.
        bot: holds a dialog, in a tab of its own.
    """
    data = page_data(networks, corpus, say, bot)
    while (size := len((text := _assembled(data)).encode())) > LARGEST:
        too_large = f"the page would have {size / 1e6:.1f} MB, and {LARGEST / 1e6:.0f} at most are expected"
        if not may_leave_out or len(data["models"]) == 1:
            raise UserError(f"{too_large}; leave a model out: models=memn2n,entnet,…")
        largest = max(data["models"], key=lambda model: sum(map(len, _texts(model["network"]))))
        data["models"].remove(largest)
        say(f"left out: {largest['name']}, the largest; with it {too_large}")
    return text


def _assembled(data: dict) -> str:
    own, shared = files("zoo.playground") / "template", files("zoo.leaderboard") / "template"
    styles = [shared / "style.css", *(own / name for name in STYLES)]
    scripts = [shared / "elements.js", *(own / name for name in SCRIPTS)]
    return assembled(own / "page.html", styles, scripts, data)


def page_data(networks: Sequence[Network], corpus: Corpus, say: Say, bot: Bot | None = None) -> dict:
    """Arrange what the page holds."""
    vocabularies: list[list[str]] = []
    shown, left_out = [], []
    for network in networks:
        model = shortened(network, corpus)
        graphs = graph.graphs_of(model, network.unseen, network.sizes.sentence_length, LENGTHS)
        if missing := graph.missing_operators(graphs):
            said = f"{network.name} needs {', '.join(missing)}, which zoo/playground/template/operators.js lacks"
            left_out.append(network.name)
            say(f"left out: {said}")
            continue
        if network.words not in vocabularies:
            vocabularies.append(network.words)
        shown.append(
            _about(network) | {"vocabulary": vocabularies.index(network.words), "network": graph.as_page_data(graphs)}
        )
        nodes = max(len(of["nodes"]) for of in graphs.of_slots.values())
        say(f"{network.name}: {nodes:,} operators, {sum(map(len, _texts(shown[-1]['network']))) / 1e3:,.0f} kB")
    sentences: dict[str, int] = {}
    return {
        "models": shown,
        "left_out": left_out,
        "vocabularies": vocabularies,
        "tasks": {str(task): TASKS[task] for task in sorted(set(corpus.test.task.tolist()))},
        "stories": _stories(corpus, sentences),
        "sentences": list(sentences),
        "following": {
            "tell": following(corpus, corpus.train.facts),
            "ask": following(corpus, corpus.train.question),
        },
        "longest": LENGTHS[-1],
        "traces": TRACES,
        "dialog": _about(bot.network) | dialog_data(bot) if bot else None,
    }


def _texts(network: dict) -> Iterable[str]:
    return (network["weights"], *network["graphs"].values())


def _about(network: Network) -> dict:
    model, errors = network.model, network.about.trainings[network.training].test
    return {
        "name": network.name,
        "paper": model.paper._asdict(),
        "memory": model.memory,
        "supervision": model.supervision,
        "traces": model.traces,
        "window": model.window,
        "error": round(sum(errors.values()) / len(errors), 1),
        "learned_from": network.about.label,
        "parameters": sum(of.numel() for of in model.parameters()),
        "sentence_length": network.sizes.sentence_length,
    }


def _stories(corpus: Corpus, sentences: dict[str, int]) -> dict[str, list[dict]]:
    """Choose test questions of every task, spread evenly over the longer half of the stories that are short enough.

    Args:
        corpus: has the questions.
        sentences: their numbers; those of the stories are added.
    """
    test, found = corpus.test, {}
    for task in sorted(set(test.task.tolist())):
        fitting = ((test.task == task) & (test.told <= LENGTHS[-1])).nonzero()[:, 0]
        fitting = fitting[test.told[fitting] >= test.told[fitting].median()]
        places = torch.linspace(0, len(fitting) - 1, min(STORIES, len(fitting))).round().long()
        found[str(task)] = [_story(corpus, number, sentences) for number in fitting[places].tolist()]
    return found


def _story(corpus: Corpus, number: int, sentences: dict[str, int]) -> dict:
    test = corpus.test
    begin, told = int(test.begin[test.story[number]]), int(test.told[number])
    said = [text_of(corpus, row) for row in test.facts[begin : begin + told].tolist()]
    return {
        "story": [sentences.setdefault(text, len(sentences)) for text in said],
        "question": text_of(corpus, int(test.question[number])),
        "answer": corpus.words[int(test.answer[number])],
        "facts": [fact for fact in test.support[number].tolist() if fact != NONE],
    }
