"""The official release of bAbI, v1.2: found on the disk, or downloaded on request, and verified."""

import csv
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from tasks import release
from tasks.babi.tables import Tables, Text
from tasks.errors import UserError

FOLDER = "tasks_1-20_v1-2"
ARCHIVE = f"{FOLDER}.tar.gz"
SHA256 = "0364ebde659f14d11bc21744516c5ec49d3d06cb692733f66680771244998898"
MIRRORS = (
    f"http://www.thespermwhale.com/jaseweston/babi/{ARCHIVE}",
    f"https://s3.amazonaws.com/text-datasets/babi_{ARCHIVE}",
)
VARIANTS = ("en", "en-valid", "hn", "shuffled")
KNOWN = Path(__file__).parent / "release.csv"  # digests (of `tables_of`) of the tasks that are known to us


@dataclass(frozen=True)
class Release:
    """An unpacked folder or an archive of the release; both hold files such as `en/qa1_..._train.txt`."""

    path: Path

    def files(self, subset: str) -> dict[str, bytes]:
        """Read all data files of a subset (`en`, `en-10k`, …), by name."""
        return release.read_files(
            self.path, (FOLDER, subset), r"qa.*\.txt", "delete it, then download it again with task.download=true"
        )

    def stamp(self, subset: str) -> str:
        """The key of the cache: it changes when a file of the subset does."""
        files = sorted((self.path / subset).glob("qa*.txt")) if self.path.is_dir() else [self.path]
        digest = hashlib.sha256(subset.encode())
        for file in files:
            digest.update(f"{file.name} {file.stat().st_size}".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
        return digest.hexdigest()


def find(data_dir: Path) -> Release | None:
    """Look for the release as a folder or an archive, in `data_dir` itself or in its folder `babi`."""
    for place in (data_dir, data_dir / "babi"):
        for name in (FOLDER, ARCHIVE):
            if (place / name).exists():
                return Release(place / name)
    looks_unpacked = data_dir.name == FOLDER or (data_dir / "en").is_dir() or (data_dir / "en-10k").is_dir()
    return Release(data_dir) if looks_unpacked and data_dir.is_dir() else None


def not_released(subset: str, tables: dict[int, Tables]) -> list[int]:
    """The tasks whose files differ from the release's; a task whose digest is unknown counts as the release's."""
    known = {(row["subset"], int(row["task"])): row["sha256"] for row in csv.DictReader(KNOWN.read_text().splitlines())}
    return [
        task
        for task, of_task in tables.items()
        if not of_task["generated"] and not of_task["sha256"].startswith(known.get((subset, task), ""))
    ]


def download(data_dir: Path) -> Release:
    """Download the archive of the release into a folder."""
    return Release(release.download("bAbI v1.2 (16 MB)", MIRRORS, SHA256, ARCHIVE, data_dir))


def parts_of(task: int, files: dict[str, bytes], where: str) -> dict[str, Text]:
    """Pick out the files of a task that are there: "train", "test" and, in some subsets, "valid".

    Args:
        task: its number.
        files: of the subset, by name, as `Release.files` returns them.
        where: the subset's name in errors.
    """
    texts = {}
    for part in ("train", "valid", "test"):
        names = [name for name in files if re.fullmatch(rf"qa{task}_(.*_)?{part}\.txt", name)]
        if len(names) > 1:
            raise UserError(f"{where}: {' and '.join(names)} both claim to be task {task}'s {part} file; remove one")
        if names:
            texts[part] = Text(f"{where}/{names[0]}", files[names[0]])
    return texts
