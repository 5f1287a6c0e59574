"""Dialog bAbI from its files to the leaderboard; on a little world of our own, and on the release where it is."""

import csv
import json
import re
import tarfile

import pytest
import torch

from tasks.batch import PAD
from tasks.corpus import Corpus
from tasks.dialog import official as release_of
from tasks.errors import UserError
from tests.configs import EXPERIMENTS, MODELS, ROOT, config
from tests.records import markdown, raw, rewrite, rows_of
from tests.runs import arrays, made, the_record
from tests.tiny_dialog import load_dialogs, write_dialogs
from zoo import records
from zoo.families.dialog import accuracy_of, has_match, published_of
from zoo.kinds import stories
from zoo.kinds.stories import evaluation_batches, training_batches
from zoo.parts import encoders
from zoo.runs.messages import message_of
from zoo.runs.plan import plan_of
from zoo.training.build import build, check_fits, registered
from zoo.training.ensemble import Ensemble
from zoo.training.train import train

RANKING = [name for name, model in registered().items() if model.ranks_candidates]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return write_dialogs(tmp_path_factory.mktemp("dialogs"))


@pytest.fixture(scope="module")
def little(world) -> Corpus:
    return load_dialogs(world).trainings["1"]


@pytest.fixture(scope="module")
def matched(world) -> Corpus:
    return load_dialogs(world, match=True).trainings["1"]


def said(corpus: Corpus, row: int) -> str:
    return " ".join(corpus.words[word] for word in corpus.sentences[row].tolist() if word != PAD)


def first_dialog(corpus: Corpus) -> list[tuple[int, str, str]]:
    """Of every turn: the sentences told before it, what the user says, and the reply."""
    train = corpus.train
    turns = (train.story == 0).nonzero().flatten().tolist()
    return [
        (int(train.told[n]), said(corpus, int(train.question[n])), corpus.answers[int(train.answer[n])]) for n in turns
    ]


class TestTables:
    def test_a_story_is_what_was_said_with_its_speaker_and_what_the_calls_returned(self, little):
        train = little.train
        story = [said(little, row) for row in train.facts[: train.begin[1]].tolist()]
        city = story[4].split()[-1]
        cuisine = story[2].split()[1]
        name = f"resto_{city}_{cuisine}"
        assert story[1:] == [
            "$bot hello what can i help you with today",
            f"$user {cuisine} food please",
            "$bot where should it be",
            f"$user in {city}",
            "$bot ok let me look",
            "$user <silence>",
            f"$bot api_call {cuisine} {city}",
            f"$bot {name} r_cuisine {cuisine}",
            f"$bot {name} r_phone {name}_phone",
            "$user what is its number",
            f"$bot here it is {name}_phone",
        ]
        assert first_dialog(little)[1:] == [
            (2, f"{cuisine} food please", "where should it be"),
            (4, f"in {city}", "ok let me look"),
            (6, "<silence>", f"api_call {cuisine} {city}"),
            (10, "what is its number", f"here it is {name}_phone"),
        ]

    def test_the_splits_are_those_of_the_files(self, little):
        assert {part: len(split) for part, split in little.splits.items()} == {
            "train": 200, "valid": 50, "test": 50, "oov": 50,
        }  # fmt: skip

    def test_candidates_are_all_replies_and_row_0_is_none(self, little):
        assert little.answers[:3] == ["", "hello what can i help you with today", "where should it be"]
        assert len(little.answers) == 1 + 3 + 8 + 8
        assert not len(little.candidates.types)

    def test_entities_are_those_of_the_knowledge_base_by_type(self, matched):
        types = [matched.words[word] for word in matched.candidates.types]
        assert types == ["$r_cuisine", "$r_location", "$r_phone"]
        call = matched.answers.index("api_call thai bern")
        found = [[matched.words[word] for word in row if word] for row in matched.candidates.entities[:, call].tolist()]
        assert found == [["thai"], ["bern"], []]

    def test_without_a_knowledge_base_entities_are_those_of_the_facts(self, world):
        corpus = load_dialogs(world, (6,), match=True).trainings["6"]
        assert [corpus.words[word] for word in corpus.candidates.types] == ["$r_cuisine", "$r_phone"]
        assert not corpus.further

    def test_archive_and_folder_give_the_same(self, world, tmp_path):
        (tmp_path / "dialog_babi").mkdir()
        with tarfile.open(tmp_path / "dialog_babi" / release_of.ARCHIVE, "w:gz") as tar:
            tar.add(world / release_of.FOLDER, release_of.FOLDER)
        from_archive = load_dialogs(tmp_path)
        assert from_archive.fingerprint == load_dialogs(world).fingerprint
        assert from_archive.trainings["1"].sentences.equal(load_dialogs(world).trainings["1"].sentences)


