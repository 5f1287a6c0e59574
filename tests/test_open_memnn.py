"""The long tail of memory networks: its equations, and what it is good for."""

from dataclasses import replace

import pytest
import torch

from tasks.batch import NONE, PAD
from tasks.corpus import Corpus
from tasks.wikimovies.generator import FilmWorld, generate
from tasks.wikimovies.tables import corpus_of, read
from tests.configs import config
from tests.reference.compare import questions
from tests.reference.open_memnn import PlainOpen
from zoo.models.memnn import MemNN
from zoo.models.open_memnn import PRIME, OpenMemNN, cluster
from zoo.training.train import train

OFF = {"match": "none", "unseen": 0.0}
SETTINGS = [
    {"match": "score", "unseen": 0.2, "adaptive": True, "ngrams": 3, "nonlinear": True, "reads": 3},
    {"match": "features", "unseen": 0.2, "adaptive": False, "ngrams": 2, "nonlinear": True, "reads": 2},
    {"match": "features", "unseen": 0.0, "hashing": "words", "adaptive": True, "ngrams": 1, "nonlinear": False},
    {"match": "score", "unseen": 0.2, "hashing": "clusters", "clusters": 5, "adaptive": False, "reads": 2},
    {
        "match": "none",
        "unseen": 0.2,
        "hashing": "words",
        "adaptive": False,
        "ngrams": 1,
        "nonlinear": False,
        "reads": 2,
    },
    {**OFF, "time": False, "hashing": "clusters", "clusters": 9, "adaptive": True, "ngrams": 1, "reads": 2},
]


def network_of(corpus: Corpus, **setting: object) -> OpenMemNN:
    torch.manual_seed(11)
    network = OpenMemNN(**corpus.sizes._asdict(), dim=4, buckets=17, margin=0.5, init_std=0.7, **setting).double()
    with torch.no_grad():
        for began_as_zero in (network.worth, network.M):
            if began_as_zero is not None:
                began_as_zero.normal_(std=0.5)
    return network


@pytest.mark.parametrize("setting", SETTINGS)
def test_open_memnn_is_its_equations(setting, uneven):
    network = network_of(uneven, **setting)
    batch = uneven.by_question(uneven.train, torch.arange(len(uneven.train)), network.window)
    second = torch.where(batch.told > 3, 2, NONE)  # so that there is a second right read
    second = torch.where(second == batch.support[:, 0], NONE, second)
    noise = network.noise(batch.told, torch.Generator().manual_seed(3))
    never = torch.arange(len(uneven.words)) == 5
    batch = batch._replace(support=torch.stack([batch.support[:, 0], second], dim=1), noise=noise, unseen=never)
    a, b, _ = noise[0].tolist()
    drawn = [word for word in range(1, len(uneven.words)) if (a * word + b) % PRIME < network.unseen * PRIME]
    unseen = {5, *drawn} if network.unseen else set()
    assert len(unseen) > 1 or not network.unseen
    answer = network(batch)
    losses = network.loss(answer, batch)
    expected = {"reading": 0, "answer": 0}
    for n, story, question in questions(batch):
        plain = PlainOpen(network, story, question, unseen)
        read = plain.read()
        assert answer.trace.attention[n].argmax(-1).tolist()[: len(read)] == read
        torch.testing.assert_close(answer.scores[n, 1:], plain.answers(read))
        facts = [int(place) for place in batch.support[n] if place != NONE]
        reading, answering = plain.loss(facts, int(batch.answer[n]))
        expected["reading"] += reading
        expected["answer"] += answering
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value)
    ours, theirs = (
        torch.autograd.grad(sum(terms.values()), list(network.parameters()), allow_unused=True, materialize_grads=True)
        for terms in (losses, expected)
    )
    for (name, _), one, other in zip(network.named_parameters(), ours, theirs, strict=True):
        torch.testing.assert_close(one, other, msg=name)
    assert hashed_away(network, batch) == ("hashing" in setting)


def hashed_away(network: OpenMemNN, batch) -> bool:
    """Whether a first read leaves out some memory."""
    features = network.encode(batch)
    x = network.embed(features, batch.question, 0)
    candidates, _, _ = network.look(x, batch.told, network.write(features, batch), batch)
    return bool(network.reach(candidates, x, features, batch).match.isinf().any())


@pytest.fixture(scope="module")
def films() -> Corpus:
    files = generate(FilmWorld(triples=1000, questions=100))
    return corpus_of(*read(files, {role: role for role in files}, slots=20, frequency=1000))


