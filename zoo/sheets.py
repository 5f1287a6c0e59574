"""Csv files that people write: read whole, checked, and refused in one sentence that names the file."""

import csv
import math
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from tasks.errors import UserError

Rows = list[dict[str, str]]
LARGEST = 16 * 2**20  # bytes of a file
HIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")  # control characters


def read(
    file: Path,
    columns: Iterable[str],
    numbers: str = "",
    words: Mapping[str, Collection[str]] | None = None,
) -> Rows:
    """Read the rows of a csv file, by column; a file that is missing has none.

    Args:
        file: the csv file.
        columns: the columns that it must have; it may have others.
        numbers: a regular expression for the names of columns whose fields are empty or a finite number.
        words: the values that a column may have, by a regular expression for its name.
    """
    if not file.exists():
        return []
    header, *lines = _lines(file) or [(1, [])]
    names = header[1]
    missing = [name for name in columns if name not in names]
    if missing:
        raise UserError(f"{file}: the column '{missing[0]}' is missing (it has {', '.join(names) or 'none'})")
    if len(set(names)) < len(names):
        raise UserError(f"{file}: the column '{next(name for name in names if names.count(name) > 1)}' stands twice")
    rows = []
    for number, fields in lines:
        if len(fields) != len(names):
            raise UserError(f"{file}, line {number}: expected {len(names)} fields, found {len(fields)}")
        row = dict(zip(names, fields, strict=True))
        for name, field in row.items():
            if numbers and re.fullmatch(numbers, name) and not _is_number(field):
                raise UserError(f"{file}, line {number}: {name} is {field[:60]!r}, expected a number or nothing")
            for column, known in (words or {}).items():
                if re.fullmatch(column, name) and field not in known:
                    expected = ", ".join(word or "nothing" for word in known)
                    raise UserError(f"{file}, line {number}: {name} is {field[:60]!r}, expected one of {expected}")
        rows.append(row)
    return rows


def _lines(file: Path) -> list[tuple[int, list[str]]]:
    """Read the lines that are not empty, each with its number."""
    try:
        if not file.is_file():
            raise UserError(f"{file} is no file; move it away")
        if file.stat().st_size > LARGEST:
            raise UserError(f"{file} has {file.stat().st_size:,} bytes; expected a short csv file")
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UserError(f"{file}, line {line}: not UTF-8 text; save it as UTF-8, or restore it with git") from None
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror})") from None
    found = HIDDEN.search(text.replace("\r\n", "\n"))
    if found:
        line = text.count("\n", 0, found.start()) + 1
        raise UserError(f"{file}, line {line}: expected text, found the control character {found[0]!a}")
    reader = csv.reader(text.splitlines(), strict=True)
    try:
        return [(reader.line_num, fields) for fields in reader if fields]
    except csv.Error as error:
        raise UserError(f"{file}, line {reader.line_num}: {error}; restore it with git") from None


def _is_number(field: str) -> bool:
    """Tell whether a field is empty or spells a finite number."""
    if not field:
        return True
    try:
        return field.isascii() and "_" not in field and field == field.strip() and math.isfinite(float(field))
    except ValueError:
        return False
