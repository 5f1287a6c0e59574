"""Bits that flip on a disk: what is resumed from or holds figures is believed whole, or not at all."""

import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from tasks import tensors
from tasks.errors import UserError
from tests.runs import QUICK, made
from zoo import records
from zoo.runs import run as run_module

ARGUMENTS = (*QUICK, "task.ids=[1,2]", "trainer.checkpoint_seconds=0")

pytestmark = pytest.mark.slow  # all look at runs that are made for them


class Ended(Exception):  # noqa: N818
    """The end of a run that was interrupted just before its record."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A run that is finished, and beside it one of the same with checkpoints, which has no record yet."""
    folder = tmp_path_factory.mktemp("bits")

    def end(*_: object, **__: object) -> None:
        raise Ended

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_module.records, "write", end)
        with pytest.raises(Ended):
            made(folder / "interrupted", *ARGUMENTS)
    made(folder / "finished", *ARGUMENTS)
    return folder


def files_of(folder: Path) -> list[Path]:
    kept = [*(folder / "interrupted").rglob("*.ckpt"), *folder.rglob("*.pt")]
    kept += [file for kind in ("*.json", "*.npz") for file in (folder / "finished/results/runs").glob(kind)]
    assert {file.name for file in kept} >= {"last.ckpt", "figures.pt", "qa1.pt"}
    return kept


def flipped(data: bytes, rng: random.Random) -> bytes:
    """Flip a bit, or make a block zero; the block is never zero before."""
    place = rng.randrange(len(data))
    if rng.random() < 0.7:
        return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]
    return data[:place] + bytes(min(512, len(data) - place)) + data[place + 512 :]


def test_a_thousand_flips_never_give_another_figure(folder):
    files, rng, found = files_of(folder), random.Random(0), 0
    for _ in range(1000):
        file = rng.choice(files)
        before = file.read_bytes()
        after = flipped(before, rng)
        file.write_bytes(after)
        try:
            if file.suffix in (".pt", ".ckpt"):
                with pytest.raises(tensors.Damaged, match=file.name):
                    tensors.load(file)
                found += 1
                continue
            file.write_bytes(before)
            record = records.read(file.with_suffix(".json"))
            arrays = records.arrays(record)
            file.write_bytes(after)
            try:
                read = records.read(file.with_suffix(".json"))
                same = records.arrays(read)
            except UserError as error:
                assert file.name in str(error)
                found += 1
            else:  # a blank of the text, for example
                assert read == record
                assert all(
                    np.array_equal(arrays[name], same[name], equal_nan=True) for name in arrays if name[-5:] != "words"
                )
        finally:
            file.write_bytes(before)
    assert found > 950


@pytest.mark.parametrize("kind", ["figures.pt", "last.ckpt", "qa1.pt", "attempts", "all"])
def test_a_run_goes_on_from_what_is_whole_and_ends_in_the_same_figures(folder, tmp_path, kind, capsys):
    shutil.copytree(folder / "interrupted", tmp_path / "it")
    rng, hurt = random.Random(kind), 0
    for file in (tmp_path / "it").rglob("*"):
        # a lease that cannot be read is believed until it is stale
        if file.is_file() and kind in (file.name, "all") and not file.name.startswith("lease."):
            file.write_bytes(flipped(file.read_bytes(), rng) if hurt else b"")
            hurt += 1
        if file.name == "figures.pt" and kind == "last.ckpt":
            file.unlink()  # else nobody would look at the checkpoint
    assert hurt
    made(tmp_path / "it", *ARGUMENTS)
    said = capsys.readouterr().err
    if kind in ("figures.pt", "last.ckpt"):
        assert said.count(": this training begins anew") == hurt
    (before,), (after,) = (
        [records.read(file) for file in records.files(place / "results")]
        for place in (folder / "finished", tmp_path / "it")
    )
    assert before.tasks == after.tasks
    then, now = records.arrays(before), records.arrays(after)
    assert all(np.array_equal(then[name], now[name], equal_nan=then[name].dtype.kind == "f") for name in then)
    assert not list((tmp_path / "it/results/unfinished").iterdir())
