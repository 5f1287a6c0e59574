"""Names exchanged in training: in whole classes, in the whole story, and nowhere but in training."""

import csv
import re
from dataclasses import replace

import pytest
import torch

from tasks.babi import names
from tasks.babi.generator import CASTS
from tasks.babi.names import ANIMALS, COLOURS, RENAMINGS, classes_of
from tasks.babi.oracle import readings
from tasks.babi.text import Question
from tasks.babi.words import FEMALE
from tasks.batch import PAD
from tasks.corpus import Corpus
from tasks.errors import UserError
from tests.configs import config
from tests.records import PUBLISHED, add, raw, rewrite, rows_of, settings_of
from tests.runs import again, made
from tests.tiny_babi import corpora_of, load_babi
from zoo import kernels, records
from zoo.families import FAMILIES
from zoo.kinds.stories import evaluation_batches, training_batches
from zoo.leaderboard.table_csv import as_csv
from zoo.training.build import build
from zoo.training.packing import PackedBatches, pad_to_one_size

TASKS = range(1, 21)
EXCHANGED = [task for task in TASKS if task != 18]
NAMES = {name.lower() for cast in CASTS.values() for name in cast.people}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def corpora(cache, *ids: int, **options) -> dict[int, Corpus]:
    generated = {"source": "generated", "size": 200, "generator": {"test": 100}}
    return corpora_of(load_babi(cache, cache, list(ids), **generated | options))


def spelled(corpus: Corpus, row: int) -> str:
    return " ".join(corpus.words[word] for word in corpus.sentences[row].tolist() if word)


def written(task: int, text: str, mark: str) -> str:
    """Write a sentence as the release does, for the oracle."""
    kept = task in (15, 20) and mark == "?"  # where questions have small letters in names
    words = [word.title() if word in NAMES and not kept else word for word in text.split()]
    return " ".join([words[0][0].upper() + words[0][1:], *words[1:]]) + mark


def retold(task: int, corpus: Corpus, renaming: int) -> list[list]:
    """Every training story under a renaming, as the oracle reads it."""
    train, renamed = corpus.train, corpus.renaming
    rows, answers = renamed.sentences[renaming], renamed.answers[renaming]
    stories = []
    for number in range(len(train.lengths)):
        begin, end = train.begin[number : number + 2].tolist()
        told = [written(task, spelled(corpus, row), ".") for row in rows[renamed.facts[begin:end]].tolist()]
        story, before = [], 0
        for one in (train.story == number).nonzero().flatten().tolist():
            story += told[before : train.told[one]]
            before = int(train.told[one])
            question = written(task, spelled(corpus, rows[renamed.question[one]]), "?")
            story.append(Question(question, corpus.words[answers[renamed.answer[one]]], ()))
        stories.append(story)
    return stories


def agrees(task: int, stories: list[list]) -> list[bool]:
    """Whether the answer to each question is one that the oracle finds."""
    return [
        question.answer in {answer.lower() for answer in reading.answers}
        for story in stories
        for question, reading in readings(task, story)
    ]


@pytest.mark.parametrize("task", EXCHANGED)
def test_renamed_stories_have_the_right_answers(cache, task):
    (corpus,) = corpora(cache, task, rename=True).values()
    assert all(agrees(task, retold(task, corpus, 0)))
    changed = 0
    for renaming in (1, 2, RENAMINGS - 1):
        stories = retold(task, corpus, renaming)
        assert all(agrees(task, stories))
        changed += stories != retold(task, corpus, 0)
    assert changed == 3


@pytest.mark.parametrize("task", EXCHANGED)
def test_names_are_permuted_within_their_class_and_all_else_stays(cache, task):
    (corpus,) = corpora(cache, task, rename=True).values()
    classes = [{name.lower() for name in names} for names in classes_of(task)] + [{"he", "she"}]
    of_name = {name: place for place, names in enumerate(classes) for name in names}
    pattern = re.compile(r"\b(" + "|".join(sorted(of_name, key=len, reverse=True)) + r")\b")
    for renaming in range(0, RENAMINGS, 16):
        image: dict[str, str] = {}
        for before, after in corpus.renaming.sentences[[0, renaming]].T.tolist():
            was, now = spelled(corpus, before), spelled(corpus, after)
            assert pattern.sub("", was) == pattern.sub("", now)
            for old, new in zip(pattern.findall(was), pattern.findall(now), strict=True):
                assert image.setdefault(old, new) == new
        assert set(image) == set(image.values())
        assert all(of_name[old] == of_name[new] for old, new in image.items())
        if task == 11:  # he is a man
            men = [name for name in image if name.title() in CASTS[11].people and name.title() not in FEMALE]
            assert {image[name].title() not in FEMALE for name in men} == {image["he"] == "he"}
    different = len(corpus.renaming.sentences.unique(dim=0))
    assert different == 24 if task in (15, 20) else different > 200  # 4! people; elsewhere there are many more ways


