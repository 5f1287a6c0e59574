"""Rows of a family → its csv file."""

import csv
import io
import re
from collections.abc import Sequence

from zoo.families.board import Family, Row, csv_facts

NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def as_csv(family: Family, rows: Sequence[Row]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, family.csv_columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        for line in family.csv_rows(row):
            writer.writerow({name: safe(value) for name, value in (csv_facts(row) | line).items()})
    return stream.getvalue()


def safe(value: object) -> object:
    """Keep text from being read as a formula by a spreadsheet."""
    if isinstance(value, str) and value.lstrip().startswith(("=", "+", "-", "@")) and not NUMBER.fullmatch(value):
        return f"'{value}"
    return value
