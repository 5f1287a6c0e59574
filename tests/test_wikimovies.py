"""WikiMovies from its files to the leaderboard; on a generated world, and on a part of the release."""

import csv
import hashlib
import io
import tarfile

import pytest
import torch

from tasks.batch import NONE, PAD
from tasks.corpus import Data
from tasks.errors import UserError
from tasks.wikimovies import PARTS, RELATIONS, official
from tasks.wikimovies.generator import KINDS, FilmWorld, generate, triples
from tasks.wikimovies.index import Index
from tasks.wikimovies.tables import Store, corpus_of, read, recall
from tasks.wikimovies.task import load
from tasks.wikimovies.text import Names, read_entities, read_knowledge, read_questions
from tests.configs import EXPERIMENTS, ROOT, config
from tests.records import csv_of, markdown, rows_of
from tests.runs import made, the_record
from zoo.families import FAMILIES
from zoo.families.wikimovies import published_of
from zoo.kinds.stories import training_batches
from zoo.runs.plan import plan_of
from zoo.training.build import build, check_fits, registered
from zoo.training.ensemble import Ensemble
from zoo.training.train import train

SEARCHING = [name for name, model in registered("wikimovies").items() if model.unordered]
FROM_ANSWERS = [name for name in SEARCHING if registered("wikimovies")[name].supervision == "answers"]
LITTLE = {"triples": 1000, "questions": 500, "seed": 0}


def load_films(source: str = "generated", **options: object) -> Data:
    """As conf/task/wikimovies.yaml has it, but for `options` and the size of a generated world."""
    usual = config("task=wikimovies")["task"]
    given = {name: value for name, value in usual.items() if name != "_target_"}
    little = {"generator": LITTLE, "data_dir": "nowhere"} if "data_dir" not in options else {}
    return load(**given | {"source": source} | little | options)


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return generate(FilmWorld(**LITTLE))


@pytest.fixture(scope="module")
def opened(files):
    return read(files, {role: role for role in files}, slots=20, frequency=1000)


@pytest.fixture(scope="module")
def store(opened) -> Store:
    return opened[0]


@pytest.fixture(scope="module")
def little(opened):
    return corpus_of(*opened)


def said(corpus, row: int) -> tuple[str, ...]:
    return tuple(corpus.words[word] for word in corpus.sentences[row].tolist() if word != PAD)


class TestText:
    KNOWN = b"Yours, Mine and Ours\nMine\nThe Long Night\nNight\nJo Low\nthe end\n"

    def names(self) -> Names:
        return read_entities(self.KNOWN, "entities")

    def test_a_list_is_cut_at_commas_but_for_those_within_an_entity(self):
        assert self.names().several("Jo Low, Yours, Mine and Ours, Mine, Ann, Lee") == [
            "Jo Low", "Yours, Mine and Ours", "Mine", "Ann", "Lee",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("question", "linked"),
        [
            ("1 Who made The Long Night?\tJo Low\n", ["who", "made", 3]),
            ("1 who made the long Night\tJo Low\n", ["who", "made", "the", "long", 4]),
            ("1 Night, when was it made?\tJo Low\n", [4, "when", "was", "it", "made"]),
            ("1 is Yours, Mine and Ours the end?\tJo Low\n", ["is", 1, 6]),
        ],
    )
    def test_entities_in_a_question_are_one_word_the_longest_first(self, question, linked):
        assert list(read_questions(question.encode(), "file", self.names())) == [(linked, [5])]

    def test_triples_are_told_object_by_object_and_plots_are_left_out(self):
        names = self.names()
        told = "1 The Long Night directed_by Jo Low, Ann\n2 The Long Night has_plot A long, long night.\n"
        told += "\n1 Mine has_genre War\n"
        columns = zip(*read_knowledge(told.encode(), "kb", names), strict=True)
        words = ["", *names.number]
        assert [(words[s], RELATIONS[r], words[o]) for s, r, o in columns] == [
            ("The Long Night", "directed_by", "Jo Low"),
            ("The Long Night", "directed_by", "Ann"),
            ("Mine", "has_genre", "War"),
        ]

    @pytest.mark.parametrize(
        ("read", "data", "message"),
        [
            (read_questions, b"", "file: expected questions, found an empty file"),
            (
                read_questions,
                b"1 who?\tJo Low\nwho?\tJo\n",
                "file, line 2: expected the ID 1, a question, a tab and its",
            ),
            (read_questions, b"1 who?\n", "file, line 1: expected the ID 1, a question, a tab and its answers"),
            (read_questions, b"1 \xff", "file, line 1: not UTF-8 text; the file is damaged or is no file of questions"),
            (read_knowledge, b"\n", "file: expected triples, found none"),
            (read_knowledge, b"1 Mine painted_by Jo\n", "file, line 1: expected a number, a film, a relation"),
            (
                read_knowledge,
                b"1 Mine has_genre War\n3 Mine has_tags x\n",
                "file, line 2: expected the line of its film",
            ),
        ],
    )
    def test_wrong_lines_are_named(self, read, data, message):
        with pytest.raises(UserError, match=message):
            list(read(data, "file", self.names()))

    def test_no_entities(self):
        with pytest.raises(UserError, match="entities: expected entities, one a line, found none"):
            read_entities(b"\n", "entities")