def test_directions_times_motives_plurals_and_sizes_are_no_names():
    known = {name.lower() for task in TASKS for names in classes_of(task) for name in names}
    kept = "north south east west left right above below morning afternoon evening yesterday hungry thirsty tired bored"
    assert not known & {*kept.split(), "mouse", "mice", "wolf", "wolves", "cat", "cats", "sheep", "chest", "chocolate"}
    assert set(ANIMALS) | set(COLOURS) <= {name for names in classes_of(16) for name in names}


def words_of_batch(corpus: Corpus, batch) -> list:
    """The words of stories and questions, and the answers, of a batch drawn by question, with an axis of restarts."""
    restarts = torch.arange(len(batch.stories))[:, None]
    sentences = batch.sentences.expand(len(restarts), *batch.sentences.shape[-2:])
    told = sentences[restarts[..., None], batch.stories]
    return [told, sentences[restarts, batch.question], batch.answer]


def batches(corpus: Corpus, name: str, seeds: list[int], epoch: int = 0) -> list:
    network = build(config(f"model={name}")["model"], corpus.sizes, seed=0)
    drawn = training_batches(corpus, network, seeds, 8)
    drawn.set_epoch(epoch)
    return list(drawn)


def same(some: list, others: list) -> bool:
    """Whether batches are equal in all tables."""
    return all(
        one is None or one.equal(other)
        for batch, like in zip(some, others, strict=True)
        for one, other in zip(batch[:-3], like[:-3], strict=True)
    )


class TestDrawing:
    @pytest.mark.parametrize("name", ["memn2n", "memnn", "entnet"])
    def test_restart_k_draws_what_it_draws_alone(self, cache, name):
        (corpus,) = corpora(cache, 2, rename=True).values()
        together = batches(corpus, name, [3, 4])
        for k, seed in enumerate([3, 4]):
            for batch, alone in zip(together, batches(corpus, name, [seed]), strict=True):
                for mine, other in zip(words_of_batch(corpus, batch), words_of_batch(corpus, alone), strict=True):
                    width = min(mine.shape[2], other.shape[2]) if mine.dim() > 2 else None
                    assert mine[k].equal(other[0]) if width is None else mine[k, :, :width].equal(other[0, :, :width])

    @pytest.mark.parametrize("name", ["memn2n", "memnn", "entnet"])
    def test_an_epoch_follows_from_its_seed_and_number_alone(self, cache, name):
        (corpus,) = corpora(cache, 2, rename=True).values()
        assert same(batches(corpus, name, [3], epoch=5), batches(corpus, name, [3], epoch=5))
        assert not same(batches(corpus, name, [3], epoch=5), batches(corpus, name, [3], epoch=6))

    @pytest.mark.parametrize("name", ["memn2n", "memnn", "entnet"])
    def test_order_support_and_noise_are_those_without_renaming(self, cache, name):
        (plain,), (corpus,) = (corpora(cache, 6, rename=rename).values() for rename in (False, True))
        changed = 0
        for before, after in zip(batches(plain, name, [3], 2), batches(corpus, name, [3], 2), strict=True):
            for table in ("story", "told", "support", "noise"):
                one, other = getattr(before, table), getattr(after, table)
                assert one is other is None or one.equal(other)
            assert (before.answer == PAD).equal(after.answer == PAD)
            changed += int((before.stories != after.stories).sum())
        assert changed

    @pytest.mark.skipif(not kernels.available(), reason="there is no C++ compiler")
    def test_the_kernel_renames_like_the_plain_form(self, cache):
        (corpus,) = corpora(cache, 17, rename=True).values()
        drawn = []
        for switch in (True, False):
            with kernels.switched(switch):
                drawn.append(batches(corpus, "memn2n", [3, 4]))
        assert same(*drawn)

    def test_stories_and_questions_are_drawn_under_one_renaming(self, cache):
        """Every story of a batch is one that the oracle can answer, with supporting facts that say the answer."""
        (corpus,) = corpora(cache, 1, rename=True).values()
        for name in ("memn2n", "entnet"):
            for batch in batches(corpus, name, [3]):
                fact = batch.stories[0][batch.story[0]].gather(1, batch.support[0].clamp(min=0))[:, 0]
                asked = batch.answer[0] != PAD
                sentences = batch.sentences if batch.sentences.dim() == 2 else batch.sentences[0]
                words = sentences[fact]
                assert (words == batch.answer[0][:, None]).any(1)[asked].all()
                person = sentences[batch.question[0]][:, 2]  # where is mary
                assert (words == person[:, None]).any(1)[asked].all()

    def test_tasks_of_a_pack_are_renamed_as_alone(self, cache):
        tasks = {str(task): corpus for task, corpus in corpora(cache, 1, 2, rename=True).items()}
        sizes, padded = pad_to_one_size(tasks)
        network = build(config("model=memn2n")["model"], sizes, seed=0)
        packed = PackedBatches([training_batches(corpus, network, [3, 4], 8) for corpus in padded.values()], 2)
        first = next(iter(packed))
        for place, (name, corpus) in enumerate(tasks.items()):
            alone = batches(corpus, "memn2n", [3, 4])[0]
            mine = first._replace(**{t: getattr(first, t)[2 * place :][:2] for t in ("question", "answer", "stories")})
            sentences = first.sentences[2 * place :][:2]
            told, question, answer = words_of_batch(corpus, mine._replace(sentences=sentences))
            was = words_of_batch(corpus, alone)
            width, words = was[0].shape[2], was[0].shape[3]
            assert told[:, :, :width, :words].equal(was[0]), name
            assert question[..., :words].equal(was[1])
            assert answer.equal(was[2])

    def test_joint_training_renames_each_task_by_itself(self, cache):
        given = {"source": "generated", "size": 60, "rename": True}
        (joint,) = load_babi(cache, cache, [1, 11, 16], protocol="joint", **given).trainings.values()
        alone = corpora_of(load_babi(cache, cache, [1, 11, 16], **given))
        for renaming in (0, 1, RENAMINGS - 1):
            assert retold_plainly(joint, renaming) == [
                line for corpus in alone.values() for line in retold_plainly(corpus, renaming)
            ]
        assert joint.renaming.leaks.equal(torch.cat([corpus.renaming.leaks for corpus in alone.values()]))


