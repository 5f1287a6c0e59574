"""Identities of committed records, the settings of their commands, and the bytes of generated data stay as they are.

Whatever moves in the code, these hold: a record whose identity changes would be made again, and a generated story that
changes would make old figures unrepeatable.
"""

import json
import shlex

import pytest
from omegaconf import OmegaConf

from tasks.corpus import Data
from tests.configs import ROOT
from zoo import records
from zoo.families import FAMILIES
from zoo.leaderboard.generate import check
from zoo.runs.compose import compose_config
from zoo.runs.data import load_data

RUNS = ROOT / "results" / "runs"
RECORDS = {file.stem: json.loads(file.read_text()) for file in sorted(RUNS.glob("*.json"))}


def commands_of(record: dict) -> list[tuple[str, dict]]:
    """Each command behind a record, with the settings that it had."""
    parts = record.get("parts") or [record | {name: record["settings"][name] for name in ("restarts", "seed")}]
    return [
        (part["command"], record["settings"] | {name: part[name] for name in ("restarts", "seed")}) for part in parts
    ]


def test_there_are_records():
    assert len(RECORDS) >= 65


@pytest.mark.parametrize("name", RECORDS)
def test_identity_follows_from_the_settings(name):
    record = RECORDS[name]
    kind = FAMILIES[record.get("family", "babi")].kind
    assert records.identity_of(record["settings"], kind) == record["identity"]
    assert name.split("-")[-2] == record["identity"]


@pytest.mark.parametrize("name", RECORDS)
def test_command_still_means_the_settings_of_its_record(name):
    record = RECORDS[name]
    for command, then in commands_of(record):
        config, labels = compose_config(shlex.split(command)[2:])
        data = Data(
            {}, source=record["source"], fingerprint=then["data_sha256"], filled=record.get("filled", {}),
            family=record.get("family", "babi"),
        )  # fmt: skip
        now = records.settings_of(config, labels["experiment"], data, then.get("together", []))
        then = {key: value for key, value in then.items() if key != "compile" or "compile" in now}
        assert now == then
        assert labels["model"] == record["model"]


# those of haystacks take minutes, and have a test of their own
GENERATED = [name for name, of in RECORDS.items() if of["source"] == "generated" and of.get("family") != "haystack"]


@pytest.mark.slow
@pytest.mark.parametrize("name", GENERATED)
def test_generated_data_are_the_same_to_the_byte(name, tmp_path):
    record = RECORDS[name]
    command, then = commands_of(record)[0]
    source = [] if record["family"] == "algorithmic" else [f"task.source={record['source']}"]
    config, _ = compose_config([*shlex.split(command)[2:], *source, f"cache_dir={tmp_path}"])
    assert load_data(OmegaConf.to_container(config, resolve=True)).fingerprint == then["data_sha256"]


@pytest.mark.slow
def test_generated_files_are_up_to_date():
    assert check(ROOT / "results") == []
