"""Files of weights on this machine: found without loading torch."""

from collections.abc import Iterator
from pathlib import Path

from tasks.errors import UserError
from zoo import records
from zoo.paths import IS_CHECKOUT, ROOT
from zoo.records import Record, weights
from zoo.records.weights import About


def folders(results_dir: Path) -> list[Path]:
    """List the folders of results whose weights are looked at."""
    given = [results_dir, results_dir / "repeated"]
    return [*given, ROOT / "results"] if IS_CHECKOUT and results_dir.resolve() != ROOT / "results" else given


def available(results_dir: Path) -> Iterator[About]:
    """Read what every file of weights says of itself; one that is damaged is left out."""
    for folder in folders(results_dir):
        for file in sorted((folder / "weights").glob("*.safetensors")):
            try:
                yield weights.about(file)
            except UserError:
                continue


def file_of(record: Record, results_dir: Path) -> Path:
    """Find the weights of a record, beside it or in the folders that are looked at."""
    for file in _places(record, results_dir):
        if file.exists():
            return file
    raise UserError(
        f"{records.weights_of(record.file)} is not here: weights stay on the machine that made a run\n"
        f"  to make them here:  zoo weights {record.name}"
    )


def has_file(record: Record, results_dir: Path) -> bool:
    """Tell whether the weights of a record are here."""
    return any(file.exists() for file in _places(record, results_dir))


def _places(record: Record, results_dir: Path) -> list[Path]:
    own = records.weights_of(record.file)
    return [own, *(folder / "weights" / own.name for folder in folders(results_dir))]