def retold_plainly(corpus: Corpus, renaming: int) -> list[str]:
    """Every question of training with the story told before it and its answer, renamed."""
    train, renamed = corpus.train, corpus.renaming
    rows, answers = renamed.sentences[renaming], renamed.answers[renaming]
    text = [spelled(corpus, row) for row in range(len(corpus.sentences))]
    told = [text[row] for row in rows[renamed.facts].tolist()]
    begin, asked = train.begin[train.story].tolist(), rows[renamed.question].tolist()
    said = [corpus.words[word] for word in answers[renamed.answer].tolist()]
    rest = zip(begin, train.told.tolist(), asked, said, strict=True)
    return [" ".join([*told[first : first + count], text[row], answer]) for first, count, row, answer in rest]


def asked_in(corpus: Corpus, split) -> list[str]:
    """Every question of a split with the story told before it."""
    begin = split.begin[split.story].tolist()
    text = [spelled(corpus, row) for row in range(len(corpus.sentences))]
    return [
        " ".join(text[row] for row in [*split.facts[first : first + told].tolist(), question])
        for first, told, question in zip(begin, split.told.tolist(), split.question.tolist(), strict=True)
    ]


class TestUntouched:
    @pytest.mark.parametrize("task", TASKS)
    def test_validation_test_and_fingerprint(self, cache, task):
        ids = sorted({1, task})
        (plain, renamed) = (
            load_babi(cache, cache, ids, source="generated", size=200, rename=rename) for rename in (False, True)
        )
        assert plain.fingerprint == renamed.fingerprint
        before, after = (corpora_of(data)[task] for data in (plain, renamed))
        for part in ("train", "valid", "test"):
            for table, other in zip(*(vars(of.splits[part]).values() for of in (before, after)), strict=True):
                assert table is other is None or table.equal(other)
        assert after.words[: len(before.words)] == before.words
        assert after.sentences[: len(before.sentences)].equal(before.sentences)
        # the first renaming leaves everything as it is
        train, renaming = after.train, after.renaming
        assert renaming.sentences[0][renaming.facts].equal(train.facts)
        assert renaming.sentences[0][renaming.question].equal(train.question)
        assert renaming.answers[0][renaming.answer].equal(train.answer)

    def test_evaluation_reads_stories_as_they_are(self, cache):
        (plain,), (corpus,) = (corpora(cache, 5, rename=rename).values() for rename in (False, True))
        for split in ("valid", "test"):
            one, other = (
                evaluation_batches(of, of.splits[split], build(config("model=memn2n")["model"], of.sizes, seed=0))
                for of in (plain, corpus)
            )
            assert one.order.equal(other.order)
            assert all(
                left.stories.equal(right.stories) and left.answer.equal(right.answer)
                for left, right in zip(one, other, strict=True)
            )

    def test_words_that_renaming_brings_are_seen_in_training(self, cache):
        (plain,), (corpus,) = (corpora(cache, 8, rename=rename).values() for rename in (False, True))
        new = range(len(plain.words), len(corpus.words))
        assert all("," in corpus.words[word] for word in new)  # lists of things in an order that was not asked about
        assert not corpus.unseen[list(new)].any()
        assert (corpus.unseen[: len(plain.words)] <= plain.unseen).all()

    def test_things_of_task_18_keep_their_names(self, cache):
        corpus = corpora(cache, 1, 18, rename=True)[18]
        assert (corpus.renaming.sentences == corpus.renaming.sentences[0]).all()


