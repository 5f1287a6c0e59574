"""The arrays beside a record: read, and checked against the record."""

import hashlib
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from tasks.errors import CONTROL, UserError
from zoo.records.record import Record

CURVES = ("train_loss", "valid_loss", "valid_error")  # (E, R), for every training
OF_QUESTIONS = ("answer", "task", "told", "facts", "oldest_fact")  # (N,), for every training on questions
LARGEST = 2**30  # bytes of an array
# what reading a damaged file may raise
DAMAGE = (
    OSError, EOFError, ValueError, KeyError, RuntimeError, MemoryError, NotImplementedError, struct.error, zlib.error,
    zipfile.BadZipFile,
)  # fmt: skip


class Look(BaseModel):
    """A test question with the attention that it got."""

    model_config = ConfigDict(strict=True, extra="forbid")

    task: Annotated[int, Field(ge=0)]
    story: list[str]
    question: str
    answer: str
    said: str
    facts: list[Annotated[int, Field(ge=0)]]
    attention: list[list[float]]  # per hop, a weight for each sentence of the story


LOOKS = TypeAdapter(list[Look])


def arrays(record: Record) -> dict[str, np.ndarray]:
    """Read the arrays beside a record, by name; an array that does not fit is refused in one sentence."""
    stored = record.file.with_suffix(".npz")
    if not stored.exists():
        raise UserError(f"{stored}: missing beside its record; restore it with git, or make the run again")
    try:
        data = stored.read_bytes()
        if record.arrays_sha256 not in (None, hashlib.sha256(data).hexdigest()):
            raise ValueError("its checksum is another one")
        found = _read(data)
        _check(record, found)
    except DAMAGE as error:
        said = str(error).partition("\n")[0][:200]
        raise UserError(f"{stored} is damaged ({said}); restore it with git, or make the run again") from None
    return found


def looks_of(found: Mapping[str, np.ndarray], training: str) -> list[Look] | None:
    """Get the questions that a record keeps of a training; None in older records."""
    name = f"{training}/looks"
    return LOOKS.validate_python(json.loads(str(found[name]))) if name in found else None


def _read(data: bytes) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for member in archive.infolist():
            if member.file_size > LARGEST:
                raise ValueError(f"{member.filename} has {member.file_size:,} bytes")
        # read whole, because only then its checksum is looked at
        return {
            member.filename.removesuffix(".npy"): np.lib.format.read_array(io.BytesIO(archive.read(member)))
            for member in archive.infolist()
        }


def _check(record: Record, found: dict[str, np.ndarray]) -> None:
    """Check names, types and shapes."""
    for training in record.trainings:
        epochs = None
        for curve in CURVES:
            table = _get(found, f"{training}/{curve}", "f", 2)
            epochs = len(table) if epochs is None else epochs
            if table.shape != (epochs, record.restarts):
                raise ValueError(
                    f"{training}/{curve} has the shape {table.shape}, expected {(epochs, record.restarts)}"
                )
    for task, got in record.tasks.items():
        if max(got.best_epochs) >= len(found[f"{got.training}/valid_error"]):
            raise ValueError(f"task {task}: a best epoch lies behind the last epoch")
    for training in {got.training for got in record.tasks.values()}:
        _check_questions(record, training, found)


def _check_questions(record: Record, training: str, found: dict[str, np.ndarray]) -> None:
    predictions = _get(found, f"{training}/predictions", "i", 2) if f"{training}/predictions" in found else None
    if predictions is not None and len(predictions) != record.restarts:
        raise ValueError(f"{training}/predictions are of {len(predictions)} restarts, expected {record.restarts}")
    for name in OF_QUESTIONS:
        if f"{training}/{name}" in found and predictions is not None:
            column = _get(found, f"{training}/{name}", "i", 1)
            if len(column) != predictions.shape[1]:
                raise ValueError(f"{training}/{name} has {len(column)} questions, expected {predictions.shape[1]}")
    try:
        looks = looks_of(found, training) or []
    except (ValidationError, RecursionError) as error:
        raise ValueError(f"{training}/looks: {str(error).splitlines()[0]}") from None
    for look in looks:
        if any(CONTROL.search(text) for text in (*look.story, look.question, look.answer, look.said)):
            raise ValueError(f"{training}/looks hold a control character")
        if str(look.task) not in record.tasks:
            raise ValueError(f"{training}/looks are of task {look.task}, which was not run")
        length = len(look.story)
        if any(len(hop) != length for hop in look.attention) or any(fact >= length for fact in look.facts):
            raise ValueError(f"{training}/looks do not fit their stories")
        if not all(np.isfinite(hop).all() for hop in look.attention):
            raise ValueError(f"{training}/looks hold attention that is not finite")


def _get(found: dict[str, np.ndarray], name: str, kind: str, dimensions: int) -> np.ndarray:
    """Get an array of a kind of numbers ("f": floating, "i": whole) with so many dimensions."""
    if name not in found:
        raise ValueError(f"{name} is missing")
    table = found[name]
    if table.dtype.kind != kind or table.ndim != dimensions or not table.size:
        raise ValueError(f"{name} has the type {table.dtype} and the shape {table.shape}")
    return table
