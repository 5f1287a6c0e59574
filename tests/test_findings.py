"""Findings are made from rows, and lead to the cells that they are made from."""

import re

from tests.records import add, raw, rewrite, rows_of, settings_of
from zoo.leaderboard.findings import as_markdown, findings


def pair(folder, model, shift, gain):
    """Add a recipe with names as they are and, better by `gain`, with names exchanged."""
    for rename in (False, True):
        file = add(folder, model=model, shift=shift - gain * rename, identity=str(int(rename)))
        settings = settings_of(f"model={model}", f"task.rename={rename}", "restarts=2")
        rewrite(file, raw(file) | {"settings": settings})


def about_names(folder):
    said = ["".join(part if isinstance(part, str) else part.text for part in one) for one in findings(rows_of(folder))]
    return [one for one in said if one.startswith("With names exchanged")]


def test_names_exchanged_are_a_finding_from_two_pairs_on(tmp_path):
    pair(tmp_path, "memn2n", 10.0, 4.0)
    assert about_names(tmp_path) == []
    pair(tmp_path, "entnet", 10.0, -1.0)
    (said,) = about_names(tmp_path)
    assert said.startswith("With names exchanged in training, 1 of 2 models err less at 1k, the same recipe")
    (most, least) = re.findall(r"by (\w+), from ([\d.]+) % to ([\d.]+) %", said)
    assert (most[0], least[0]) == ("memn2n", "entnet")
    assert " So trained, memn2n errs least at 1k: " in said
    assert (round(float(most[1]) - float(most[2]), 1), round(float(least[2]) - float(least[1]), 1)) == (4.0, 1.0)


def test_rows_with_names_exchanged_are_in_no_other_finding(tmp_path):
    pair(tmp_path, "memn2n", 10.0, 4.0)
    records = {row.record.name for row in rows_of(tmp_path) if not row.record.renamed}
    linked = [part for one in findings(rows_of(tmp_path)) for part in one if not isinstance(part, str)]
    assert {link.record for link in linked} == records


def test_the_document_leads_to_cells_of_the_page(tmp_path):
    add(tmp_path, model="memn2n", shift=5.0)
    (name,) = [row.record.name for row in rows_of(tmp_path)]
    assert f"(results/leaderboard.html#record={name}&cell=20)" in as_markdown(rows_of(tmp_path))


def test_without_rows_there_is_no_finding(tmp_path):
    assert (findings([]), as_markdown([])) == ([], "")
