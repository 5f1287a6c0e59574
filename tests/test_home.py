"""Trained networks taken home: loaded, asked, exported; and the names of `import zoo`."""

import ast
import inspect
import json
import re
import subprocess
import sys
import typing
from pathlib import Path

import numpy as np
import pytest
import torch

import zoo
from tasks.errors import UserError
from tests.configs import MODELS, ROOT
from tests.homes import network_of
from tests.records import put_weights
from tests.runs import LITTLE, QUICK, SHORT, SMALL, made
from tests.tiny_dialog import write_dialogs
from zoo import notebook, records
from zoo.__main__ import main
from zoo.commands.weights import answers_otherwise, wanted
from zoo.pretrained.network import Network
from zoo.pretrained.picture import Picture
from zoo.records import weights

STORY = ["Mary took the milk.", "Mary went to the kitchen.", "John moved to the garden."]
QUESTION = "Where is the milk?"


@pytest.fixture(scope="module")
def net() -> Network:
    """A network that comes with the zoo."""
    return zoo.load("sukhbaatar2015_memn2n_babi_1k", task=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A run of three tasks, hardly trained."""
    folder = tmp_path_factory.mktemp("home")
    made(folder, *QUICK)
    return folder


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    """The folder that `zoo export` writes of task 2."""
    out = tmp_path_factory.mktemp("export") / "milk"
    main(["export", "sukhbaatar2015_memn2n_babi_1k", str(out), "task=2", f"results_dir={ROOT / 'results'}"])
    return out


class TestReply:
    def test_says_how_sure_it_is_and_what_else_it_thought_of(self, net):
        reply = net.answer(STORY, QUESTION)
        assert reply.answer == "kitchen"
        assert reply.probability > 0.5
        (first, p), *others = reply.ranking(4)
        assert (first, p) == (reply.answer, reply.probability)
        assert len(others) == 3
        assert sum(p for _, p in reply.ranking(len(net.words))) == pytest.approx(1)

    def test_says_where_it_looked_most_first(self, net):
        reply = net.answer(STORY, QUESTION)
        look, *others = reply.looked_at
        assert (look.sentence, look.place) == ("mary took the milk", 0)
        assert len(look.weights) == len(reply.attention) == net.model.hops
        assert all(max(other.weights) <= max(look.weights) for other in others)

    def test_prints_as_a_table(self, net):
        head, columns, *rows, last = str(net.answer(STORY, QUESTION)).splitlines()
        assert head == "share of the attention at each hop"
        assert columns.split() == ["story", "1", "2", "3"]
        assert [row.partition("   ")[0].strip() for row in rows] == [said.lower().strip(".") for said in STORY]
        assert last.startswith("where is the milk?  kitchen  ")

    def test_shows_as_a_heat_map_in_a_notebook(self, net):
        html = net.answer(STORY, QUESTION)._repr_html_()
        assert html.count("background:rgb(") == len(STORY) * net.model.hops
        assert "<b>kitchen</b>" in html
        assert "rgb(80,160,255)" in html  # the largest weight of a hop

    def test_of_a_long_story_shows_the_sentences_that_it_looked_at(self, net):
        memory = net.listen().tell(*["John moved to the garden."] * 200, *STORY)
        reply = memory.ask(QUESTION)
        assert reply.looked_at[0].place == 200
        assert len(reply.story) == net.model.window  # it sees its window
        assert len(reply.rows()) <= 60

    def test_is_drawn_beside_others(self, net, tmp_path):
        reply = net.answer(STORY, QUESTION)
        picture = reply.plot(net.answer(STORY, QUESTION))
        assert isinstance(picture, Picture)
        assert picture._repr_svg_().count(">memn2n<") == 2
        assert picture.save(tmp_path / "a.svg").read_text() == picture

    def test_is_not_drawn_beside_one_to_another_question_or_about_other_sentences(self, net):
        reply = net.answer(STORY, QUESTION)
        with pytest.raises(UserError, match="expected replies to one question"):
            reply.plot(net.answer(STORY, "Where is Mary?"))
        index = zoo.load("tuned/open_memnn_haystack", task=2)
        story = ["Mary took the milk.", "Mary went to the kitchen.", *["Sandra moved to the garden."] * 70]
        found = index.listen(index=True).tell(*story).ask(QUESTION)
        with pytest.raises(UserError, match="saw other sentences than"):
            found.plot(net.answer(story, QUESTION))

    def test_shows_that_a_model_looks_nowhere(self, folder, tmp_path):
        made(tmp_path, *[word.replace("memn2n", "lstm").replace("model.dim=6", "model.dim=4") for word in QUICK])
        reply = zoo.load("lstm", task=1, results_dir=str(tmp_path / "results")).answer([STORY[2]], "Where is John?")
        assert reply.looked_at == []
        assert "does not say where it looks" in str(reply)
        assert "does not say where it looks" in reply._repr_html_()


class TestMemory:
    def test_may_be_asked_at_any_time(self, net):
        memory = net.listen().tell(*STORY)
        assert memory.ask(QUESTION).answer == "kitchen"
        memory.tell("Mary went to the garden.", "John went to the office.")
        assert memory.ask(QUESTION).answer == "garden"
        assert len(memory) == 5

    def test_takes_arrays_of_word_ids(self, net):
        ids = np.concatenate([net.told(said) for said in STORY])
        replies = [net.listen().tell(given).ask(question) for given, question in ((ids, net.asked(QUESTION)),)]
        replies.append(net.listen().tell(ids[:, :6].astype(np.int32)).ask(QUESTION))
        assert {reply.probability for reply in replies} == {net.answer(STORY, QUESTION).probability}

    @pytest.mark.parametrize(
        ("tell", "said"),
        [
            ("Mary went to the kitschen.", "'kitschen' is no word of this task; did you mean 'kitchen'"),
            ("Mary went to the kitchen and to the garden.", "'and' is no word of this task"),
            ("Mary went to the kitchen to the garden.", "8 words: expected at most 6, and each sentence on a line"),
            (np.zeros((2, 9), np.int64), "expected whole numbers, .sentences, up to 6"),
            (np.zeros((2, 3)), "an array of float64"),
            (np.full((1, 3), 99), "word ids from 99 to 99: expected 0 to 33"),
            ([[1, 2], [3]], "rows of different lengths"),
        ],
    )
    def test_says_what_it_does_not_understand(self, net, tell, said):
        with pytest.raises(UserError, match=said):
            net.listen().tell(tell)

    def test_takes_a_list_or_a_text_of_several_lines(self, net):
        one, two = net.listen().tell(STORY), net.listen().tell("\n".join(STORY), "...", "")
        assert len(one) == len(two) == len(STORY)
        assert one.ask(QUESTION).answer == two.ask(QUESTION).answer == "kitchen"

    @pytest.mark.parametrize("sentences", [(STORY[0], 5), (STORY[0], None), ([STORY[0], 5],), (b"Mary", STORY[0])])
    def test_drops_nothing_that_it_is_told(self, net, sentences):
        with pytest.raises(UserError, match="expected a text, or an array"):
            net.listen().tell(*sentences)

    @pytest.mark.parametrize(
        ("story", "question", "said"),
        [
            ([["Mary", "took", "the", "milk"]], QUESTION, "a sentence .'Mary'.*: expected a text"),
            (STORY, ["Where is the milk?"], "a question .'Where.*: expected a text"),
            (STORY, None, "a question None: expected a text"),
        ],
    )
    def test_wants_texts(self, net, story, question, said):
        with pytest.raises(UserError, match=said):
            net.answer(story, question)

    @pytest.mark.parametrize("story", [None, 5, b"Mary took the milk."])
    def test_wants_a_story_of_sentences(self, net, story):
        with pytest.raises(UserError, match="expected sentences, or a text"):
            net.answer(story, QUESTION)

    @pytest.mark.parametrize("question", ["", "  ", "?"])
    def test_wants_a_question_with_words(self, net, question):
        with pytest.raises(UserError, match="expected words, as in 'Where is Mary"):
            net.answer(STORY, question)

    def test_reads_an_unknown_word_where_the_model_can(self, tmp_path):
        words = ["", "ada", "ran", "to", "the", "attic", "where", "is"]
        network = network_of(tmp_path, "open_memnn", words, [])
        with torch.no_grad():  # what was read last is the answer, if it matches
            network.model.worth.copy_(torch.arange(6.0))
        memory = network.listen().tell("Zoe ran to the attic.")
        known = memory.ask("Where is Ada?").ranking(20)
        reply = memory.ask("Where is Zoe?")
        assert {word for word, _ in reply.ranking(20)} == {*words, "zoe"}
        assert reply.answer in ("zoe", "the", "to", "ran", "attic")
        assert dict(known)["zoe"] > dict(known)["ada"]  # which was not told
        with pytest.raises(UserError, match="8 words: expected at most 5"):  # which takes no room
            network.listen().tell("Kit Lou Max Ned Oz Pia Quin Rob.")
        with pytest.raises(UserError, match="'w50' is no word of this task, and the network has room for 50 new"):
            network.listen().tell(*(f"W{number}." for number in range(1, 60)))

    def test_an_index_finds_what_was_told_long_ago(self):
        net = zoo.load("tuned/open_memnn_haystack", task=1)
        told = ["john went to the hallway", *["mary moved to the garden", "fred went to the park"] * 1000]
        memory = net.listen(index=True)
        reply = memory.tell(*told).ask("Where is John?")
        assert (reply.answer, reply.looked_at[0].sentence, reply.looked_at[0].place) == ("hallway", told[0], 0)
        assert len(reply.story) < 10
        later = memory.tell("john went to the garden").ask("Where is John?")
        assert (later.answer, later.looked_at[0].place) == ("garden", 2001)

    def test_an_index_is_of_no_use_to_a_state(self):
        net = zoo.load("entnet", joint=True)
        with pytest.raises(UserError, match="index=True: entnet has no use for it"):
            net.listen(index=True)

    def test_wants_a_story_before_a_question(self, net):
        with pytest.raises(UserError, match="a question before any sentence"):
            net.listen().ask(QUESTION)


@pytest.mark.slow
class TestOtherFamilies:
    def test_a_dialog_is_held_by_the_customer(self, tmp_path):
        data = write_dialogs(tmp_path / "data")
        made(
            tmp_path, "model=kv_memnn", "task=dialog", "task.ids=[1]", "task.match=true", "restarts=1", "logger=none",
            "trainer.workers=1", "trainer.max_epochs=20", f"data_dir={data}",
        )  # fmt: skip
        net = zoo.load("kv_memnn", task=1, results_dir=str(tmp_path / "results"))
        memory = net.listen()
        first = memory.ask("hello")
        assert first.answer == "hello what can i help you with today"
        memory.tell("user: hello", f"bot: {first.answer}", "user: thai food please", "bot: where should it be")
        reply = memory.ask("in oslo")
        assert reply.answer in net.answers[1:]
        assert reply.story[0] == "$user hello"
        with pytest.raises(UserError, match="expected who says it, as in 'user: good morning'"):
            memory.tell("in oslo")

    def test_a_network_of_films_is_told_facts(self, tmp_path):
        made(
            tmp_path, "model=kv_memnn", "task=wikimovies", "task.source=generated", "task.generator.triples=1000",
            "restarts=1", "logger=none", "trainer.workers=1", "trainer.max_epochs=1", "model.dim=8",
        )  # fmt: skip
        net = zoo.load("kv_memnn", results_dir=str(tmp_path / "results"))
        film = next(word for word in net.words if word.count(" ") == 2)
        other = next(word for word in net.words if word.count(" ") == 1 and word not in film)
        memory = net.listen().tell(f"{film} directed_by {other}")
        assert len(memory) == 2  # both directions
        reply = memory.ask(f"who directed {film}?")
        assert reply.story == [f"{other} {film} directed_by", f"{film} {other} directed_by of"]
        assert film in reply.question
        with pytest.raises(UserError, match="expected SUBJECT RELATION OBJECT"):
            memory.tell(film)
        main(["export", "kv_memnn-wikimovies", str(tmp_path / "out"), f"results_dir={tmp_path / 'results'}"])
        assert re.search(r"\n\| questions \| .* to .* \|", (tmp_path / "out" / "README.md").read_text())

    def test_a_machine_hears_a_sequence(self, tmp_path):
        made(
            tmp_path, "model=ntm", "task=copy", *SMALL["ntm"], *SHORT["copy"], *LITTLE, "task.epoch=24", "restarts=1",
            "trainer.max_epochs=2", "logger=none", "trainer.workers=1",
        )  # fmt: skip
        net = zoo.load("ntm", task="copy", results_dir=str(tmp_path / "results"))
        heard = net.answer(np.ones((5, net.sizes.inputs)))
        assert heard.bits.shape == (5, net.sizes.outputs)
        assert heard.tape.reading.shape[:2] == (1, 5)
        assert "bits of length=5" in repr(net)
        with pytest.raises(UserError, match=r"expected .steps, "):
            net.answer(np.ones((5, 1)))


class TestLoad:
    def test_gives_the_errors_of_the_record(self, official, tmp_path):
        """Errors on the official test, from the weights that come with the zoo."""
        from zoo.commands.verify import weights_differ

        record = records.read(records.find("sukhbaatar2015_memn2n_babi_1k", ROOT / "results"))
        file = records.weights_of(record.file)
        assert weights_differ(record, file, [f"data_dir={official}"], only=["15", "20"]) == []
        about, networks = weights.load(file)
        networks["15"].weights["words"][:] = 0
        weights.save(tmp_path / "other.safetensors", about, networks)
        (said,) = weights_differ(record, tmp_path / "other.safetensors", [f"data_dir={official}"], only=["15", "20"])
        assert said.startswith("15: ")

    @pytest.mark.parametrize("name", ["memn2n", "default", "record", "file", "whole record", "folder"])
    def test_finds_a_network_by_each_of_its_names(self, folder, tmp_path, name, monkeypatch):
        monkeypatch.setattr("zoo.pretrained.find.IS_CHECKOUT", False)  # which has weights too
        results = str(folder / "results")
        (file,) = (folder / "results/runs").glob("*.json")
        if name == "folder":
            main(["export", file.stem, str(tmp_path / "out"), f"results_dir={results}"])
        names = {
            "memn2n": "memn2n", "default": "memn2n-60", "record": file.stem, "file": str(file),
            "whole record": file.stem[:20], "folder": str(tmp_path / "out"),
        }  # fmt: skip
        found = zoo.load(names[name], task=6, results_dir=results)
        assert (found.about.record, found.training) == (file.stem, "6")

    def test_prefers_official_data_then_more_of_them_then_less_error(self, folder, tmp_path):
        from tests.records import add

        for number, (source, size, valid) in enumerate(
            [("generated", "10k", 0.0), ("official", "1k", 0.0), ("official", "10k", 9.0), ("official", "10k", 4.0)]
        ):
            file = add(tmp_path, tasks=(1,), source=source, size=size, valid=valid, identity=f"{number}" * 10)
            put_weights(file, {"1": {"words": np.zeros((2, 2), np.float32)}}, label=size)
        from zoo.pretrained.load import choose

        assert "-3333333333-" in choose("memn2n", "1", None, False, tmp_path).record
        assert "-1111111111-" in choose("memn2n", "1", "1k", False, tmp_path).record

    def test_a_try_of_ones_own_on_generated_stories_takes_no_name(self, folder, monkeypatch):
        monkeypatch.chdir(folder)
        assert zoo.load("memn2n", task=2).about.source == "official"
        (folder / "memn2n").mkdir()  # which is no export
        assert zoo.load("memn2n", task=2).about.source == "official"

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ({"name": "memn3n", "task": 1}, r"no network and no record has this name; did you mean 'memnn'"),
            ({"name": "memn2n", "task": 7}, r"zoo.load\('memn2n', task=7\): there are .*60: 1, 2, 6"),
            ({"name": "memn2n-60"}, r"give task=; there are 60: 1, 2, 6"),
            ({"name": "memn2n", "task": 1, "size": 50}, r"size=50\): there are 60: 1, 2, 6"),
            ({"name": "dnc"}, "no trained network of this model is here; zoo.train makes one"),
        ],
    )
    def test_a_mistake_gets_one_clear_sentence(self, folder, arguments, said, monkeypatch):
        monkeypatch.setattr("zoo.pretrained.find.IS_CHECKOUT", False)
        with pytest.raises(UserError, match=said) as caught:
            zoo.load(**arguments, results_dir=str(folder / "results"))
        assert "\n" not in str(caught.value)

    @pytest.mark.slow
    def test_makes_what_is_missing_only_when_asked(self, tmp_path, monkeypatch):
        monkeypatch.setattr("zoo.pretrained.find.IS_CHECKOUT", False)
        file = made(tmp_path, *QUICK)
        whole = records.weights_of(file).read_bytes()
        records.weights_of(file).unlink()
        results = str(tmp_path / "results")
        with pytest.raises(UserError, match=rf"zoo weights {file.stem} task=2 makes them, or zoo.load\(…, make=True\)"):
            zoo.load("memn2n", task=2, results_dir=results)
        monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
        found = zoo.load("memn2n", task=2, make=True, results_dir=results)
        assert found.about.record == file.stem
        assert list(weights.load(records.weights_of(file))[1]) == ["2"]
        main(["weights", file.stem, f"results_dir={results}", "trainer.workers=1"])
        assert records.weights_of(file).read_bytes() == whole

    @pytest.mark.slow
    def test_weights_of_a_run_that_are_damaged_are_named_before_anything_is_trained(self, tmp_path, monkeypatch):
        monkeypatch.setattr("zoo.pretrained.find.IS_CHECKOUT", False)
        monkeypatch.setattr("zoo.commands.weights.repeat", lambda *given: pytest.fail("it trains"))
        file = made(tmp_path, *QUICK)
        records.weights_of(file).write_bytes(records.weights_of(file).read_bytes()[:1000])
        said = r"cannot be read as safetensors .*; restore it from git, or remove it"
        with pytest.raises(UserError, match=said):
            zoo.load("memn2n", task=2, results_dir=str(tmp_path / "results"))
        with pytest.raises(SystemExit, match=said):
            main(["weights", file.stem, f"results_dir={tmp_path / 'results'}"])

    def test_damaged_weights_are_refused(self, folder, tmp_path):
        (file,) = (folder / "results/weights").glob("*.safetensors")
        data = bytearray(file.read_bytes())
        data[-5] ^= 64
        damaged = tmp_path / "model.safetensors"
        damaged.write_bytes(data)
        with pytest.raises(UserError, match="is damaged: its checksum is another one"):
            zoo.load(str(tmp_path), task=1)
        damaged.write_bytes(data[:1000])
        with pytest.raises(UserError, match="cannot be read as safetensors"):
            zoo.load(str(tmp_path), task=1)

    def test_what_weights_name_is_not_imported(self, folder, tmp_path):
        (file,) = (folder / "results/weights").glob("*.safetensors")
        about, networks = weights.load(file)
        settings = about.settings | {"model": about.settings["model"] | {"_target_": "os.system"}}
        weights.save(tmp_path / "model.safetensors", about.model_copy(update={"settings": settings}), networks)
        with pytest.raises(UserError, match=r"os\.system, which no yaml in conf/model/ registers"):
            zoo.load(str(tmp_path), task=1)

    def test_weights_of_other_sizes_are_refused(self, folder, tmp_path):
        (file,) = (folder / "results/weights").glob("*.safetensors")
        about, networks = weights.load(file)
        settings = about.settings | {"model": about.settings["model"] | {"dim": 7}}
        weights.save(tmp_path / "model.safetensors", about.model_copy(update={"settings": settings}), networks)
        with pytest.raises(UserError, match="do not fit MemN2N of its settings"):
            zoo.load(str(tmp_path), task=1)


class TestWeights:
    def test_hold_names_settings_words_and_the_licence(self):
        (file,) = (ROOT / "results/weights").glob("memn2n-1k-per_task-943a8d22ce-*.safetensors")
        about, networks = weights.load(file)
        record = records.read(ROOT / "results/runs" / f"{about.record}.json")
        assert about.settings == record.settings
        assert "CC BY" in about.licence
        assert list(networks) == list(record.trainings)
        for task, of in networks.items():
            assert set(of.weights) == {"words", "times"}
            assert of.facts.test == {task: record.tasks[task].error}
            assert len(of.facts.words) == of.weights["words"].shape[1] == of.facts.sizes[0]

    def test_twenty_networks_take_less_than_half_a_megabyte(self):
        assert all(file.stat().st_size < 500_000 for file in (ROOT / "results/weights").glob("memn2n-1k-*"))

    def test_all_of_them_are_few_enough_for_the_repository(self):
        assert sum(file.stat().st_size for file in (ROOT / "results/weights").glob("*.safetensors")) < 60_000_000

    def test_half_precision_only_where_no_answer_changes(self, tmp_path, corpus):
        from tests.configs import config
        from zoo.kinds import stories
        from zoo.training.build import build
        from zoo.training.ensemble import Ensemble

        ensemble = Ensemble([build(config("model=memn2n")["model"], corpus.sizes, seed=1)])
        figures = stories.figures(ensemble, corpus, 0) | {"selected": 0}
        assert stories.answers_alike(ensemble, corpus, figures)
        ensemble.set(0, {name: table.flip(0) for name, table in ensemble.of(0).items()})
        assert not stories.answers_alike(ensemble, corpus, figures)

    def test_the_list_names_each_model_once_per_size_and_protocol(self):
        chosen = [record for record in wanted(ROOT / "results") if record.family == "babi"]
        keys = [(record.model, record.label, record.protocol) for record in chosen]
        assert len(set(keys)) == len(keys)
        run = {
            record.model
            for record in records.readable(ROOT / "results").values()
            if (record.source, record.label, len(record.tasks)) == ("official", "10k", 20) and not record.renamed
        }
        assert {record.model for record in chosen if record.label == "10k"} == run

    def test_networks_that_answer_otherwise_are_not_those_of_the_record(self, folder):
        (file,) = (folder / "results/runs").glob("*.json")
        record = records.read(file)
        assert answers_otherwise(record, record, "2") == []
        other = record.model_copy(deep=True)
        other.tasks["2"].__dict__["selected"] = 1 - record.tasks["2"].selected
        (said,) = answers_otherwise(record, other, "2")
        assert "answers differ" in said


@pytest.mark.slow
def test_a_joint_network_is_none_that_learned_one_task_alone(tmp_path):
    made(tmp_path, *[word.replace("task.ids=[1,2,6]", "task.ids=[1]") for word in QUICK])
    with pytest.raises(UserError, match=r"no network|give task="):
        zoo.load("memn2n", joint=True, results_dir=str(tmp_path / "results"), size="60")
    assert zoo.load("memn2n-60", results_dir=str(tmp_path / "results")).training == "1"


class TestExport:
    def test_is_loaded_again(self, exported, net):
        assert zoo.load(str(exported)).answer(STORY, QUESTION).probability == net.answer(STORY, QUESTION).probability

    def test_has_a_card_with_restarts_intervals_conditions_and_limits(self, exported):
        card = (exported / "README.md").read_text()
        assert card.startswith("---\nlicense: mit\n")
        assert "| 2 | 11.20 | 9.39 to 13.31 | 9.83 | 1.32 |" in card
        assert "Validation has selected one of 10 restarts" in card
        assert "CC BY 3.0" in card
        assert "33 words, sentences of at most 6: apple, back" in card

    def test_has_results_as_the_hub_reads_them(self, exported):
        import yaml

        (entry,) = yaml.safe_load((exported / ".eval_results/babi.yaml").read_text())
        assert entry["dataset"] == {"id": "facebook/babi_qa", "task_id": "en-1k-qa2"}
        assert entry["value"] == 88.8
        hub = pytest.importorskip("huggingface_hub", reason="pip install -e '.[hub]'")
        (parsed,) = hub.parse_eval_result_entries([entry])
        assert parsed.task_id == "en-1k-qa2"

    @pytest.mark.parametrize("dirty", [False, True])
    def test_of_code_that_nobody_has_committed_says_what_it_takes(self, folder, dirty):
        from zoo.pretrained.export import card, parts_of

        (file,) = (folder / "results/runs").glob("*.json")
        record = records.read(file).model_copy(update={"dirty": dirty})
        about, networks = weights.load(records.weights_of(file))
        said = card(record, about, networks, parts_of(record, about))
        assert ("takes the file of `zoo.models.memn2n.MemN2N`, and its yaml" in said) == dirty

    def test_as_onnx_writes_nothing_where_its_library_is_missing(self, folder, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "onnxscript", None)
        with pytest.raises(SystemExit, match="ONNX needs onnx and onnxscript"):
            main(["export", "memn2n-60", str(tmp_path / "out"), "--onnx", f"results_dir={folder / 'results'}"])
        assert not (tmp_path / "out").exists()

    @pytest.mark.slow
    def test_of_generated_stories_claims_nothing_about_the_release(self, folder, tmp_path):
        main(["export", "memn2n-60", str(tmp_path / "out"), "task=1", f"results_dir={folder / 'results'}"])
        assert not (tmp_path / "out" / ".eval_results").exists()
        assert "datasets:" not in (tmp_path / "out" / "README.md").read_text()

    def test_has_a_configuration_for_people(self, exported):
        config = json.loads((exported / "config.json").read_text())
        assert config["trainings"]["2"]["words"][1] == zoo.load(str(exported)).words[1]

    def test_is_not_pushed_without_a_token(self, exported, monkeypatch):
        pytest.importorskip("huggingface_hub", reason="pip install -e '.[hub]'")
        monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
        with pytest.raises(SystemExit, match="no token of the Hugging Face Hub is set; type hf auth login"):
            main(["push", str(exported), "me/milk"])

    def test_without_a_connection_a_push_is_one_sentence(self, exported, monkeypatch):
        pytest.importorskip("huggingface_hub", reason="pip install -e '.[hub]'")

        class Api:
            def create_repo(self, name, exist_ok):
                raise RuntimeError("")  # as a library of the hub's may

        monkeypatch.setattr("zoo.pretrained.export.hub", Api)
        monkeypatch.setattr("huggingface_hub.get_token", lambda: "secret")
        with pytest.raises(SystemExit, match=r"me/milk: the upload failed \(RuntimeError\)"):
            main(["push", str(exported), "me/milk"])

    def test_is_pushed_and_pulled(self, exported, monkeypatch):
        pytest.importorskip("huggingface_hub", reason="pip install -e '.[hub]'")
        done = []

        class Api:
            def create_repo(self, name, exist_ok):
                done.append(name)

            def upload_folder(self, repo_id, folder_path, commit_message):
                done.append(sorted(file.name for file in folder_path.iterdir()))

            def hf_hub_download(self, name, file):
                return str(exported / file)

        monkeypatch.setattr("zoo.pretrained.export.hub", Api)
        monkeypatch.setattr("huggingface_hub.get_token", lambda: "secret")
        main(["push", str(exported), "me/milk"])
        assert done == ["me/milk", [".eval_results", "README.md", "config.json", "model.safetensors"]]
        assert zoo.load("hub:me/milk").training == "2"

    def test_does_not_mix_records_in_a_folder(self, exported):
        with pytest.raises(SystemExit, match="holds an export of another record"):
            main(["export", "ntm-10k-joint", str(exported), f"results_dir={ROOT / 'results'}"])

    @pytest.mark.parametrize("arguments", [["export", "x"], ["push", "x", "y"], ["push", "nowhere", "me/milk"]])
    def test_a_mistake_gets_one_clear_message(self, arguments):
        with pytest.raises(SystemExit, match=r"expected a (run|folder) and|holds no model.safetensors"):
            main(arguments)

    def test_torch_hub_loads_it(self):
        net = torch.hub.load(str(ROOT), "memn2n", source="local", task=2, size="1k")
        assert net.answer(STORY, QUESTION).answer == "kitchen"
        hubconf = torch.hub._import_module("hubconf", str(ROOT / "hubconf.py"))
        assert {name for name in dir(hubconf) if not name.startswith("_")} == {"dependencies", *MODELS}


class TestNames:
    def test_import_zoo_costs_nothing_and_lists_load_no_torch(self):
        code = (
            "import sys, zoo\n"
            "assert not {'torch', 'numpy', 'hydra', 'pydantic', 'rich'} & set(sys.modules)\n"
            "assert zoo.list_models('memn*') == ['memn2n', 'memnn']\n"
            "assert any(one.model == 'memn2n' for one in zoo.list_pretrained())\n"
            "assert 'torch' not in sys.modules\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=120)

    def test_each_has_a_docstring_and_types(self):
        for name in zoo.__all__:
            function = getattr(notebook, name, None) or zoo.load
            assert inspect.getdoc(function).splitlines()[0].endswith(".")
            hints = {part for part in function.__annotations__ if part != "return"}
            assert hints == set(inspect.signature(function).parameters)
            assert typing.TYPE_CHECKING or "return" in function.__annotations__
        assert set(zoo.__all__) <= set(dir(zoo))

    def test_an_unknown_name_is_an_attribute_error(self):
        with pytest.raises(AttributeError, match="has no attribute 'laod'"):
            zoo.laod  # noqa: B018

    def test_creates_a_plain_module(self):
        model = zoo.create("memn2n", vocabulary=20, sentence_length=6, story_length=10, hops=2)
        assert isinstance(model, torch.nn.Module)
        assert model.hops == 2
        assert type(zoo.create("ntm", inputs=3, outputs=2, slots=12)).__name__ == "SequenceNTM"
        assert zoo.create("memn2n", vocabulary=20, sentence_length=6, story_length=10, seed=1).words.shape == (
            4,
            20,
            20,
        )

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ({"name": "memn3n"}, "model=memn3n is not known; did you mean 'memnn'"),
            ({"name": "memn2n"}, "vocabulary and sentence_length and story_length missing"),
            (
                {"name": "lstm", "vocabulary": 0, "sentence_length": 3, "story_length": 4},
                "vocabulary=0: expected a whole",
            ),
            (
                {"name": "memn2n", "vocabulary": 9, "sentence_length": 3, "story_length": 4, "hop": 2},
                "model.hop is not an option of MemN2N; did you mean 'hops'",
            ),
            ({"name": "memn2n", "inputs": 3, "outputs": 3}, "vocabulary and sentence_length and story_length missing"),
            (
                {"name": "memn2n", "vocabulary": 9, "sentence_length": 3, "story_length": 4, "_target_": "os.system"},
                "the class is that of model=memn2n; leave it out",
            ),
            (
                {"name": "memn2n", "vocabulary": 9, "sentence_length": 3, "story_length": 4, "seed": 2**70},
                "seed=.*: expected a whole number",
            ),
        ],
    )
    def test_what_cannot_be_created_is_refused_in_one_sentence(self, arguments, said):
        with pytest.raises(UserError, match=said):
            zoo.create(**arguments)

    @pytest.mark.slow
    def test_trains_and_gives_figures_as_tables(self, tmp_path):
        pytest.importorskip("pandas", reason="pip install -e '.[pandas]'")
        run = zoo.train(
            "trainer.max_epochs=3", model="memn2n", task="babi", ids=[1, 2], restarts=2, source="generated", size=60,
            dim=6, logger="none", results_dir=str(tmp_path / "mine, a=b (2)"), cache_dir=str(tmp_path / "cache"),
            generator={"test": 40},
        )  # fmt: skip
        assert run.record.settings["model"]["dim"] == 6
        assert run.record.settings["task"]["generator"]["test"] == 40
        table = zoo.leaderboard("babi", size="60", results_dir=str(tmp_path / "mine, a=b (2)"))
        assert list(table["size"]) == ["60"]
        assert len(run.errors) == 4
        assert list(run.errors.columns) == ["part", "restart", "valid", "test", "selected"]
        assert run.errors[run.errors.selected].test.mean() == pytest.approx(run.error)
        assert len(run.curves) == 2 * 2 * 3
        assert run.load(2).training == "2"
        with pytest.raises(UserError, match="'hop' is no option of this run; did you mean 'hops'"):
            zoo.train(model="memn2n", task="babi", hop=2)

    @pytest.mark.parametrize(
        ("overrides", "options", "said"),
        [
            ((), {"ids": [99]}, r"task.ids=\[99\]: expected different numbers from 1 to 20"),
            ((), {"size": 5}, "task.size=5"),
            ((), {"logger": "nope"}, "logger 'nope' is not known"),
            (("nonsense",), {}, "nonsense"),
            (("task.nope=0",), {}, "'task.nope' is not an option"),
        ],
    )
    def test_a_mistake_in_a_training_is_one_sentence(self, tmp_path, overrides, options, said):
        with pytest.raises(UserError, match=said):
            zoo.train(*overrides, model="memn2n", task="babi", source="generated", results_dir=str(tmp_path), **options)

    def test_reads_the_leaderboard_as_a_table(self, tmp_path):
        pytest.importorskip("pandas", reason="pip install -e '.[pandas]'")
        table = zoo.leaderboard("babi", size="1k", results_dir=str(ROOT / "results"))
        assert set(table["size"]) == {"1k"}
        assert "memn2n" in set(table["model"])
        with pytest.raises(UserError, match="has no sizes"):
            zoo.leaderboard("dialog", size="1k", results_dir=str(ROOT / "results"))
        with pytest.raises(UserError, match="size=2k: no row has it; expected one of 10k, 1k"):
            zoo.leaderboard("babi", size="2k", results_dir=str(ROOT / "results"))
        with pytest.raises(UserError, match="no record of bAbI in"):
            zoo.leaderboard("babi", results_dir=str(tmp_path))

    def test_without_pandas_it_says_how_to_get_it(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "pandas", None)
        with pytest.raises(UserError, match=r"pip install -e '.\[pandas\]'"):
            zoo.leaderboard("babi", results_dir=str(ROOT / "results"))


@pytest.mark.parametrize("name", ["ask_a_memory", "compare_memories"])
def test_notebooks_run(name, monkeypatch, capsys):
    """Each cell in its order, in one namespace; what a cell ends with is shown as a notebook shows it."""
    monkeypatch.chdir(ROOT / "examples")
    cells = json.loads((ROOT / f"examples/{name}.ipynb").read_text())["cells"]
    namespace: dict = {}
    shown = []
    for cell in cells:
        assert not cell.get("outputs")  # a notebook is kept without what it once printed
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse("".join(cell["source"]))
        *first, last = tree.body
        exec(compile(ast.Module(first, []), name, "exec"), namespace)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), name, "eval"), namespace)
            shown.append(value._repr_html_() if hasattr(value, "_repr_html_") else repr(value))
        else:
            exec(compile(ast.Module([last], []), name, "exec"), namespace)
    printed = capsys.readouterr().out
    if name == "ask_a_memory":
        assert printed.startswith("kitchen\ngarden\n'kitschen' is no word of this task; did you mean 'kitchen'")
        assert any("<table>" in text for text in shown)
    else:
        assert "memn2n" in shown[0]
        assert "<svg" in str(namespace["replies"][0].plot(*namespace["replies"][1:]))
        assert printed.count("without: ") == 6
