"""Files that a run leaves: a record (JSON) and, beside it, its curves, test predictions and examples (npz).

Nothing here loads torch.
"""

from zoo.records import sequences, stories
from zoo.records.arrays import CURVES, Look, arrays, looks_of
from zoo.records.environment import commit_of_code, cores, environment, is_as_committed, versions
from zoo.records.identity import NEUTRAL, SCHEMA, SELECTIONS, changed, identity_of, settings_of, without_neutral
from zoo.records.record import FormFigures, LongFigures, Part, Record, TaskFigures, Training, Validation
from zoo.records.store import (
    AlreadyMade,
    about_of,
    dump,
    file_of,
    files,
    find,
    find_identity,
    read,
    readable,
    remove_unrecorded,
    store,
    weights_of,
    write,
)

# by kind of data: the figures that a record of it holds, joined and compared
KINDS = {"stories": stories, "sequences": sequences}

__all__ = [
    "CURVES", "KINDS", "NEUTRAL", "SCHEMA", "SELECTIONS",
    "AlreadyMade", "FormFigures", "LongFigures", "Look", "Part", "Record", "TaskFigures", "Training", "Validation",
    "about_of", "arrays", "changed", "commit_of_code", "cores", "dump", "environment", "file_of", "files", "find",
    "find_identity", "identity_of", "is_as_committed", "looks_of", "read", "readable", "remove_unrecorded",
    "settings_of", "store", "versions", "weights_of", "without_neutral", "write",
]  # fmt: skip