class TestIndex:
    def test_finds_what_shares_a_word_that_is_rare_enough_the_rarest_last(self):
        generator = torch.Generator().manual_seed(3)
        keys = torch.randint(0, 12, (60, 3), generator=generator)
        questions = torch.randint(0, 12, (40, 5), generator=generator)
        count = torch.bincount(keys.flatten(), minlength=12).tolist()
        most = sorted(count[1:])[-3]  # some words are too common
        for slots in (4, 100):
            memories, found = Index(keys, 12, most).find(questions, slots)
            for question, got in zip(questions.tolist(), memories.split(found.tolist()), strict=True):
                usable = {word for word in question if word and count[word] < most}
                expected = []
                for memory, key in enumerate(keys.tolist()):
                    shared = usable.intersection(key)
                    if shared:
                        expected.append((min(count[word] for word in shared), memory))
                expected = [memory for _, memory in sorted(expected, reverse=True)][-slots:]
                assert got.tolist() == expected

    def test_nothing_is_found_by_unknown_or_common_words(self):
        index = Index(torch.tensor([[1, 2], [1, 3]]), 5, most=2)
        memories, found = index.find(torch.tensor([[0, 4], [1, 0], [3, 1]]), 10)
        assert (memories.tolist(), found.tolist()) == ([1], [0, 0, 1])


