"""A lease is held once, by one process of any machine; who loses it finds out, and who dies blocks nobody."""

import json
import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tasks import leases
from tasks.leases import Held, Lost, held, holder


def written(folder: Path, number: int, silent: float = 0.0, **said: object) -> None:
    """A lease of a process of another machine."""
    folder.mkdir(exist_ok=True)
    file = folder / f"lease.{number}"
    usual = {"host": "elsewhere", "machine": "another", "pid": 1, "started": "1", "since": time.time(), "seconds": 60}
    file.write_text(json.dumps(usual | said))
    os.utime(file, (time.time() - silent,) * 2)


def test_is_held_once_and_then_by_whoever_comes_next(tmp_path):
    work = tmp_path / "new/work"
    with held(work, 60) as lease:
        with pytest.raises(Held), held(work, 60):
            pass
        lease.check()
        now = holder(work)
        assert (now.number, now.live, now.host) == (1, True, os.uname().nodename)
        assert now.silent < 5
    assert not holder(work).live
    with held(work, 60) as lease:
        assert lease.number == 2
        assert os.listdir(work) == ["lease.2"]  # earlier ones are gone, and no number comes again
    with pytest.raises(ZeroDivisionError), held(work, 60):
        raise ZeroDivisionError
    assert not holder(work).live
    assert holder(tmp_path / "nowhere") is None


def test_of_another_machine_is_taken_over_when_it_is_stale_and_not_before(tmp_path):
    work = tmp_path / "work"
    written(work, 7, silent=50)
    with pytest.raises(Held), held(work, 1):
        pass
    written(work, 7, silent=70)
    with held(work, 1) as lease:
        assert lease.number == 8
    written(work, 20, silent=70, seconds=100)  # the holder says when its lease is stale
    assert holder(work).live


def test_clocks_of_machines_may_differ(tmp_path, monkeypatch):
    """Times are those of the disk, whatever the clock of this machine says."""
    work = tmp_path / "work"
    now = time.time
    for wrong in (-3600, 3600):
        written(work, 1, silent=30)
        leases._clocks.clear()
        with monkeypatch.context() as patch:
            patch.setattr(leases.time, "time", lambda wrong=wrong: now() + wrong)
            assert 25 < holder(work).silent < 35
            assert holder(work).live
    leases._clocks.clear()


def test_who_was_paused_for_long_finds_out_and_writes_nothing_more(tmp_path):
    work = tmp_path / "work"
    with held(work, 60) as first:
        os.utime(first.file, (time.time() - 100,) * 2)  # as if its thread had slept
        with held(work, 60) as second:
            with pytest.raises(Lost):
                first.check()
            second.check()
            with pytest.raises(Lost):
                first.look()
        first.release()
        assert holder(work).number == 2


def test_who_has_a_successor_that_was_killed_before_it_could_tidy_up_has_lost(tmp_path):
    with held(tmp_path, 60) as lease:
        written(tmp_path, 2, silent=0)
        with pytest.raises(Lost):
            lease.check()


def test_whose_folder_is_gone_has_lost_and_does_not_bring_it_back(tmp_path):
    work = tmp_path / "work"
    with held(work, 60) as lease:
        work.rename(tmp_path / "done")
        with pytest.raises(Lost):
            lease.check()
    assert os.listdir(tmp_path) == ["done"]


def test_signs_of_life_keep_it(tmp_path):
    work = tmp_path / "work"
    with held(work, 0.6) as lease:
        time.sleep(1.5)
        assert holder(work).live
        lease.look()


def test_an_old_look_at_the_folder_gives_no_second_holder(tmp_path, monkeypatch):
    """One that saw number 3, when 4 had come and gone and 5 holds, makes 4 again, and takes it back."""
    work = tmp_path / "work"
    written(work, 5)
    seen = [holder(work)._replace(number=3, live=False)]
    monkeypatch.setattr(leases, "holder", lambda folder: seen[0])
    with pytest.raises(Held), held(work, 60):
        pass
    assert os.listdir(work) == ["lease.5"]
    seen[0] = seen[0]._replace(number=4)  # another was faster
    with pytest.raises(Held), held(work, 60):
        pass
    assert os.listdir(work) == ["lease.5"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"host": 1}', '{"host": "a", "since": "never"}'])
def test_one_that_cannot_be_read_is_held_until_it_is_stale(tmp_path, text):
    written(tmp_path, 1)
    (tmp_path / "lease.1").write_text(text)
    assert holder(tmp_path).live
    os.utime(tmp_path / "lease.1", (time.time() - 1000,) * 2)
    assert not holder(tmp_path).live


def _hold(folder: Path, ready) -> None:
    with held(folder, 60):
        ready.set()
        time.sleep(60)


def test_who_is_killed_on_this_machine_is_succeeded_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=_hold, args=(tmp_path, ready))
    process.start()
    assert ready.wait(60)
    assert holder(tmp_path).live
    os.kill(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while holder(tmp_path).live:  # before anybody has waited for the process: it is a zombie
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with held(tmp_path, 60) as lease:
        assert lease.number == 2
    process.join()


def _compete(folder: Path, rounds: int, log: Path) -> None:
    """Count with others, each step under a lease that is far from stale."""
    counter = folder / "counter"
    for _ in range(rounds):
        while True:
            try:
                with held(folder, 60):
                    number = int(counter.read_text())
                    time.sleep(0.0005)
                    counter.write_text(str(number + 1))
                break
            except Held:
                time.sleep(0.001)
    log.write_text("done")


@pytest.mark.slow
def test_of_many_processes_one_holds_it_at_a_time(tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    (work / "counter").write_text("0")
    context = multiprocessing.get_context("spawn")
    racers = [context.Process(target=_compete, args=(work, 40, tmp_path / f"log{k}")) for k in range(6)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(120)
    assert len(list(tmp_path.glob("log*"))) == 6
    assert (work / "counter").read_text() == "240"
    assert sorted(os.listdir(work)) == ["counter", holder_file(work)]


def holder_file(work: Path) -> str:
    return f"lease.{holder(work).number}"


def test_asking_to_stop_is_only_a_flag(tmp_path):
    stop = threading.Event()
    with held(tmp_path, 60, stop) as lease:
        assert not lease.asked_to_stop
        stop.set()
        assert lease.asked_to_stop
        lease.check()