@pytest.mark.parametrize("drawn", [False, True])
def test_of_several_facts_one_is_learned_and_the_others_are_no_mistakes(drawn, films):
    network = network_of(films, match="score", unseen=0.0, time=False, adaptive=False, reads=1, ngrams=1)
    split = films.train
    split = replace(split, support=torch.where(torch.arange(len(split))[:, None] == 3, NONE, split.support))
    batch = films.by_question(split, torch.arange(30), network.window)
    if drawn:
        batch = batch._replace(noise=network.noise(batch.told, torch.Generator().manual_seed(5)))
    expected, answered = [torch.zeros(2).double()], set()
    for n, story, question in questions(batch):
        facts = [place for place in batch.support[n].tolist() if place != NONE]
        if facts:  # who has none learns nothing
            number = int(batch.noise[n, 2]) % len(facts) if drawn else 0
            fact = facts[number]
            answered.add(number)
            left = [memory for place, memory in enumerate(story) if place == fact or place not in facts]
            plain = PlainOpen(network, left, question, set())
            expected.append(torch.stack(plain.loss([left.index(story[fact])], story[fact][0])))
    assert len(expected) == 30
    assert (len(answered) > 1) == drawn
    losses = network.loss(network(batch), batch)
    torch.testing.assert_close(torch.stack([losses["reading"], losses["answer"]]), sum(expected))


def test_with_everything_off_it_is_memnn(uneven):
    torch.manual_seed(1)
    usual = MemNN(**uneven.sizes._asdict())
    torch.manual_seed(1)
    off = OpenMemNN(**uneven.sizes._asdict(), **OFF)
    batch = uneven.by_question(uneven.train, torch.arange(6), usual.window)
    assert off(batch).scores.equal(usual(batch).scores)
    assert off.learn(batch)["reading"].equal(usual.learn(batch)["reading"])


def test_a_share_of_the_words_is_drawn_as_unseen_and_never_the_empty_one(uneven):
    network = OpenMemNN(1000, 5, 5, unseen=0.2)
    batch = uneven.by_question(uneven.train, torch.arange(2), 5)._replace(unseen=None)
    assert not network.new_words(batch).any()
    draws = torch.stack(
        [
            network.new_words(batch._replace(noise=network.noise(batch.told, torch.Generator().manual_seed(seed))))
            for seed in range(200)
        ]
    )
    assert 0.19 < draws.double().mean() < 0.21
    assert not draws[:, PAD].any()
    pairs = draws[:, 1:400] & draws[:, 401:800]  # one word tells nothing about another
    assert 0.03 < pairs.double().mean() < 0.05


def test_words_of_like_vectors_share_a_cluster():
    torch.manual_seed(0)
    kinds = torch.tensor([0, 0, 1, 2, 1, 0, 2, 2, 1, 0])  # words 1, 4 and 7 are where it begins
    vectors = torch.eye(3)[kinds] + 0.05 * torch.randn(10, 3)
    members = cluster(vectors, torch.arange(10) != 9, clusters=3)
    assert members.sum(1).tolist() == [0.0] + 8 * [1.0] + [0.0]  # not the empty word, nor one without a vector
    for kind in range(3):
        same = members[1:9][kinds[1:9] == kind]
        assert same.amax(1).sum() == len(same)
        assert (same == same[0]).all()


@pytest.fixture(scope="module")
def renamed_world(corpus) -> Corpus:
    """The little world, with two other people and two other places in its test."""
    words = [*corpus.words, "eve", "finn", "forge", "grove"]
    name = torch.arange(len(corpus.words))
    name[[corpus.words.index(word) for word in ("ada", "ben", "attic", "barn")]] = torch.arange(len(name), len(words))
    test, first = corpus.test, len(corpus.sentences)
    test = replace(test, facts=test.facts + first, question=test.question + first, answer=name[test.answer])
    return replace(corpus, words=words, sentences=torch.cat([corpus.sentences, name[corpus.sentences]]), test=test)


def test_the_corpus_knows_which_words_training_has_not_seen(renamed_world):
    unseen = renamed_world.unseen
    assert [word for word, new in zip(renamed_world.words, unseen.tolist(), strict=True) if new] == [
        "eve", "finn", "forge", "grove",
    ]  # fmt: skip
    batch = renamed_world.by_question(renamed_world.test, torch.arange(3), 5)
    assert batch.unseen.equal(unseen)


@pytest.mark.slow
def test_new_people_and_places_are_understood(renamed_world, tmp_path):
    def errors(*options: str) -> float:
        given = config(
            "model=open_memnn", "model.recipe.epochs=60", "model.recipe.anneal_every=20", "restarts=3",
            "logger=none", "results_dir=nowhere", *options,
        )  # fmt: skip
        named = given | {"run": {"name": "open_memnn", "identity": "x"}}
        figures = train(named, {"1": renamed_world}, tmp_path / "-".join(("with", *options)), lambda name, state: None)[
            "1"
        ]
        return figures["errors"]["test"][1].median()

    assert errors() < 5
    assert errors("model.unseen=0") > 40  # it takes both
    assert errors("model.match=none") > 40