class TestGenerator:
    def test_a_seed_decides_every_byte(self, files):
        digest = hashlib.sha256(b"".join(files[role] for role in sorted(files))).hexdigest()
        assert digest[:16] == "f7991f33f4361e2e"
        assert generate(FilmWorld(**LITTLE)) == files
        assert generate(FilmWorld(**LITTLE | {"seed": 1})) != files

    @pytest.mark.parametrize("size", [1000, 1234])
    def test_the_knowledge_base_has_as_many_triples_as_asked_for_each_once(self, size):
        told = list(triples(FilmWorld(size)))
        assert len(told) == len(set(told)) == size
        assert {relation for _, relation, _ in told} == set(RELATIONS)

    def test_every_kind_of_question_is_asked_and_rightly_answered(self, files):
        told = list(triples(FilmWorld(**LITTLE)))
        asked = [line for part in PARTS for line in files[part].decode().splitlines()]
        names = read_entities(files["entities"], "entities")
        kinds = {}
        for line in asked:
            question, _, answers = line[2:].partition("?\t")
            for kind, (relation, back, forms) in KINDS.items():
                for form in forms:
                    before, after = form.split("{}")
                    if question.startswith(before) and question.endswith(after):
                        about = question[len(before) : len(question) - len(after)]
                        right = [(v, f)[back] for f, r, v in told if r == relation and (f, v)[back] == about]
                        if right == names.several(answers):
                            kinds.setdefault(kind, set()).add(form)
        assert kinds.keys() == KINDS.keys()
        assert sum(map(len, kinds.values())) > 0.9 * sum(len(forms) for _, _, forms in KINDS.values())
        assert len(KINDS) == 13

    def test_no_question_is_in_two_parts(self, files):
        parts = [set(files[part].decode().splitlines()) for part in PARTS]
        assert [len(part) for part in parts] == [400, 50, 50]
        assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]

    @pytest.mark.parametrize(
        ("option", "value", "message"),
        [
            ("triples", 10, "task.generator.triples=10: expected a whole number from 1,000 to 1,000,000"),
            ("triples", 2_000_000, "task.generator.triples=2000000: expected a whole number from 1,000 to 1,000,000"),
            ("questions", "many", "task.generator.questions=many: expected a whole number from 100"),
            ("seed", -1, "task.generator.seed=-1: expected a whole number from 0 to"),
        ],
    )
    def test_wrong_sizes_are_refused(self, option, value, message):
        with pytest.raises(UserError, match=message):
            FilmWorld(**LITTLE | {option: value})


class TestTables:
    def test_first_examples(self, little):
        train = little.train
        shown = [
            (
                " ".join(said(little, int(train.question[n]))),
                [little.words[answer] for answer in train.golds[n].tolist() if answer],
                [said(little, row) for row in train.facts[train.begin[n] : train.begin[n + 1]].tolist()],
            )
            for n in range(2)
        ]
        assert shown == [
            (
                "where did Nadia Sorviman play a part",
                ["The Heart of the Piano"],
                [
                    ("The Restless Comet and the Iron Glacier", "Nadia Sorviman", "written_by of"),
                    ("The Restless Comet and the Iron Glacier", "Nadia Sorviman", "directed_by of"),
                    ("The Heart of the Piano", "Nadia Sorviman", "starred_actors of"),
                    ("The Jewel of the Fever", "Nadia Sorviman", "directed_by of"),
                ],
            ),
            (
                "from whose script was The Forgotten Window and the Second Giant made",
                ["Mira Vertiland"],
                [
                    ("1982", "The Forgotten Window and the Second Giant", "release_year"),
                    ("Mina Walmaham", "The Forgotten Window and the Second Giant", "starred_actors"),
                    ("Magda Carirov", "The Forgotten Window and the Second Giant", "starred_actors"),
                    ("Sonja Dallaby", "The Forgotten Window and the Second Giant", "starred_actors"),
                    ("Mira Vertiland", "The Forgotten Window and the Second Giant", "written_by"),
                    ("Anton Zeloman", "The Forgotten Window and the Second Giant", "directed_by"),
                ],
            ),
        ]

    def test_memories_are_the_triples_of_the_entities_of_a_question_in_both_directions(self, little, store):
        told = {tuple(triple) for triple in store.triples.tolist()}
        for split in little.splits.values():
            for n in range(len(split)):
                asked = set(little.sentences[split.question[n]].tolist()) - {PAD}
                found = split.facts[split.begin[n] : split.begin[n + 1]]
                memories = [tuple(row[:3]) for row in little.sentences[found].tolist()]
                expected = [triple for triple in store.triples.tolist() if triple[1] in asked]
                assert len(memories) == min(20, len(expected))
                assert {tuple(row) for row in memories} <= told

    def test_facts_are_the_memories_whose_value_is_a_right_answer(self, little):
        several = set()
        for split in little.splits.values():
            for n in range(len(split)):
                memories = split.facts[split.begin[n] : split.begin[n + 1]].tolist()
                right = set(split.golds[n].tolist()) - {PAD}
                expected = [place for place, row in enumerate(memories) if int(little.sentences[row, 0]) in right]
                assert [place for place in split.support[n].tolist() if place != NONE] == expected
                several.add(len(expected))
        assert len(several) > 2

    def test_recall_counts_questions_with_an_answer_in_reach(self, little):
        test, right = little.test, 0
        for n in range(len(test)):
            values = {little.words[little.sentences[row, 0]] for row in test.facts[test.begin[n] : test.begin[n + 1]]}
            right += bool(values & {little.words[answer] for answer in test.golds[n].tolist()})
        assert recall(test) == 100 * right / len(test)

    def test_a_typed_question_is_answered_as_the_same_in_the_tables(self, little, store, files):
        network = build(config("model=kv_memnn", "task=wikimovies")["model"], little.sizes, seed=1).double()
        whole = network(little.by_question(little.test, torch.arange(50), network.window))
        for n, line in enumerate(files["test"].decode().splitlines()):
            typed = network(store.question(line[2:].partition("\t")[0]))
            torch.testing.assert_close(typed.scores[0], whole.scores[n])

    @pytest.mark.parametrize("name", ["kv_memnn", "memnn"])
    def test_a_typed_question_of_unknown_words_sees_nothing(self, name, store):
        batch = store.question("qwertz?")
        assert batch.told.tolist() == [0]
        network = build(config(f"model={name}", "task=wikimovies")["model"], store.sizes, seed=1)
        assert network(batch).scores.isfinite().all()


