"""The function that `task=dialog` names: corpora, one for each training."""

import hashlib
from pathlib import Path

from tasks.corpus import Data
from tasks.dialog import TASKS, official
from tasks.dialog.tables import corpus_of
from tasks.errors import UserError, check_ids, check_type, shown
from tasks.release import apart, licence_of


def load(
    ids: list[int], source: str, match: bool, download: bool, protocol: str, data_dir: str, cache_dir: str
) -> Data:
    """Load the tasks `ids`, each as a training of its own; see conf/task/dialog.yaml.

    Reading the texts takes a second or two, so nothing is stored in `cache_dir`.
    """
    ids = check_ids(ids, list(TASKS))
    if source != "official":
        raise UserError(f"task.source={shown(source)}: the dialog tasks have official data only; leave it out")
    if protocol != "per_task":
        raise UserError(f"protocol={shown(protocol)}: the dialog tasks have a training each; leave it out")
    if not isinstance(match, bool):
        raise UserError(f"task.match={shown(match)}: expected true or false")
    check_type("task.download", download, bool, "true")
    folder = Path(data_dir).expanduser()
    path = official.find(folder)
    if path is None and download:
        path = official.download(folder)
    if path is None:
        raise UserError(
            f"the dialog tasks are not in {data_dir} "
            f"(no {official.FOLDER}/, {official.ARCHIVE} or {official.PARLAI}, there or in dialog_babi/)\n"
            "  to download them:        add task.download=true\n"
            "  to use a copy you have:  add data_dir=FOLDER, or set ZOO_DATA=FOLDER"
        )
    files = official.read(path)
    corpora, digest = {}, hashlib.sha256()
    others: list[int] = []  # tasks whose files are not the release's
    for task in ids:
        own = official.files_of(task, files)
        corpora[str(task)] = corpus_of(task, own, match)
        for role, data in own.items():
            digest.update(f"{task} {role} ".encode() + hashlib.sha256(data).digest())
        others += [task] if not official.digest_of(own).startswith(official.KNOWN[task]) else []
    world, notice = apart(others, path, "Dialog bAbI")
    return Data(
        corpora,
        source,
        digest.hexdigest(),
        world,
        notice=notice,
        family="dialog",
        label="dialog_match" if match else "dialog",
        needs=("ranks_candidates",),
        title=f"dialog bAbI {'with' if match else 'without'} match types",
        licence=licence_of(source),
    )
