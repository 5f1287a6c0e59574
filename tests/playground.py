"""Stories of a little world, and networks without training, for the tests of the playground."""

import torch

from tasks.babi.tables import read
from tasks.corpus import Corpus
from tasks.lexicon import Lexicon
from tests.configs import config
from tests.tiny_babi import stories
from zoo.pretrained.network import Network
from zoo.records.weights import About, Facts, Trained
from zoo.training.build import build


def little_world() -> Corpus:
    """Stories of three sentences, with a question after each."""
    lexicon = Lexicon()
    train, test = (read(stories(count, count, 3, 1).encode(), "world", 1, lexicon) for count in (30, 12))
    return Corpus(list(lexicon.words), lexicon.table(), train, train, test)


def member(name: str, corpus: Corpus, shown: str = "", task: str = "joint", **options: object) -> Network:
    """A network whose weights are large enough for answers that differ.

    Args:
        name: of the model.
        corpus: whose words it knows.
        shown: another name, for the page.
        task: what it is said to have learned: "joint", of bAbI, or a task of dialogs.
        options: of the model.
    """
    family = "babi" if task == "joint" else "dialog"
    words = [f"model={name}"] if task == "joint" else [f"model={name}", "task=dialog"]
    settings = {"model": config(*words)["model"] | options}
    model = build(settings["model"], corpus.sizes, seed=1).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(3)
    unlearned = corpus.unseen.nonzero()[:, 0].tolist()
    errors = {"1": 12.5} if task == "joint" else {task: 12.5}
    facts = Facts(sizes=list(corpus.sizes), words=corpus.words, unlearned=unlearned, valid=errors, test=errors)
    about = About(
        format=1, record="made-up", model=shown or name, experiment=None, family=family, label="1k", source="official",
        protocol="joint" if task == "joint" else "per_task", supervision=model.supervision, licence="",
        settings=settings, trainings={task: facts},
    )  # fmt: skip
    tables = {} if corpus.candidates is None else corpus.candidates._asdict()
    candidates = {name: table.numpy() for name, table in tables.items()}
    return Network(model.requires_grad_(False), about, task, Trained(facts, {}, candidates))