class TestSources:
    def test_auto_says_that_a_generated_world_stands_in(self):
        data = load_films("auto")
        assert (data.source, data.world) == ("generated", "1,000 triples")
        assert "task.download=true fetches the release" in data.notice
        assert data.recall["test"] == 100

    @pytest.mark.parametrize("source", ["official", "partial"])
    @pytest.mark.parametrize("packed", [False, True])
    def test_a_release_is_found_and_read(self, source, packed, files, tmp_path):
        home = tmp_path / "there" / "wikimovies"
        paths = {
            "/".join((*official.HOMES[source], *folder, name)): files[role]
            for role, (folder, name) in official.names_of(source).items()
        }
        home.mkdir(parents=True)
        if packed:
            with tarfile.open(
                home / f"{'wikimovies' if source == 'official' else 'wikimovies_partial'}.tar.gz", "w:gz"
            ) as pack:
                for path, data in paths.items():
                    member = tarfile.TarInfo(path)
                    member.size = len(data)
                    pack.addfile(member, io.BytesIO(data))
        else:
            for path, data in paths.items():
                (home / path).parent.mkdir(parents=True, exist_ok=True)
                (home / path).write_bytes(data)
        data = load_films("auto" if source == "official" else source, data_dir=str(tmp_path / "there"))
        assert (data.source, data.world, data.notice) == (source, "", "")
        assert data.fingerprint == load_films().fingerprint
        assert data.trainings["joint"].train.golds.equal(load_films().trainings["joint"].train.golds)
        with pytest.raises(
            UserError, match=r"task\.generator\.triples is about a generated film world; add task\.source="
        ):
            load_films(source, data_dir=str(tmp_path / "there"), generator=LITTLE)
        if not packed:
            (home / path).unlink()
            with pytest.raises(UserError, match=r"has no file .*wiki-entities_qa_test\.txt"):
                load_films(source, data_dir=str(tmp_path / "there"))

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"source": "partial"}, r"WikiMovies \(partial\) is not in nowhere \(no wikimovies_partial or"),
            ({"source": "offical"}, "task.source=offical: expected auto, .*; did you mean 'official'"),
            ({"slots": 0}, "task.slots=0: expected a whole number of at least 1"),
            ({"frequency": "x"}, "task.frequency=x: expected a whole number"),
            ({"frequency": 1}, "task.frequency=1: no question finds any triple; expected more, 1000 for example"),
            (
                {"generator": {"tripels": 5}},
                "task.generator.tripels is not an option; did you mean 'triples'. .triples, questions, seed",
            ),
            ({"generator": 5000}, "task.generator=5000: expected triples, questions, seed"),
            ({"protocol": "per_task"}, "protocol=per_task: WikiMovies has one training for all kinds of questions"),
        ],
    )
    def test_wrong_options_are_refused(self, options, message):
        with pytest.raises(UserError, match=message):
            load_films(**options)