def test_of_the_sentences_that_renaming_makes_the_release_lacks_only_those_of_task_18(official, cache, monkeypatch):
    """So there names carry knowledge: in no story of 10k is a box of chocolates bigger than a chest."""
    monkeypatch.setattr(names, "WITH_KNOWLEDGE", ())
    ids, size = [5, 8, 11, 16, 17, 18, 19], {"size": "10k"}
    plain, renamed = (corpora_of(load_babi(official, cache, ids, rename=rename, **size)) for rename in (False, True))
    made = {task: len(renamed[task].sentences) - len(plain[task].sentences) for task in ids}
    assert {task: new for task, new in made.items() if new} == {18: 22}


class TestLeaks:
    @pytest.mark.parametrize("task", [4, 17, 20])
    def test_they_are_the_renamed_questions_that_stand_in_the_test_set(self, cache, task):
        (corpus,) = corpora(cache, task, rename=True).values()
        test = set(asked_in(corpus, corpus.test))
        marked = 0
        for renaming in range(0, RENAMINGS, 25):
            answers = corpus.renaming.answers[renaming][corpus.renaming.answer].tolist()
            asked = [
                line.removesuffix(f" {corpus.words[answer]}")
                for line, answer in zip(retold_plainly(corpus, renaming), answers, strict=True)
            ]
            assert corpus.renaming.leaks[:, renaming].tolist() == [line in test for line in asked]
            marked += int(corpus.renaming.leaks[:, renaming].sum())
        assert marked

    @pytest.mark.parametrize("name", ["memn2n", "entnet"])
    def test_none_is_drawn(self, cache, name):
        (corpus,) = corpora(cache, 4, rename=True).values()
        test, given = (set(asked_in(corpus, split)) for split in (corpus.test, corpus.train))
        renamed = 0
        for epoch in range(5):
            for batch in batches(corpus, name, [3], epoch):
                sentences = batch.sentences if batch.sentences.dim() == 2 else batch.sentences[0]
                for story, told, question, answer in zip(*(t[0].tolist() for t in batch[2:6]), strict=True):
                    if answer == PAD:
                        continue
                    rows = [*batch.stories[0, story, :told].tolist(), question]
                    line = " ".join(corpus.words[word] for row in rows for word in sentences[row].tolist() if word)
                    assert line in given or line not in test
                    renamed += line not in given
        assert renamed > 100

    def test_a_story_leaks_with_any_of_its_questions(self, cache):
        (corpus,) = corpora(cache, 20, rename=True).values()
        network = build(config("model=entnet")["model"], corpus.sizes, seed=0)
        leaks, story = corpus.renaming.leaks, corpus.train.story
        of_story = torch.stack([leaks[story == number].any(0) for number in story.unique()])
        assert training_batches(corpus, network, [3], 8).leaks.equal(of_story)

    def test_of_the_release(self, official, tmp_path):
        """Test questions that stand, with their story, among thirty renamings of 1k; all are kept out of training."""
        tasks = [2, 7, 9, 10, 17, 19]
        found = {}
        for task, corpus in corpora_of(load_babi(official, tmp_path, tasks, rename=True)).items():
            lines = {line.rpartition(" ")[0] for renaming in range(30) for line in retold_plainly(corpus, renaming)}
            found[task] = sum(line in lines for line in asked_in(corpus, corpus.test))
        assert found == {2: 1, 7: 13, 9: 14, 10: 6, 17: 323, 19: 0}