class TestMistakes:
    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ("\n3 in", "\n4 in", "line 3: expected the line's ID to be 3, found '4 in"),
            ("\twhere should it be", "", "line 2: expected a tab and the bot's reply, or a fact"),
            ("\twhere should it be", "\twhere\tshould it be", "line 2: expected what the user says, a tab and"),
            ("\twhere should it be", "\twhere is it", "line 2: expected a reply that is among the candidates, found"),
            ("R_cuisine", "cuisine", "line 5: expected a tab and the bot's reply, or a fact: name, R_relation, value"),
            ("1 ", "\n1 ", "line 1: expected a dialog before the empty line"),
        ],
    )
    def test_a_wrong_line_is_named(self, tmp_path, old, new, said):
        file = write_dialogs(tmp_path) / release_of.FOLDER / "dialog-babi-task1-API-calls-trn.txt"
        file.write_text(file.read_text().replace(old, new, 1))
        with pytest.raises(UserError) as caught:
            load_dialogs(tmp_path)
        assert str(caught.value).startswith(f"dialog-babi-task1-API-calls-trn.txt, {said}")

    def test_a_dialog_that_ends_with_a_fact_is_noticed(self, tmp_path):
        file = write_dialogs(tmp_path) / release_of.FOLDER / "dialog-babi-task1-API-calls-dev.txt"
        file.write_text(re.sub("\n7 .*", "", file.read_text(), count=1))
        with pytest.raises(
            UserError, match=r"dev\.txt, line 6: expected a turn at the end of the dialog, which may be cut"
        ):
            load_dialogs(tmp_path)

    @pytest.mark.parametrize(
        ("cut", "said"),
        [
            (-1, "an empty line behind the last dialog, which may be cut off"),
            (0, "expected dialogs, found an empty file"),
        ],
    )
    def test_a_cut_file_is_noticed(self, tmp_path, cut, said):
        file = write_dialogs(tmp_path) / release_of.FOLDER / "dialog-babi-task1-API-calls-tst.txt"
        file.write_text(file.read_text()[:cut])
        with pytest.raises(UserError, match=said):
            load_dialogs(tmp_path)

    @pytest.mark.parametrize(
        ("name", "text", "said"),
        [
            ("candidates", "1 where\n1 where\n", "line 2: expected another reply than that of line 1"),
            ("candidates", "where\n", "line 1: expected the ID 1 and a reply"),
            ("kb-all", "1 resto_x R_phone x_phone\n", "line 1: expected the ID 1, a name and a relation, then a tab"),
        ],
    )
    def test_wrong_candidates_and_facts_are_named(self, tmp_path, name, text, said):
        (write_dialogs(tmp_path) / release_of.FOLDER / f"dialog-babi-{name}.txt").write_text(text)
        with pytest.raises(UserError, match=said):
            load_dialogs(tmp_path)

    def test_a_missing_file_is_named(self, world):
        with pytest.raises(UserError, match=r"dialog-babi-task2-API-refine-trn.txt of task 2 \(updating API calls\)"):
            load_dialogs(world, (1, 2))

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"ids": (7,)}, "expected different numbers from 1 to 6, which 7 is not"),
            ({"protocol": "joint"}, "protocol=joint: the dialog tasks have a training each"),
            ({"source": "generated"}, "task.source=generated: the dialog tasks have official data only"),
            ({"match": "yes"}, "task.match=yes: expected true or false"),
        ],
    )
    def test_an_option_that_does_not_fit_is_named(self, world, options, said):
        with pytest.raises(UserError, match=said):
            load_dialogs(world, **options)

    def test_data_that_are_not_there_are_asked_for(self, tmp_path):
        with pytest.raises(UserError, match=r"add task\.download=true"):
            load_dialogs(tmp_path / "nowhere")

    @pytest.mark.parametrize("name", [name for name in MODELS if name not in RANKING])
    def test_a_model_that_cannot_rank_names_those_that_can(self, world, name):
        with pytest.raises(UserError, match=r"choose model=gated_memn2n, kv_memnn or memn2n$"):
            check_fits(registered()[name], load_dialogs(world))


