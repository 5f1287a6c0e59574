"""Interrupts wait until what they must not break is whole."""

import os
import signal
import sys

import pytest

from zoo import __main__
from zoo.__main__ import main
from zoo.interrupts import held_back


@pytest.fixture(autouse=True)
def interruptible():
    """Let both signals interrupt; a shell starts what it puts into the background with SIGINT ignored."""
    before = {of: signal.signal(of, signal.default_int_handler) for of in (signal.SIGINT, signal.SIGTERM)}
    yield
    for of, handler in before.items():
        signal.signal(of, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_waits_for_the_end_of_the_block(number):
    done = []
    with pytest.raises(KeyboardInterrupt), held_back():
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
        done.append(1)
    assert signal.getsignal(number) is signal.default_int_handler
    assert done == [1]


def test_one_that_is_ignored_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with held_back():
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_without_an_interrupt_handlers_are_as_before():
    before = signal.getsignal(signal.SIGINT)
    with held_back():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_a_verb_that_is_interrupted_while_it_is_loaded_is_loaded_whole(monkeypatch, capsys):
    loaded = []

    def load(name: str) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        loaded.append(name)

    monkeypatch.setattr(__main__, "import_module", load)
    with pytest.raises(SystemExit) as stopped:
        main(["models"])
    assert (stopped.value.code, loaded) == (130, ["zoo.commands.models"])
    assert "stopped" in capsys.readouterr().err


def test_a_run_that_is_interrupted_while_torch_is_loaded_stops_behind_it(monkeypatch, tmp_path):
    class Loads:
        def find_spec(self, name: str, path=None, target=None):
            if name == "zoo.runs.run":
                os.kill(os.getpid(), signal.SIGINT)
            return

    monkeypatch.delitem(sys.modules, "zoo.runs.run", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Loads(), *sys.meta_path])
    with pytest.raises(SystemExit) as stopped:
        main(["run", "model=memn2n", "task=babi", "task.source=generated", f"results_dir={tmp_path / 'results'}"])
    assert stopped.value.code == 130
    assert "zoo.runs.run" in sys.modules
    assert not (tmp_path / "results").exists()