class TestRuns:
    def test_a_run_says_so_in_its_settings_and_stands_in_a_table_of_its_own(self, tmp_path):
        given = (
            "model=memn2n", "task=babi", "task.ids=[1]", "task.source=generated", "task.size=60",
            "task.generator.test=40", "restarts=2", "trainer.max_epochs=2", "model.dim=6", "logger=none",
            "trainer.workers=1",
        )  # fmt: skip
        files = [made(tmp_path, *given, f"task.rename={rename}") for rename in ("false", "true")]
        plain, renamed = map(records.read, files)
        again(tmp_path, f"run={files[1]}")  # to the last figure
        assert "rename" not in plain.settings["task"]
        assert renamed.settings["task"]["rename"] is True
        assert plain.identity != renamed.identity
        assert plain.settings["data_sha256"] == renamed.settings["data_sha256"]
        assert plain.tasks != renamed.tasks
        family = FAMILIES["babi"]
        rows = family.rows([renamed, plain], tmp_path / "results")
        assert [row.table.title for row in rows] == [
            "bAbI 60, generated data (test=40), one training a task",
            "bAbI 60, generated data (test=40), names exchanged in training, one training a task",
        ]
        assert len({row.setting for row in rows}) == 1
        lines = list(csv.DictReader(as_csv(family, rows).splitlines()))
        assert [line["source"] for line in lines] == [
            "generated (test=40)",
            "generated (test=40), names exchanged in training",
        ]

    def test_the_same_recipe_stands_beside_it_and_no_paper(self, tmp_path):
        (tmp_path / "published.csv").write_text(PUBLISHED)
        for shift, rename in ((0.0, False), (-1.0, True)):
            file = add(tmp_path, published="a", shift=shift, identity=str(int(rename)))
            rewrite(file, raw(file) | {"settings": settings_of("model=memn2n", f"task.rename={rename}", "restarts=2")})
        family = FAMILIES["babi"]
        plain, renamed = rows_of(tmp_path)
        assert (bool(plain.published), renamed.published) == (True, ())
        assert renamed.table.title == "bAbI 1k, official data, names exchanged in training, one training a task"
        grid, _ = family.grids([renamed])
        cells = dict(zip(grid.columns[:6], grid.rows[0][1], strict=False))
        assert float(cells["mean error"].text) == float(cells["names kept"].text) - 1
        assert cells["names kept"].text == family.grids([plain])[0].rows[0][1][2].text
        alone = replace(renamed, beside=None)
        assert [cell.text for cell in family.grids([alone])[0].rows[0][1][4:6]] == ["–", "–"]
        assert "published" in family.grids([plain])[0].columns
        assert "published" not in grid.columns

    @pytest.mark.parametrize(
        "ids, options, said",
        [
            ([1], {"variant": "hn"}, "the names of task.variant=hn are not known"),
            ([1], {"rename": "yes"}, "task.rename=yes"),
        ],
    )
    def test_what_cannot_be_renamed_is_refused(self, cache, ids, options, said):
        with pytest.raises(UserError, match=said):
            corpora(cache, *ids, **{"rename": True} | options)

    def test_names_that_carry_knowledge_are_kept_with_a_notice(self, cache):
        """A training of its own, too: all twenty tasks are trained one by one."""
        told = {"source": "generated", "size": 200, "rename": True}
        data = load_babi(cache, cache, [18], **told)
        assert data.notice == "NOTE: the names of task 18 carry knowledge and are kept"
        renaming = data.trainings["18"].renaming
        for table in (renaming.sentences, renaming.answers):
            assert (table == table[:1]).all()
        assert not load_babi(cache, cache, [1], **told).notice

    def test_stories_without_known_names_are_refused(self, tmp_path):
        home = tmp_path / "tasks_1-20_v1-2" / "en"
        home.mkdir(parents=True)
        for part in ("train", "test"):
            story = "1 Ann runs to the moon.\n2 Where is Ann?\tmoon\t1\n"
            (home / f"qa1_little_{part}.txt").write_text(story * 4)
        with pytest.raises(UserError, match="the training stories of task 1 hold no names that are known"):
            load_babi(tmp_path, tmp_path / "cache", [1], rename=True)
