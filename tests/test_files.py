"""Files are on the disk whole or not at all, and a lock is held by one process at a time."""

import fcntl
import os
import threading
import time

import pytest
import torch

from tasks import files, tensors
from tasks.files import exclusive, place_once, replace, write_atomically


def test_a_file_is_replaced_in_one_step(tmp_path):
    file = tmp_path / "new/folder/a.json"
    write_atomically(file, lambda stream: stream.write(b"old"))
    before = file.stat().st_ino

    def write(stream) -> None:
        stream.write(b"new, and longer")
        stream.flush()
        assert file.read_bytes() == b"old"  # until all of the new is there

    write_atomically(file, write)
    assert file.read_bytes() == b"new, and longer"
    assert file.stat().st_ino != before  # whoever has it open goes on reading the old one
    assert os.listdir(file.parent) == ["a.json"]
    assert file.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("stop", [OSError("no space left"), KeyboardInterrupt()])
def test_what_was_there_stays_where_writing_fails(tmp_path, stop):
    file = tmp_path / "a.json"
    file.write_bytes(b"old")

    def write(stream) -> None:
        stream.write(b"half")
        raise stop

    with pytest.raises(type(stop)):
        write_atomically(file, write)
    assert file.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.json"]


def test_temporary_files_of_killed_processes_are_removed_and_those_of_others_are_not(tmp_path):
    left, mine = tmp_path / f".a.json.abcdefgh{files._ending()}", tmp_path / ".a.json.abcdefgh"
    of_another_machine = tmp_path / ".a.json.abcdefgh.012345.unfinished"  # whose locks may not be known here
    for file in (left, mine, of_another_machine):
        file.touch()

    def write_another(stream) -> None:  # while the first is being written
        assert not left.exists()
        write_atomically(tmp_path / "b.json", lambda other: other.write(b"b"))
        stream.write(b"a")

    write_atomically(tmp_path / "a.json", write_another)
    assert sorted(os.listdir(tmp_path)) == [mine.name, of_another_machine.name, "a.json", "b.json"]
    assert (tmp_path / "a.json").read_bytes() == b"a"


def test_a_temporary_file_that_is_taken_for_one_left_behind_is_made_again(tmp_path, monkeypatch):
    lock, removed = fcntl.flock, []

    def removed_before(handle: int, how: int) -> None:  # by a process that looks between its making and its lock
        if how == fcntl.LOCK_EX and not removed:
            removed.extend(tmp_path.iterdir())
            removed[0].unlink()
        lock(handle, how)

    monkeypatch.setattr(fcntl, "flock", removed_before)
    write_atomically(tmp_path / "a.json", lambda stream: stream.write(b"a"))
    assert removed
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_lock_is_held_once_and_leaves_nothing(tmp_path):
    lock, order = tmp_path / "folder/.lock", []

    def hold_too() -> None:
        with exclusive(lock):
            order.append("second")

    second = threading.Thread(target=hold_too)
    with exclusive(lock):
        assert lock.exists()
        second.start()
        time.sleep(0.05)
        order.append("first")
    second.join()
    assert order == ["first", "second"]
    with pytest.raises(ZeroDivisionError), exclusive(lock):
        raise ZeroDivisionError
    assert os.listdir(lock.parent) == []


def test_a_file_is_placed_once_and_not_from_a_stage_that_is_gone(tmp_path):
    stage, file = tmp_path / "stage", tmp_path / "runs/a.json"
    stage.mkdir()
    place_once(file, lambda stream: stream.write(b"first"), stage)
    place_once(file, lambda stream: stream.write(b"second"), stage)
    assert file.read_bytes() == b"first"
    file.unlink()
    with pytest.raises(FileNotFoundError):
        place_once(file, lambda stream: stage.rename(tmp_path / "gone") and stream.write(b"late"), stage)
    with pytest.raises(FileNotFoundError):
        place_once(file, lambda stream: stream.write(b"later"), stage)
    assert os.listdir(file.parent) == []


def test_a_disk_without_links_takes_files_too(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    place_once(tmp_path / "a.json", lambda stream: stream.write(b"first"), tmp_path)
    assert (tmp_path / "a.json").read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_file_is_replaced_only_where_its_folder_is(tmp_path):
    replace(tmp_path / "a.pt", lambda stream: stream.write(b"1"))
    replace(tmp_path / "a.pt", lambda stream: stream.write(b"2"))
    assert (tmp_path / "a.pt").read_bytes() == b"2"
    with pytest.raises(FileNotFoundError):
        replace(tmp_path / "gone/a.pt", lambda stream: stream.write(b"3"))
    assert os.listdir(tmp_path) == ["a.pt"]


def test_tensors_are_believed_only_as_they_were_written(tmp_path):
    file = tmp_path / "a.pt"
    tensors.save(file, {"weights": torch.arange(5.0), "names": ["a"], "seconds": 1.5})
    got = tensors.load(file)
    assert got["weights"].tolist() == [0, 1, 2, 3, 4]
    assert (got["names"], got["seconds"]) == (["a"], 1.5)
    whole = file.read_bytes()
    for place in (0, 40, 100, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(tensors.Damaged):
            tensors.load(file)
    for cut in (b"", whole[:50], whole[:-1], whole.partition(b"\n")[2]):
        file.write_bytes(cut)
        with pytest.raises(tensors.Damaged):
            tensors.load(file)