def network_of(name: str, corpus: Corpus, seed: int = 1):
    model = config(f"model={name}", "model.encoding=bag")["model"]
    return build(model, corpus.sizes, seed).double()


def test_the_three_models_of_the_paper_rank():
    assert RANKING == ["gated_memn2n", "kv_memnn", "memn2n"]


@pytest.mark.parametrize("name", RANKING)
class TestRanking:
    @pytest.mark.parametrize("kind", ["little", "matched"])
    def test_scores_are_sums_over_the_words_of_a_candidate_and_its_types(self, name, kind, request):
        corpus = request.getfixturevalue(kind)
        network = network_of(name, corpus)
        batch = corpus.by_question(corpus.test, torch.arange(12), network.window)
        entities = batch.candidates.entities
        two = torch.cat([entities, entities.roll(1, dims=1)], dim=-1)  # a reply names two of a type, here
        batch = batch._replace(candidates=batch.candidates._replace(entities=two))
        scores = network(batch).scores
        features = network.encode(batch)
        recall, _ = network.read(network.write(features, batch), features, batch)
        W = network.answer_words()
        types = dict(zip(batch.candidates.types.tolist(), batch.candidates.entities.tolist(), strict=True))
        matches = 0
        for n in range(12):
            story = batch.stories[n].tolist()[: int(batch.told[n])]
            heard = {word for row in [*story, int(batch.question[n])] for word in batch.sentences[row].tolist() if word}
            for c, reply in enumerate(corpus.candidates.words.tolist()):
                bag = [word for word in reply if word]
                bag += [of for of, entities in types.items() if heard.intersection(entities[c])]
                matches += len(bag) - sum(word != PAD for word in reply)
                expected = sum((recall[n] @ W[word] for word in bag), start=torch.zeros((), dtype=torch.double))
                torch.testing.assert_close(scores[n, c], expected)
        assert (matches > 0) == (kind == "matched")

    def test_restarts_of_an_ensemble_are_single_networks(self, name, matched):
        networks = [network_of(name, matched, seed) for seed in (1, 2)]
        ensemble = Ensemble(networks)
        batch = next(iter(training_batches(matched, ensemble.network, [1, 2], 8)))
        losses = ensemble.learn(batch)["answer"]
        for k, network in enumerate(networks):
            tables = {field: getattr(batch, field) for field in batch._fields if field != "candidates"}
            axes = {"sentences": 2, "stories": 2, "support": 2, "noise": 2}
            alone = {
                field: table[k] if table is not None and table.dim() > axes.get(field, 1) else table
                for field, table in tables.items()
            }
            batch_of_one = batch._replace(**alone)
            torch.testing.assert_close(losses[k], network.loss(network(batch_of_one), batch_of_one)["answer"])

    @pytest.mark.slow
    def test_learns_the_little_world(self, name, matched, tmp_path):
        given = config(
            f"model={name}", "task=dialog", "model.encoding=bag", "model.memory_size=12", "restarts=2", "logger=none",
            "++model.recipe.optimizer=adam", "model.recipe.learning_rate=0.01", "model.recipe.epochs=60",
            "model.recipe.anneal_every=15", "results_dir=nowhere",
        )  # fmt: skip
        given = given | {"run": {"name": name, "identity": "x"}}
        figures = train(given, {"1": matched}, tmp_path, lambda name, state: None)["1"]
        k = figures["selected"]
        assert figures["errors"]["test"][1][k] < 5
        for part in ("test", "oov"):
            split = matched.splits[part]
            wrong = figures["predictions"][part].long() != split.answer
            torch.testing.assert_close(figures["errors"][part][1], 100 * wrong.double().mean(1))
            failed = wrong.view(2, 10, 5).any(-1)  # every dialog has five turns
            torch.testing.assert_close(figures["dialog_errors"][part][1], 100 * failed.double().mean(1))
        assert figures["words"] == matched.answers


