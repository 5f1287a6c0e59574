"""Finding, fetching, caching and reading the release; with our own little world, and with the real one where it is."""

import hashlib
import http.server
import tarfile
import threading
import time
from functools import partial
from pathlib import Path

import pytest
import torch

from tasks.babi import official, tables
from tasks.babi.official import find
from tasks.corpus import join
from tasks.errors import UserError
from tests.tiny_babi import corpora_of, load_babi


def load(data_dir: Path, cache_dir: Path, ids: list[int], size: str, variant: str, download: bool):
    data = load_babi(data_dir, cache_dir, ids, size=size, variant=variant, download=download)
    return corpora_of(data), data.fingerprint


def packed(folder: Path, where: Path) -> Path:
    where.mkdir(parents=True, exist_ok=True)
    archive = where / official.ARCHIVE
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder / official.FOLDER, official.FOLDER)
    return archive


def same(one, other):
    assert one.words == other.words
    assert one.sentences.equal(other.sentences)
    for part in ("train", "valid", "test"):
        for name, table in vars(getattr(one, part)).items():
            again = getattr(getattr(other, part), name)
            assert table is again is None or table.equal(again), (part, name)


def test_folder_archive_and_cache_give_the_same(release, tmp_path):
    from_folder, first = load(release, tmp_path / "a", [1, 2], "1k", "en", False)
    cached, second = load(release, tmp_path / "a", [1, 2], "1k", "en", False)
    packed(release, tmp_path / "packed" / "babi")
    from_archive, third = load(tmp_path / "packed", tmp_path / "b", [1, 2], "1k", "en", False)
    for task in (1, 2):
        same(from_folder[task], cached[task])
        same(from_folder[task], from_archive[task])
    assert first == second == third


def test_files_that_are_not_those_of_the_release_are_said_to_be_others(release, tmp_path, monkeypatch):
    others = load_babi(release, tmp_path / "cache", [1, 2])
    assert (others.source, others.world) == ("official", "tasks 1, 2: not the release's files")
    assert "are not those of bAbI v1.2; this run gets its own table" in others.notice
    known = tmp_path / "release.csv"
    known.write_text("subset,task,sha256\nen,1,0\n")
    monkeypatch.setattr(official, "KNOWN", known)
    # a task that we do not have, as task 3 at 10k, is believed
    assert load_babi(release, tmp_path / "cache", [1, 2]).world == "task 1: not the release's files"


def test_the_release_is_known_file_by_file(official, tmp_path):
    for size in ("1k", "10k"):
        assert load_babi(official, tmp_path, [1, 2, 20], size=size).world == ""


def test_cache_notices_changed_code(release, tmp_path, monkeypatch):
    before, _ = load(release, tmp_path / "cache", [1], "1k", "en", False)
    monkeypatch.setattr(tables, "HELD_OUT", 0.5)
    cached, _ = load(release, tmp_path / "cache", [1], "1k", "en", False)
    assert len(cached[1].valid) == len(before[1].valid)
    other = tmp_path / "tables.py"
    other.touch()
    monkeypatch.setattr(tables, "MADE_BY", (other, *tables.MADE_BY[1:]))
    after, _ = load(release, tmp_path / "cache", [1], "1k", "en", False)
    assert len(after[1].valid) > len(before[1].valid)


def test_cache_notices_a_changed_file_and_survives_damage(release, tmp_path):
    _, before = load(release, tmp_path / "cache", [1], "1k", "en", False)
    (cached,) = (tmp_path / "cache").rglob("qa1.pt")
    for damaged in (cached.read_bytes()[:100], b"", b"not a table at all"):
        cached.write_bytes(damaged)
        corpora, after = load(release, tmp_path / "cache", [1], "1k", "en", False)
        assert after == before
    assert len(corpora[1].test) == 60
    file = release / official.FOLDER / "en/qa1_little-world_test.txt"
    file.write_text(file.read_text() + "1 Ada ran to the zoo.\n2 Where is Ada?\tzoo\t1\n")
    corpora, changed = load(release, tmp_path / "cache", [1], "1k", "en", False)
    assert changed != before
    assert len(corpora[1].test) == 61


def test_a_validation_file_is_used_where_there_is_one(release, tmp_path):
    home = release / official.FOLDER
    (home / "en").rename(home / "en-valid")
    for file in (home / "en-valid").iterdir():
        file.rename(file.with_name(file.name.replace("little-world_", "")))
    (home / "en-valid/qa1_valid.txt").write_text((home / "en-valid/qa1_test.txt").read_text())
    corpora, _ = load(release, tmp_path / "cache", [1, 2], "1k", "en-valid", False)
    assert (len(corpora[1].train), len(corpora[1].valid)) == (120, 60)
    assert (len(corpora[2].train), len(corpora[2].valid)) == (108, 12)


