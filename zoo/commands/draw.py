"""python -m zoo.pictures RECORD [--form "length=20"] [--out FILE.svg]: what the heads did, as in the paper's figures.

RECORD is the json of a run on an algorithmic task, or, of those in results/runs, the newest of this experiment or whose
name begins so. Time goes to the right, as in the figures of Graves, Wayne and Danihelka (2014). Dark is large; a
weighting's row is a row of the memory.
"""

import argparse
import base64
import struct
import sys
import zlib
from html import escape
from pathlib import Path

import numpy as np

from tasks.errors import UserError, nearest
from tasks.files import write_atomically
from zoo import records

COLUMNS = (("inputs", "adds", "writing"), ("outputs", "targets", "reads", "reading"))
NAMES = {"writing": "write weightings", "reading": "read weightings"}
CELL, MARGIN, LINE, WIDEST = 6, 24, 20, 640  # points; a long sequence has narrower cells


def picture(tape: dict[str, np.ndarray], title: str) -> str:
    """An SVG of one sequence: what was shown, added and written on the left, what came out and was read on the right.

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
    """A grey picture of a table, white at its least value and black at its greatest, as the address of an image."""
    least, greatest = values.min(), values.max()
    grey = (255 - 255 * (values - least) / max(greatest - least, 1e-9)).astype(np.uint8)
    height, width = grey.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    lines = b"".join(b"\0" + line.tobytes() for line in grey)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    png += chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(png).decode()


def tapes_of(file: Path) -> dict[str, dict[str, np.ndarray]]:
    """What the arrays beside a record hold of one sequence of each form, by form and name."""
    tapes: dict[str, dict[str, np.ndarray]] = {}
    with records.arrays(file) as stored:
        for key in stored.files:
            form, _, name = key.rpartition("/")
            if "=" in form:
                tapes.setdefault(form, {})[name] = stored[key]
    return tapes


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m zoo.pictures", description="A record → what the heads did.")
    parser.add_argument("record", help="a run's json, its experiment, or how its name begins; of several the newest")
    parser.add_argument("--form", help="of the sequence, as the record's tests name it; by default the first")
    parser.add_argument("--out", type=Path, help="an svg; by default under results/pictures")
    given = parser.parse_args()
    file = records.find(given.record, Path("results"))
    record, tapes = records.read(file), tapes_of(file)
    if not tapes:
        raise UserError(f"{file.name} is a run on stories; expected one on an algorithmic task, as task=copy")
    form = given.form or next(iter(tapes))
    if form not in tapes:
        raise UserError(f"--form '{form}' is not in the record{nearest(form, list(tapes))} ({', '.join(tapes)})")
    out = given.out or file.parent.parent / "pictures" / f"{file.stem}-{form.replace(' ', '-')}.svg"
    title = f"{record['model']} on {record['settings']['task']['name']}, {form}"
    write_atomically(out, lambda stream: stream.write(picture(tapes[form], title).encode()))
    print(f"written: {out}")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