def test_models_that_search():
    assert SEARCHING == ["gated_memn2n", "kv_memnn", "memn2n", "memnn", "open_memnn"]


def test_others_are_refused_in_one_sentence():
    with pytest.raises(UserError) as refused:
        check_fits(registered("wikimovies")["entnet"], load_films())
    assert str(refused.value) == (
        "EntNet reads stories in their order, and WikiMovies has a knowledge base that is searched; "
        "choose model=gated_memn2n, kv_memnn, memn2n, memnn or open_memnn"
    )


def test_a_model_is_shown_all_that_recall_counts(tmp_path):
    films = "task=wikimovies", "task.source=generated", "task.generator.triples=1000", f"results_dir={tmp_path}"
    for name in FROM_ANSWERS:
        assert plan_of([f"model={name}", *films, "task.slots=7"]).config["model"]["memory_size"] == 7
    with pytest.raises(UserError, match=r"model\.memory_size=5: a question has up to 7 .* type task\.slots=5"):
        plan_of(["model=kv_memnn", *films, "task.slots=7", "model.memory_size=5"])


def network_of(name: str, corpus, seed: int = 1):
    return build(config(f"model={name}", "task=wikimovies")["model"], corpus.sizes, seed).double()


@pytest.mark.parametrize("name", FROM_ANSWERS)
def test_every_right_answer_has_an_equal_share_of_the_loss(name, little):
    network = network_of(name, little)
    batch = little.by_question(little.train, torch.arange(30), network.window)
    answer = network(batch)
    log_p = answer.scores.log_softmax(-1)
    golds = [[gold for gold in of_one if gold] for of_one in batch.golds.tolist()]
    assert max(map(len, golds)) > 1
    expected = -sum(log_p[n, right].mean() for n, right in enumerate(golds))
    torch.testing.assert_close(network.loss(answer, batch)["answer"], expected)
    hits = sum(int(answer.scores[n].argmax()) in right for n, right in enumerate(golds))
    assert network.cost(answer, batch) == 100 * (30 - hits)


@pytest.mark.parametrize("name", SEARCHING)
class TestSearching:
    def test_answers_without_knowing_facts_or_answers(self, name, little):
        network = network_of(name, little)
        batch = little.by_question(little.test, torch.arange(50), network.window)
        blind = batch._replace(support=torch.full_like(batch.support, NONE), answer=batch.answer * 0, golds=None)
        assert network(blind).scores.equal(network(batch).scores)

    def test_restarts_of_an_ensemble_are_single_networks(self, name, little):
        networks = [network_of(name, little, seed) for seed in (1, 2)]
        ensemble = Ensemble(networks)
        batches = training_batches(little, ensemble.network, [1, 2], 8)
        losses = ensemble.learn(next(iter(batches)))
        for k, network in enumerate(networks):
            alone = next(iter(training_batches(little, network, [k + 1], 8)))
            for term, loss in Ensemble([network]).learn(alone).items():
                torch.testing.assert_close(losses[term][k : k + 1], loss)

    @pytest.mark.slow
    def test_learns_the_little_world(self, name, little, tmp_path):
        given = config(
            f"model={name}",
            "task=wikimovies",
            "restarts=2",
            "logger=none",
            "trainer.max_epochs=10",
            "results_dir=nowhere",
        )
        given = given | {"run": {"name": name, "identity": "x"}}
        figures = train(given, {"joint": little}, tmp_path, lambda name, state: None)["joint"]
        hits = little.test.right(figures["predictions"]["test"].long())
        torch.testing.assert_close(figures["errors"]["test"][1], 100 * (1 - hits.double().mean(1)))
        assert figures["errors"]["test"][1].min() < 100 * (0.9 if "memn2n" in name else 0.4)
        assert figures["looks"][0]["answer"]