ROWS = [(f"experiment={name}",) for name in EXPERIMENTS if "_dialog" in name] + [("model=kv_memnn", "task=dialog")]


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=" ".join)
@pytest.mark.parametrize("kind", ["little", "matched"])
def test_a_row_of_the_table_runs_with_and_without_match_types(row, kind, request, tmp_path):
    given = config(*row, "restarts=2", "trainer.max_epochs=2", "logger=none", "results_dir=nowhere")
    given = given | {"run": {"name": "row", "identity": "x"}}
    figures = train(given, {"1": request.getfixturevalue(kind)}, tmp_path, lambda name, state: None)["1"]
    for errors in (figures["errors"], figures["dialog_errors"]):
        assert {part: of_task[1].shape for part, of_task in errors.items()} == dict.fromkeys(
            ("valid", "test", "oov"), (2,)
        )
    assert figures["curves"]["valid_loss"].isfinite().all()


def test_a_dialog_with_one_wrong_reply_is_wrong_and_each_test_set_has_its_own_replies(little, monkeypatch):
    said = {}
    for part, split in little.splits.items():
        one_wrong = split.answer.clone()
        one_wrong[0] = one_wrong[0] % (len(little.answers) - 1) + 1
        said[part] = torch.stack([one_wrong, split.answer])
    given = iter([said[part] for part in little.splits if part != "train"])
    monkeypatch.setattr(stories, "predict", lambda ensemble, batches: (next(given), None))
    got = stories.figures(Ensemble([network_of("memn2n", little, seed) for seed in (1, 2)]), little, 0)
    for part in ("valid", "test", "oov"):
        split = little.splits[part]
        (errors,), (dialogs,) = got["errors"][part].values(), got["dialog_errors"][part].values()
        assert errors.tolist() == pytest.approx([100 / len(split), 0])
        assert dialogs.tolist() == pytest.approx([100 / len(split.lengths), 0])
    arrays = {}
    of_run = {"selected": 0, "best_epoch": torch.tensor([0, 0])}
    task = records.KINDS["stories"].figures_of({"1": got | of_run}, arrays)["tasks"]["1"]
    for part, name, errors in (("test", "predictions", "test_errors"), ("oov", "predictions_oov", "oov_errors")):
        assert arrays[f"1/{name}"].tolist() == said[part].tolist()
        assert task[errors] == pytest.approx(got["errors"][part][1].tolist(), abs=1e-4)


def test_words_looked_up_add_up_as_counted_ones(little, monkeypatch):
    words = torch.randn(3, len(little.words), 6, dtype=torch.double, requires_grad=True)
    for encode in (encoders.bag_of_words, encoders.position_encoding):
        got, gradient = [], []
        for limit in (0, 10_000):
            monkeypatch.setattr(encoders, "LOOKED_UP", limit)
            got.append(encode(little.sentences, words))
            gradient.append(torch.autograd.grad(got[-1].square().sum(), words)[0])
        torch.testing.assert_close(*got)
        torch.testing.assert_close(*gradient)


