"""Damage: random changes of the files that records are, and of csv files beside them."""

import copy
import csv
import io
import json
import random
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.configs import ROOT

SHEETS = (
    "published.csv", "published_dialog.csv", "published_sequences.csv", "published_wikimovies.csv",
    "published_haystack.csv", "remarks.csv", "commits.csv", "verified.csv",
)  # fmt: skip
NASTY: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 7, 2**31, 2**64, -(2**70), 10**400, 1e308, -0.5, 101.0, float("nan"), float("inf"), "",
    "x", "0", "1k", "en-valid", "-1", "\x1b[31mred", "a\nb", "a\tb", "<script>alert(1)</script>", "| a | b |", "[bold]",
    "=1+1", "@x", "javascript:alert(1)", "${oc.env:HOME}", "os.system", "../../x", "/etc/passwd", "\ud800", "é" * 300,
    "9" * 5000, [], {}, [[]], [None], [1.0], ["a"], {"_target_": "os.system"}, {"a": {"b": []}}, [{}] * 3,
)  # fmt: skip


def small(results: Path) -> list[Path]:
    """Copy the smallest committed record of each family and protocol, and every csv file; return the files."""
    kept: dict[tuple, Path] = {}
    for file in sorted(
        (ROOT / "results/runs").glob("*.json"), key=lambda file: file.with_suffix(".npz").stat().st_size
    ):
        record = json.loads(file.read_text())
        kept.setdefault((record.get("family", "babi"), record["settings"]["protocol"]), file)
    (results / "runs").mkdir(parents=True)
    for file in kept.values():
        for one in (file, file.with_suffix(".npz")):
            shutil.copy(one, results / "runs" / one.name)
    names = [file.stem for file in kept.values()]
    rows = "".join(f"{name},2026-11-29,to the bit,2026-11-29\n" for name in names)
    for name in SHEETS[:-1]:
        shutil.copy(ROOT / "results" / name, results / name)
    (results / "verified.csv").write_text(f"record,verified,repeated,repeated_on\n{rows}")
    return [
        *(results / "runs" / f"{name}{suffix}" for name in names for suffix in (".json", ".npz")),
        *(results / name for name in SHEETS),
    ]


def bytes_changed(data: bytes, rng: random.Random) -> bytes:
    """Flip bits, cut, double, fill with zeros or insert."""
    if not data:
        return b"\0"
    place, size = rng.randrange(len(data)), rng.choice((1, 4, 64, 4096))
    kind = rng.randrange(6)
    if kind == 0:
        changed = bytearray(data)
        for _ in range(rng.choice((1, 1, 3))):
            changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        return bytes(changed)
    if kind == 1:
        return data[:place]
    if kind == 2:
        return data[:place] + bytes(min(size, len(data) - place)) + data[place + size :]
    if kind == 3:
        return data[:place] + rng.randbytes(size) + data[place:]
    if kind == 4:
        return data[:place] + data[place + size :]
    return data[:place] + data[place : place + size] * 2 + data[place + size :]


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container with each of its keys."""
    for key in value if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


def json_changed(value: Any, rng: random.Random) -> Any:
    """Put another value, nothing, or a further name somewhere into JSON."""
    value = copy.deepcopy(value)
    places = list(_places(value))
    # most places are figures of restarts; all levels are to be met
    depth = rng.choice(("any", "top"))
    if depth == "top" and isinstance(value, dict):
        places = [(value, key) for key in value]
    if not places:
        return rng.choice(NASTY)
    above, key = rng.choice(places)
    kind = rng.randrange(6)
    if kind == 0:
        del above[key]
    elif kind == 1 and isinstance(above, dict):
        above[rng.choice(("x", "", "_target_", "__proto__", "1", "\x1b[2J", str(key).upper()))] = above.pop(key)
    elif kind == 2:
        other, at = rng.choice(places)
        above[key] = copy.deepcopy(other[at])
    elif kind == 3 and isinstance(above[key], list):
        above[key] = above[key][: rng.randrange(len(above[key]) + 1)] * rng.choice((1, 2))
    elif kind == 4 and type(above[key]) in (int, float):
        above[key] *= rng.choice((-1, 2, 1e6, 0.5))
    else:
        above[key] = rng.choice(NASTY)
    return value


def record_changed(data: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.25:
        return bytes_changed(data, rng)
    changed = json.loads(data)
    for _ in range(rng.choice((1, 1, 2))):
        changed = json_changed(changed, rng)
    return json.dumps(changed).encode()


def arrays_changed(data: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.35:
        return bytes_changed(data, rng)
    with np.load(io.BytesIO(data)) as stored:
        arrays = dict(stored)
    name = rng.choice(sorted(arrays))
    array, stream = arrays[name], io.BytesIO()
    kind = rng.randrange(10)
    if kind == 0:
        del arrays[name]
    elif kind == 1:
        arrays[rng.choice(("x", "../../x", "1/looks", "joint/answer", "\x1b"))] = arrays.pop(name)
    elif kind == 2:
        kinds = (np.int8, np.float64, np.str_, np.bool_, np.complex64)
        arrays[name] = array.astype(rng.choice(kinds)) if array.dtype.kind in "if" else array == ""
    elif kind == 3:
        arrays[name] = array[..., : max(0, (array.shape or (1,))[-1] - 1)] if array.ndim else array[None]
    elif kind == 4:
        arrays[name] = array.reshape(-1)
    elif kind == 5:
        arrays[name] = np.full_like(array, rng.choice((-1, 0, 127)) if array.dtype.kind in "if" else "")
    elif kind == 6:
        arrays[name] = np.full(array.shape, np.nan)
    elif kind == 7:
        arrays[name] = arrays[rng.choice(sorted(arrays))]
    elif kind == 8:
        arrays[name] = np.array({"a": 1}, dtype=object)  # which only a pickle can hold
    elif looks := [one for one in arrays if one.endswith("/looks")]:
        name = rng.choice(looks)
        arrays[name] = np.array(json.dumps(json_changed(json.loads(str(arrays[name])), rng)))
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for one, table in arrays.items():
            with archive.open(f"{one}.npy", "w") as member:
                np.lib.format.write_array(member, np.asanyarray(table), allow_pickle=True)
    return stream.getvalue()


def sheet_changed(data: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.3:
        return bytes_changed(data, rng)
    rows = list(csv.reader(data.decode().splitlines()))
    row = rng.choice(rows)
    place, kind = rng.randrange(len(row)), rng.randrange(7)
    if kind == 0:
        del row[place]
    elif kind == 1:
        row.insert(place, "x")
    elif kind == 2:
        del rows[rows.index(row)]
    elif kind == 3:
        rows[0][place % len(rows[0])] = rng.choice(("x", "", rows[0][0]))
    elif kind == 4:
        for of in rows:
            del of[place:]
    else:
        row[place] = str(rng.choice(NASTY)).replace("\ud800", "\0")
    stream = io.StringIO()
    csv.writer(stream, lineterminator=rng.choice(("\n", "\r\n", "\r"))).writerows(rows)
    return stream.getvalue().encode(rng.choice(("utf-8", "utf-8", "utf-16")))


CHANGES = {".json": record_changed, ".npz": arrays_changed, ".csv": sheet_changed}


def mutated(file: Path, rng: random.Random) -> bytes:
    """Change the content of a file at random, by what it is."""
    return CHANGES[file.suffix](file.read_bytes(), rng)