PUBLISHED = {
    row["key"]: row for row in csv.DictReader((ROOT / "results/published_wikimovies.csv").read_text().splitlines())
}


@pytest.mark.parametrize(
    "name", [name for name in EXPERIMENTS if "_wikimovies" in name and config(f"experiment={name}")["published"]]
)
def test_the_published_row_is_of_the_model_of_the_experiment(name):
    given = config(f"experiment={name}")
    row = PUBLISHED[given["published"]["key"]]
    assert row["key"] in name
    assert given["model"]["_target_"].split(".")[2] == row["model"]
    assert given["model"]["memory_size"] >= given["task"]["slots"]


@pytest.mark.slow
def test_a_run_leaves_its_record_and_its_row(tmp_path):
    results = tmp_path / "results"
    results.mkdir()
    (results / "published_wikimovies.csv").write_text((ROOT / "results/published_wikimovies.csv").read_text())
    made(
        tmp_path, "experiment=miller2016_kv_memnn_wikimovies", "task.source=generated", "task.generator.triples=1000",
        "restarts=2", "trainer.max_epochs=3", "logger=none",
    )  # fmt: skip
    record = the_record(results)
    assert (record["family"], record["source"], record["world"]) == ("wikimovies", "generated", "1,000 triples")
    assert record["recall"]["test"] == 100
    assert rows_of(results) == []  # of bAbI
    (row,) = rows_of(results, "wikimovies")
    k, family = record["tasks"]["1"]["selected"], FAMILIES["wikimovies"]
    hits = family.headline(row)
    assert (hits, str(published_of(row))) == (100 - record["tasks"]["1"]["test_errors"][k], "–")
    page = markdown([row], "wikimovies")
    assert "## WikiMovies, generated film world (1,000 triples)" in page
    (cells,) = csv_of([row], "wikimovies")
    assert (cells["source"], cells["world"], cells["model"]) == ("generated", "1,000 triples", "kv_memnn")
    assert family.line(row).headline.difference is None
    assert f"| kv_memnn | {row.setting} | answers | {hits:.1f} | – |" in page


@pytest.fixture(scope="module")
def part(official) -> Data:
    return load_films("partial", data_dir=str(official))


class TestPartOfTheRelease:
    """Facts of the part, counted in its files."""

    def test_counts(self, part):
        corpus = part.trainings["joint"]
        assert {part: len(split) for part, split in corpus.splits.items()} == {
            "train": 11126,
            "valid": 9992,
            "test": 9952,
        }
        assert part.source == "partial"
        assert int(corpus.train.question[0]) - 1 == 260754  # triples, in both directions

    def test_hashing_finds_nearly_all_answers(self, part):
        assert part.recall == {"train": 99.79, "valid": 100.0, "test": 99.99}

    def test_first_examples(self, part):
        corpus = part.trainings["joint"]
        test = corpus.test
        assert [
            (said(corpus, int(test.question[n])), [corpus.words[gold] for gold in test.golds[n].tolist() if gold])
            for n in range(3)
        ] == [
            (("what", "does", "Grégoire Colin", "appear", "in"), ["Before the Rain"]),
            (("Joe Thomas", "appears", "in", "which", "movies"), ["The Inbetweeners Movie", "The Inbetweeners 2"]),
            (
                ("what", "films", "did", "Michelle Trachtenberg", "star", "in"),
                ["Inspector Gadget", "Black Christmas", "Ice Princess", "Harriet the Spy", "The Scribbler"],
            ),
        ]