def test_evaluation_batches_with_a_small_table_say_the_same(little, monkeypatch):
    network = network_of("memn2n", little)
    monkeypatch.setattr("zoo.kinds.stories.EVALUATED_AT_ONCE", 5)
    monkeypatch.setattr("tasks.corpus.ROUNDED", 1)
    batches = list(evaluation_batches(little, little.test, network))
    assert all(2 * len(batch.sentences) <= len(little.sentences) for batch in batches)
    whole = little.by_question(little.test, torch.arange(len(little.test)), network.window)
    torch.testing.assert_close(torch.cat([network(batch).scores for batch in batches]), network(whole).scores)


PUBLISHED = list(csv.DictReader((ROOT / "results/published_dialog.csv").read_text().splitlines()))


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if "_dialog" in name])
def test_the_published_rows_are_of_the_model_of_the_experiment(name):
    key = config(f"experiment={name}")["published"]["key"]
    rows = [row for row in PUBLISHED if row["key"] == key]
    assert key in name
    assert len(rows) == 8  # replies and whole dialogs; words of training and others; with match types and without
    assert all(row["model"] in name for row in rows)


# mean errors over tasks 1 to 5 in table 1 of Seo et al. (2017), who took them from the two papers
@pytest.mark.parametrize(
    ("key", "means"),
    [("memn2n_dialog", (13.9, 30.3, 6.7, 11.2)), ("gated_memn2n_dialog", (14.3, 27.9, 5.4, 10.3))],
)
def test_published_means_agree_with_the_tasks(key, means):
    rows = [row for row in PUBLISHED if row["key"] == key and row["figure"].startswith("response")]
    for row, mean in zip(rows, means, strict=True):
        assert abs(100 - sum(float(row[f"task_{task}"]) for task in range(1, 6)) / 5 - mean) < 0.1


@pytest.mark.slow
class TestRun:
    def test_a_run_leaves_its_record_and_its_row(self, world, tmp_path, capsys, monkeypatch):
        monkeypatch.setenv("COLUMNS", "120")
        results = tmp_path / "results"
        results.mkdir()
        (results / "published_dialog.csv").write_text((ROOT / "results/published_dialog.csv").read_text())
        made(
            tmp_path, "experiment=bordes2017_memn2n_dialog", "task.ids=[1,6]", "task.match=true", "restarts=2",
            "trainer.max_epochs=3", "trainer.workers=1", "logger=none", f"data_dir={world}",
        )  # fmt: skip
        assert "dialogs, unknown words" in " ".join(capsys.readouterr().out.split())
        record = the_record(results)
        assert record["family"] == "dialog"
        assert "oov_dialog_errors" in record["tasks"]["1"]
        assert "oov_errors" not in record["tasks"]["6"]
        corpus = load_dialogs(world, match=True).trainings["1"]
        stored = arrays(results)
        assert stored["1/words"].tolist() == corpus.answers
        wrong = stored["1/predictions_oov"] != corpus.further["oov"].answer.numpy()
        assert json.dumps([round(100 * float(w), 4) for w in wrong.mean(1)]) == json.dumps(
            record["tasks"]["1"]["oov_errors"]
        )
        assert rows_of(results) == []  # of bAbI
        (row,) = rows_of(results, "dialog")
        assert (row.model, has_match(row.record), list(row.errors)) == ("memn2n", True, [1, 6])
        # of files that are not the release's
        assert row.table.title == "Dialog bAbI, official data (tasks 1, 6: not the release's files), with match types"
        assert not row.published
        (file,) = (results / "runs").glob("*.json")
        rewrite(file, raw(file) | {"world": "", "model": "gated_memn2n"})
        assert not rows_of(results, "dialog")[0].published  # the experiment is of another model
        rewrite(file, raw(file) | {"world": "", "model": "memn2n"})
        (row,) = rows_of(results, "dialog")
        assert row.table.title == "Dialog bAbI, official data, with match types"
        k = record["tasks"]["1"]["selected"]
        assert accuracy_of(row, "dialog", 1) == 100 - record["tasks"]["1"]["test_dialog_errors"][k]
        papers = str(published_of(row, "response", 6)), str(published_of(row, "dialog_oov", 1))
        assert papers == ("41.0‡", "82.7†")
        of_replies, of_dialogs = (accuracy_of(row, figure, 1) for figure in ("response_oov", "dialog_oov"))
        page = markdown([row], "dialog")
        assert f"| task 1, unknown words | {of_replies:.1f} ({of_dialogs:.1f}), paper 96.5† (82.7†) |" in page
        assert "| task 2 | – |" in page
        assert "tasks 1, 6 only" in page

    def test_a_model_that_does_not_fit_is_refused_in_one_sentence(self, world):
        given = ["model=entnet", "task=dialog", f"data_dir={world}"]
        with pytest.raises(UserError) as caught:
            plan_of(given)
        assert message_of(caught.value, given) == (
            "EntNet answers with one word, and dialog bAbI without match types asks for one of many replies; "
            "choose model=gated_memn2n, kv_memnn or memn2n"
        )


