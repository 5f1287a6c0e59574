"""Networks and stories → playground.html: one file that works without a server, and fetches nothing."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from importlib.resources import files
from itertools import pairwise

import torch
from torch import Tensor

from tasks.babi import TASKS
from tasks.batch import NONE
from tasks.corpus import Corpus
from tasks.errors import UserError
from zoo.interface import MemoryNetwork
from zoo.kinds.stories import evaluation_batches
from zoo.leaderboard.html import assembled
from zoo.playground import graph
from zoo.pretrained.network import Network
from zoo.traces import TRACES
from zoo.training.ensemble import Ensemble

LENGTHS = (10, 25)  # sentences of a story; each has a graph, and none may be longer
STORIES = 8  # questions per task, to start from
FOLLOWING = 40  # words at most that are offered behind a word
BITS = range(12, 24)  # significant ones, of rounded weights
SAME = 9e-5  # by which rounded weights may change a probability
LARGEST = 6 * 10**6  # bytes of the page
STYLES = ("style.css",)
SCRIPTS = ("tensors.js", "operators.js", "graph.js", "words.js", "state.js", "reading.js", "telling.js", "main.js")
Say = Callable[[str], None]


def as_html(networks: Sequence[Network], corpus: Corpus, say: Say, may_leave_out: bool = False) -> str:
    """Write playground.html.

    Args:
        networks: each a model of its own.
        corpus: has stories to start from, and shows how words follow each other.
        say: is told of each network that is ready, or is left out.
        may_leave_out: whether the largest networks are left out of a page that would be too large.
    """
    data = page_data(networks, corpus, say)
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


def page_data(networks: Sequence[Network], corpus: Corpus, say: Say) -> dict:
    """Arrange what the page holds."""
    vocabularies: list[list[str]] = []
    shown, left_out = [], []
    for network in networks:
        model = _shortened(network, corpus)
        graphs = graph.graphs_of(model, network.unseen, network.sizes.sentence_length, LENGTHS)
        if missing := graph.missing_operators(graphs):
            said = f"{network.name} needs {', '.join(missing)}, which zoo/playground/template/operators.js lacks"
            left_out.append(network.name)
            say(f"left out: {said}")
            continue
        if network.words not in vocabularies:
            vocabularies.append(network.words)
        shown.append(_model(network, vocabularies.index(network.words)) | {"network": graph.as_page_data(graphs)})
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
            "tell": _following(corpus, corpus.train.facts),
            "ask": _following(corpus, corpus.train.question),
        },
        "longest": LENGTHS[-1],
        "traces": TRACES,
    }


def _shortened(network: Network, corpus: Corpus) -> MemoryNetwork:
    """Round the weights of a network, so that they take less room.

    It answers every question of the test as before, and no probability changes by more than SAME.
    """
    if network.words == corpus.words:
        for bits in BITS:
            short = deepcopy(network.model)
            for weights in short.parameters():
                weights.data = graph.shortened(weights.data, bits)
            if _alike(network.model, short, corpus):
                return short
    return network.model


def _alike(network: MemoryNetwork, other: MemoryNetwork, corpus: Corpus) -> bool:
    for batch in evaluation_batches(corpus, corpus.test, network):
        said, now = (Ensemble([model]).answer(batch).scores.softmax(-1) for model in (network, other))
        if not torch.equal(said.argmax(-1), now.argmax(-1)) or bool((said - now).abs().max() > SAME):
            return False
    return True


def _texts(network: dict) -> Iterable[str]:
    return (network["weights"], *network["graphs"].values())


def _model(network: Network, vocabulary: int) -> dict:
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
        "vocabulary": vocabulary,
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


def text_of(corpus: Corpus, row: int) -> str:
    """Spell a sentence of the table."""
    return " ".join(corpus.words[word] for word in corpus.sentences[row].tolist() if word)


def _following(corpus: Corpus, said: Tensor) -> dict[str, list[str]]:
    """List the words that follow each word in some sentences, the most frequent first; "" is the begin and the end.

    Args:
        corpus: has the words.
        said: rows of the sentence table.
    """
    after: defaultdict[str, Counter[str]] = defaultdict(Counter)
    rows, counts = said.unique(return_counts=True)
    for sentence, count in zip(corpus.sentences[rows].tolist(), counts.tolist(), strict=True):
        words = ["", *(corpus.words[word] for word in sentence if word), ""]
        for word, follower in pairwise(words):
            after[word][follower] += count
    return {word: [one for one, _ in of.most_common(FOLLOWING)] for word, of in sorted(after.items())}