def test_a_missing_file_is_named(release, tmp_path):
    (release / official.FOLDER / "en/qa2_little-world_train.txt").unlink()
    with pytest.raises(UserError, match=r"train file of task 2 .* is missing"):
        load(release, tmp_path / "cache", [1, 2], "1k", "en", False)
    load(release, tmp_path / "cache", [1], "1k", "en", False)


def test_a_missing_size_and_a_damaged_archive_are_named(release, tmp_path):
    with pytest.raises(UserError, match="no folder en-10k"):
        load(release, tmp_path / "cache", [1], "10k", "en", False)
    archive = packed(release, tmp_path / "packed")
    whole = archive.read_bytes()
    middle = len(whole) // 2
    for damaged in (whole[:-200], whole[:-2], whole[:middle] + b"?!" + whole[middle + 2 :], b"", b"no archive"):
        archive.write_bytes(damaged)
        with pytest.raises(UserError, match=r"tar\.gz is damaged"):
            load(tmp_path / "packed", tmp_path / "cache", [1], "1k", "en", False)


def test_an_archive_writes_nothing_where_it_is_read(release, tmp_path):
    evil = tmp_path / "evil"
    evil.mkdir()
    with tarfile.open(evil / official.ARCHIVE, "w:gz") as tar:
        tar.add(release / official.FOLDER, official.FOLDER)
        outside = release / official.FOLDER / "en/qa1_little-world_test.txt"
        tar.add(outside, "../../escaped/en/qa3_x_test.txt")
        link = tarfile.TarInfo(f"{official.FOLDER}/en/qa1_link_train.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    before = set(tmp_path.rglob("*"))
    corpora, _ = load(evil, release.parent / "cache", [1], "1k", "en", False)
    assert len(corpora[1].test) == 60
    inside = sorted(file.name for file in (release / official.FOLDER / "en").iterdir())
    assert sorted(official.find(evil).files("en")) == inside  # neither what lies elsewhere nor what a link names
    assert {f for f in set(tmp_path.rglob("*")) - before if "cache" not in f.parts} == set()


def test_a_member_larger_than_any_file_of_the_release_is_not_read(release, tmp_path, monkeypatch):
    home = tmp_path / "packed"
    home.mkdir()
    with tarfile.open(home / official.ARCHIVE, "w:gz") as tar:
        tar.add(release / official.FOLDER, official.FOLDER)
    monkeypatch.setattr("tasks.release.LARGEST", 10)
    with pytest.raises(UserError, match="no file of the release has"):
        load(home, tmp_path / "cache", [1], "1k", "en", False)


class TestDownload:
    @pytest.fixture
    def mirror(self, release, tmp_path, monkeypatch):
        """A server of our own on this machine, which the mirrors' addresses point to."""
        archive = packed(release, tmp_path / "served")
        quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=str(archive.parent)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(official, "MIRRORS", (f"{url}/gone.tar.gz", f"{url}/{official.ARCHIVE}"))
        monkeypatch.setattr(official, "SHA256", hashlib.sha256(archive.read_bytes()).hexdigest())
        yield archive
        server.shutdown()

    def test_comes_on_request_from_the_mirror_that_has_it(self, mirror, tmp_path):
        home = tmp_path / "home"
        with pytest.raises(UserError, match=r"task\.download=true"):
            load(home, tmp_path / "cache", [1], "1k", "en", False)
        assert not home.exists()
        corpora, _ = load(home, tmp_path / "cache", [1], "1k", "en", True)
        assert len(corpora[1].test) == 60
        assert (home / official.ARCHIVE).read_bytes() == mirror.read_bytes()

    def test_other_bytes_are_refused(self, mirror, tmp_path, monkeypatch):
        monkeypatch.setattr(official, "SHA256", "0" * 64)
        with pytest.raises(UserError, match="could not be downloaded"):
            load(tmp_path / "home", tmp_path / "cache", [1], "1k", "en", True)
        assert find(tmp_path / "home") is None


@pytest.mark.parametrize("ids", [[0], [21], [], [1, 1], ["x"]])
def test_ids_that_are_no_tasks_are_refused(release, tmp_path, ids):
    with pytest.raises(UserError, match="from 1 to 20"):
        load(release, tmp_path / "cache", ids, "1k", "en", False)


class TestRealRelease:
    """Facts of release v1.2, counted in its files."""

    def all_tasks(self, official_dir, cache, size, ids=tuple(range(1, 21))):
        return load(official_dir, cache, ids, size, "en", False)[0]

    def test_reads_in_seconds_and_from_its_cache_in_less(self, official, tmp_path):
        for size, ids in (("1k", range(1, 21)), ("10k", [task for task in range(1, 21) if task != 3])):
            for limit in (10, 1):
                began = time.perf_counter()
                self.all_tasks(official, tmp_path, size, ids)
                assert time.perf_counter() - began < limit

    def test_counts_at_1k(self, official, tmp_path):
        corpora = self.all_tasks(official, tmp_path, "1k")
        assert {len(c.train) + len(c.valid) for c in corpora.values()} == {1000}
        assert {len(c.test) for c in corpora.values()} == {1000}
        stories = sum(len(c.train.begin) + len(c.valid.begin) - 2 for c in corpora.values())
        assert stories == 6267
        held = {task: len(c.valid) for task, c in corpora.items()}
        assert all(96 <= n <= 104 for n in held.values()), held

    def test_joint_tables(self, official, tmp_path):
        joint = join(list(self.all_tasks(official, tmp_path, "1k").values()))
        assert len(joint.words) == 175  # with the empty word, and answers of several words as one
        assert joint.sentences.shape[1] == 11
        assert len(joint.test) == 20_000

    def test_counts_at_10k_without_task_3(self, official, tmp_path):
        ids = [task for task in range(1, 21) if task != 3]
        corpora = self.all_tasks(official, tmp_path, "10k", ids)
        assert {len(c.train) + len(c.valid) for c in corpora.values()} == {10_000}
        with pytest.raises(UserError, match="train file of task 3"):
            load(official, tmp_path, [3], "10k", "en", False)

    def test_first_question_of_each_kind(self, official, tmp_path):
        corpora = self.all_tasks(official, tmp_path, "1k")

        def first(task):
            corpus = corpora[task]
            batch = corpus.by_question(corpus.train, torch.tensor([0]), 50)
            said = [" ".join(corpus.words[w] for w in corpus.sentences[row] if w) for row in batch.stories[0] if row]
            question = " ".join(corpus.words[w] for w in corpus.sentences[batch.question[0]] if w)
            support = [said[i] for i in batch.support[0] if i >= 0]
            return question, corpus.words[batch.answer[0]], support

        assert first(1) == ("where is mary", "bathroom", ["mary moved to the bathroom"])
        question, answer, support = first(19)
        assert question == "how do you go from the kitchen to the garden"
        assert answer == "s,e"
        assert support == ["the kitchen is north of the office", "the office is west of the garden"]

    def test_supporting_sentence_of_task_1_names_the_answer(self, official, tmp_path):
        corpus = self.all_tasks(official, tmp_path, "1k", [1])[1]
        batch = corpus.by_question(corpus.test, torch.arange(1000), 50)
        fact = batch.stories.gather(1, batch.support[:, :1])[:, 0]
        assert (corpus.sentences[fact] == batch.answer[:, None]).any(1).all()

    def test_leaks_are_those_that_the_readme_reports(self, official, tmp_path):
        def asked(split):
            """Every question with the story told before it."""
            begin = split.begin[split.story].tolist()
            rows = zip(begin, split.told.tolist(), split.question.tolist(), strict=True)
            return [(tuple(split.facts[at : at + told].tolist()), question) for at, told, question in rows]

        def leaks(corpus):
            learned = set(asked(corpus.train) + asked(corpus.valid))
            return sum(question in learned for question in asked(corpus.test))

        found = {task: leaks(corpus) for task, corpus in self.all_tasks(official, tmp_path, "1k").items()}
        assert {task: n for task, n in found.items() if n} == {1: 2, 4: 134, 7: 1, 13: 1, 17: 16, 20: 119}
        larger = self.all_tasks(official, tmp_path, "10k", [1, 4, 11, 17, 20])
        assert {task: leaks(corpus) for task, corpus in larger.items()} == {1: 16, 4: 741, 11: 25, 17: 152, 20: 203}

    def test_joint_protocol_gives_one_training(self, official, tmp_path):
        data = load_babi(official, tmp_path, [1, 2], source="auto", protocol="joint")
        assert list(data.trainings) == ["joint"]
        assert data.source == "official"
        assert set(data.trainings["joint"].test.task.tolist()) == {1, 2}
