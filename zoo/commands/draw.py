"""zoo draw run=RECORD [form="length=20"] [out=FILE.svg] [results_dir=results]
zoo draw story=FILE task=2 run=RECORD,RECORD,… [out=FILE.svg] [results_dir=results]

Draw what networks did, as an SVG. RECORD is a file in results/runs, the beginning of its name or its experiment.

Without a story: what the heads of a network did with one sequence of an algorithmic task, as in the figures of Graves,
Wayne and Danihelka (2014). Time goes to the right. Dark is large; a row of a weighting is a row of the memory.

With a story: how several networks answer the last question of a file, and where each one looked at each hop. The file
has one sentence per line; the question may be followed by a tab and its answer, and by a tab and the numbers of the
lines with the supporting facts. That needs the weights of every run, in results/weights or results/repeated/weights.
"""

import base64
import struct
import zlib
from html import escape
from pathlib import Path

import numpy as np

from tasks.errors import UserError, nearest
from tasks.files import write_atomically
from zoo import records
from zoo.commands import Given, Grammar
from zoo.records import Record

GRAMMAR = Grammar(names=("run", "form", "story", "task", "out", "results_dir"), required=("run",), bare="run")

COLUMNS = (("inputs", "adds", "writing"), ("outputs", "targets", "reads", "reading"))
NAMES = {"writing": "write weightings", "reading": "read weightings"}
CELL, MARGIN, LINE, WIDEST = 6, 24, 20, 640  # points; a long sequence has narrower cells


def picture(tape: dict[str, np.ndarray], title: str) -> str:
    """Draw an SVG of one sequence: inputs, additions and writing on the left; outputs, targets and reading right.

    Args:
        tape: (T, width) each; weightings are (T, heads, N). Those of a network without heads are empty.
        title: stands above.
    """
    steps = len(tape["inputs"])
    across = min(CELL, WIDEST / steps)
    panels, bottom = [], 0.0
    for column, names in enumerate(COLUMNS):
        x, y = MARGIN + column * (steps * across + MARGIN), MARGIN + LINE
        for name in names:
            values = tape[name].astype(np.float32)
            values = values.max(1) if values.ndim == 3 and values.size else values.reshape(steps, -1)
            if not values.size:
                continue
            down = 2 if name in NAMES else CELL
            height = values.shape[1] * down
            panels.append(f'<text x="{x:g}" y="{y + 12:g}">{NAMES.get(name, name)}</text>')
            panels.append(
                f'<image x="{x:g}" y="{y + LINE:g}" width="{steps * across:g}" height="{height}" '
                f'preserveAspectRatio="none" style="image-rendering:pixelated" href="{_png(values.T)}"/>'
            )
            y += LINE + height + 8
        bottom = max(bottom, y)
    width = 2 * (steps * across + MARGIN) + MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{bottom + MARGIN:g}" '
        'font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="white"/>\n'
        f'<text x="{MARGIN}" y="{MARGIN}" font-size="14">{escape(title)}</text>\n' + "\n".join(panels) + "\n</svg>\n"
    )


def _png(values: np.ndarray) -> str:
    """Encode a table as a grey picture, white at its least value and black at its greatest, in a data URL."""
    least, greatest = values.min(), values.max()
    grey = (255 - 255 * (values - least) / max(greatest - least, 1e-9)).astype(np.uint8)
    height, width = grey.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    lines = b"".join(b"\0" + line.tobytes() for line in grey)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    png += chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(png).decode()


def tapes_of(record: Record) -> dict[str, dict[str, np.ndarray]]:
    """Read the tape of one sequence of each form, by form and name."""
    tapes: dict[str, dict[str, np.ndarray]] = {}
    for key, table in records.arrays(record).items():
        form, _, name = key.rpartition("/")
        if "=" in form:
            tapes.setdefault(form, {})[name] = table
    return tapes


def main(given: Given) -> None:
    if given.get("story"):
        from zoo.commands.compare_picture import draw  # which loads torch

        print(f"written: {draw(given)}")
        return
    if given.get("task"):
        raise UserError("task= is for pictures of a story; type story=FILE too, or form= for a sequence")
    file = records.find(given["run"], given.results_dir)
    record = records.read(file)
    tapes = tapes_of(record)
    if not tapes:
        raise UserError(f"{file.name} is a run on stories; expected one on an algorithmic task, as task=copy")
    form = given.get("form") or next(iter(tapes))
    if form not in tapes:
        raise UserError(f"form='{form}' is not in the record{nearest(form, list(tapes))} ({', '.join(tapes)})")
    usual = file.parent.parent / "pictures" / f"{file.stem}-{form.replace(' ', '-')}.svg"
    out = Path(given.get("out") or usual)
    title = f"{record.model} on {record.settings['task']['name']}, {form}"
    write_atomically(out, lambda stream: stream.write(picture(tapes[form], title).encode()))
    print(f"written: {out}")