class TestRealRelease:
    """Facts of the release, counted in its files."""

    def test_counts(self, official):
        corpora = load_dialogs(official, (1, 2, 3, 4, 5, 6)).trainings
        turns = {int(task): [len(split) for split in corpus.splits.values()] for task, corpus in corpora.items()}
        assert turns == {
            1: [6024, 6015, 5936, 6020],
            2: [9498, 9513, 9464, 9460],
            3: [9855, 9978, 10018, 9788],
            4: [3507, 3529, 3498, 3510],
            5: [18340, 18457, 18398, 18368],
            6: [14404, 4159, 11237],
        }
        dialogs = {int(task): [len(split.lengths) for split in c.splits.values()] for task, c in corpora.items()}
        assert dialogs == {task: [1000] * 4 for task in range(1, 6)} | {6: [1618, 500, 1117]}
        assert {task: len(corpus.answers) - 1 for task, corpus in corpora.items()} == {
            "1": 4212, "2": 4212, "3": 4212, "4": 4212, "5": 4212, "6": 2407,
        }  # fmt: skip

    def test_first_examples(self, official):
        corpora = load_dialogs(official, (1, 2, 3, 4, 5, 6)).trainings
        seen = {int(task): first_dialog(corpus) for task, corpus in corpora.items()}
        greeting = "hello what can i help you with today"
        assert seen[1] == [
            (0, "hi", greeting),
            (2, "can you book a table", "i'm on it"),
            (4, "<silence>", "any preference on a type of cuisine"),
            (6, "i love italian food", "where should it be"),
            (8, "in paris", "how many people would be in your party"),
            (10, "we will be two", "which price range are looking for"),
            (12, "in a cheap price range please", "ok let me look into some options for you"),
            (14, "<silence>", "api_call italian paris two cheap"),
        ]
        assert {task: (len(turns), *turns[-1]) for task, turns in seen.items() if task > 1} == {
            2: (10, 18, "thanks", "you're welcome"),
            3: (9, 37, "i love that", "great let me do the reservation"),
            4: (
                3, 11, "may i have the address of the restaurant",
                "here it is resto_rome_moderate_spanish_1stars_address",
            ),
            5: (21, 61, "no thank you", "you're welcome"),
            6: (6, 24, "goodbye", "you are welcome"),
        }  # fmt: skip

    def test_types_are_the_seven_of_the_paper(self, official):
        corpus = load_dialogs(official, (1,), match=True).trainings["1"]
        names = ("address", "cuisine", "location", "number", "phone", "price", "rating")
        assert [corpus.words[word] for word in corpus.candidates.types] == [f"$r_{name}" for name in names]
        call = corpus.answers.index("api_call italian paris two cheap")
        found = [[corpus.words[word] for word in row if word] for row in corpus.candidates.entities[:, call].tolist()]
        assert found == [[], ["italian"], ["paris"], ["two"], [], ["cheap"], []]
