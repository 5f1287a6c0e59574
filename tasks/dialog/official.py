"""The release of the dialog tasks: found on the disk, or downloaded on request, and verified."""

import hashlib
from pathlib import Path

from tasks import release
from tasks.dialog import SLUGS, TASKS
from tasks.errors import UserError

FOLDER = "dialog-bAbI-tasks"
ARCHIVE = f"{FOLDER}.tar.gz"
PARLAI = "dialog_babi.tar.gz"  # the same folder, as it can be downloaded
SHA256 = "bb36155ccd41eac91f806446c5728ee90374e5596156a9f7c1b86f8342cfc383"
MIRRORS = (f"http://parl.ai/downloads/dialog_babi/{PARLAI}",)
PARTS = {"train": "trn", "valid": "dev", "test": "tst", "oov": "tst-OOV"}
KNOWLEDGE = "dialog-babi-kb-all.txt"
KNOWN = {  # the beginnings of the digests of a task's files
    1: "41d41936f432da7a",
    2: "460c3f616f230aaa",
    3: "0766784c09b05990",
    4: "2288e903b2539d62",
    5: "61fbb883989976fd",
    6: "af87a7a3acbf04a7",
}


def find(data_dir: Path) -> Path | None:
    """Look for the release as a folder or an archive, in `data_dir` itself or in its folder `dialog_babi`."""
    places = (place / name for place in (data_dir, data_dir / "dialog_babi") for name in (FOLDER, ARCHIVE, PARLAI))
    path = next((path for path in places if path.exists()), None)
    return data_dir if path is None and (data_dir / KNOWLEDGE).exists() else path


def download(data_dir: Path) -> Path:
    """Download the archive of the release into a folder."""
    return release.download("the dialog tasks", MIRRORS, SHA256, PARLAI, data_dir)


def read(path: Path) -> dict[str, bytes]:
    """Read all data files, by name."""
    files = release.read_files(
        path, (FOLDER,), r"dialog-babi-.*\.txt", "delete it, then download it again with task.download=true"
    )
    if not files:
        raise UserError(f"{path} has no files {FOLDER}/dialog-babi-*.txt")
    return files


def names_of(task: int) -> dict[str, str]:
    """The file names of a task by their roles: its parts, its candidates and, but for task 6, its knowledge base."""
    stem = f"dialog-babi-task{task}-{SLUGS[task]}"
    parts = {part: f"{stem}-{suffix}.txt" for part, suffix in PARTS.items()}
    if task == 6:  # has no test set of unknown words and no knowledge base
        del parts["oov"]
        return parts | {"candidates": f"{stem}-candidates.txt"}
    return parts | {"candidates": "dialog-babi-candidates.txt", "knowledge": KNOWLEDGE}


def digest_of(files: dict[str, bytes]) -> str:
    """The digest of the files of a task, which are given by their roles."""
    digest = hashlib.sha256()
    for role, data in files.items():
        digest.update(f"{role} ".encode() + hashlib.sha256(data).digest())
    return digest.hexdigest()


def files_of(task: int, files: dict[str, bytes]) -> dict[str, bytes]:
    """Pick out the files of a task by their roles; a missing one is an error."""
    names = names_of(task)
    missing = [name for name in names.values() if name not in files]
    if missing:
        raise UserError(
            f"{FOLDER}: {missing[0]} of task {task} ({TASKS[task]}) is missing\n"
            "  put it there, or leave the task out with task.ids=[...]"
        )
    return {role: files[name] for role, name in names.items()}
