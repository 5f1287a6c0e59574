"""The official release of bAbI, v1.2: find it, download it on request, verify it, read it.

The release's archive is never unpacked: its members are read in memory, by name, so nothing in it can write a file.
"""

import gzip
import hashlib
import pickle
import re
import tarfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from tasks.babi import TASKS
from tasks.babi.text import Lexicon, read
from tasks.corpus import Corpus, Split
from tasks.errors import UserError, nearest
from tasks.files import write_atomically

FOLDER = "tasks_1-20_v1-2"
ARCHIVE = f"{FOLDER}.tar.gz"
SHA256 = "0364ebde659f14d11bc21744516c5ec49d3d06cb692733f66680771244998898"
MIRRORS = (
    f"http://www.thespermwhale.com/jaseweston/babi/{ARCHIVE}",
    f"https://s3.amazonaws.com/text-datasets/babi_{ARCHIVE}",
)
VARIANTS = ("en", "en-valid", "hn", "shuffled")
HELD_OUT = 0.1  # of the training questions, cut by story, where the release has no validation file
CACHE_VERSION = 1  # raise it when the tables or the way they are read change
LARGEST = 64 * 2**20  # bytes; a member above this is no bAbI file


@dataclass(frozen=True)
class Release:
    """An unpacked folder or an archive of the release; both hold `en/qa1_..._train.txt` and so on."""

    path: Path

    def files(self, subset: str) -> dict[str, bytes]:
        """All data files of a subset (`en`, `en-10k`, …), by name."""
        if self.path.is_dir():
            folder = self.path / subset
            return {f.name: f.read_bytes() for f in sorted(folder.glob("qa*.txt"))} if folder.is_dir() else {}
        found = {}
        try:
            with gzip.open(self.path) as unpacked, tarfile.open(fileobj=unpacked, mode="r|") as archive:
                for member in archive:
                    *parts, name = Path(member.name).parts
                    if member.isfile() and parts == [FOLDER, subset] and re.fullmatch(r"qa\d+_.*\.txt", name):
                        if member.size > LARGEST:
                            raise UserError(f"{self.path}: {member.name} has {member.size:,} bytes; no bAbI file has")
                        found[name] = archive.extractfile(member).read()
                while unpacked.read(2**20):  # to the very end, where the checksum is
                    pass
        except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
            raise UserError(
                f"{self.path} is damaged ({error}); delete it, then download it again with task.download=true"
            ) from None
        return found

    def stamp(self, subset: str) -> str:
        """Changes when a file does: the key of the cache."""
        files = sorted((self.path / subset).glob("qa*.txt")) if self.path.is_dir() else [self.path]
        digest = hashlib.sha256(f"{CACHE_VERSION} {subset}".encode())
        for file in files:
            digest.update(f"{file.name} {file.stat().st_size}".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
        return digest.hexdigest()[:24]


def find(data_dir: Path) -> Release | None:
    """Looks for the release as a folder or an archive, in `data_dir` itself or in its folder `babi`."""
    for place in (data_dir, data_dir / "babi"):
        for name in (FOLDER, ARCHIVE):
            if (place / name).exists():
                return Release(place / name)
    looks_unpacked = data_dir.name == FOLDER or (data_dir / "en").is_dir() or (data_dir / "en-10k").is_dir()
    return Release(data_dir) if looks_unpacked and data_dir.is_dir() else None


def download(data_dir: Path) -> Release:
    """Fetches the archive from the first mirror that answers with the right bytes."""
    import pooch

    pooch.get_logger().setLevel("WARNING")  # one line of ours says enough
    tried = []
    for url in MIRRORS:
        print(f"downloading bAbI v1.2 (16 MB) from {url}", flush=True)
        try:
            fetch = pooch.HTTPDownloader(timeout=20)
            return Release(
                Path(pooch.retrieve(url, f"sha256:{SHA256}", fname=ARCHIVE, path=data_dir, downloader=fetch))
            )
        except (OSError, ValueError) as error:  # no answer, or other bytes than the release has
            tried.append(f"  {url}: {str(error).splitlines()[0][:150]}")
    raise UserError(
        "bAbI v1.2 could not be downloaded:\n" + "\n".join(tried) + f"\nfetch {ARCHIVE} by other means"
        f" (sha256 {SHA256}), put it into {data_dir}, and type the command again"
    )


def load(
    data_dir: Path, cache_dir: Path, ids: Iterable[int], size: str, variant: str, allow_download: bool
) -> tuple[dict[int, Corpus], str]:
    """The tasks `ids` of the release, each as a corpus of its own, and the fingerprint of what they were read from."""
    ids = check_ids(ids)
    if size not in ("1k", "10k"):
        raise UserError(f"task.size={size} is not a size; type task.size=1k or task.size=10k")
    if variant not in VARIANTS:
        raise UserError(
            f"task.variant={variant} is not known{nearest(variant, list(VARIANTS))} ({', '.join(VARIANTS)})"
        )
    release = find(data_dir)
    if release is None:
        if not allow_download:
            raise UserError(
                f"the official bAbI v1.2 is not in {data_dir} (no {FOLDER}/ or {ARCHIVE}, there or in babi/)\n"
                "  to download it (16 MB):  add task.download=true\n"
                "  to use a copy you have:  add data_dir=FOLDER, or set ZOO_DATA=FOLDER"
            )
        release = download(data_dir)
    subset = variant if size == "1k" else f"{variant}-10k"
    stamp = release.stamp(subset)
    cached = {task: cache_dir / "babi" / stamp / f"qa{task}.pt" for task in ids}
    if all(file.exists() for file in cached.values()):
        try:
            tables = {task: torch.load(file, weights_only=True) for task, file in cached.items()}
            return _with_fingerprint({task: _unpack(table) for task, table in tables.items()}, tables)
        except (RuntimeError, KeyError, TypeError, EOFError, OSError, pickle.UnpicklingError):
            pass  # a damaged cache is written anew
    files = release.files(subset)
    if not files:
        raise UserError(f"{release.path} has no folder {subset} with files qa*.txt")
    tables = {task: _read_task(task, files, f"{release.path.name}/{subset}") for task in ids}
    for task, table in tables.items():
        write_atomically(cached[task], lambda stream, table=table: torch.save(table, stream))
    return _with_fingerprint({task: _unpack(table) for task, table in tables.items()}, tables)


def check_ids(ids: Iterable[int]) -> list[int]:
    if not isinstance(ids, Iterable):
        raise UserError(f"task.ids={ids}: expected a list, as in task.ids=[{ids}]")
    ids = list(ids)
    wrong = [i for i in ids if i not in TASKS]
    if wrong or not ids or len(set(ids)) < len(ids):
        raise UserError(
            f"task.ids={ids}: expected different numbers from 1 to {len(TASKS)}"
            + (f", which {wrong[0]} is not" if wrong else "")
            + ", for example task.ids=[1,2,15]"
        )
    return sorted(ids)


def _read_task(task: int, files: dict[str, bytes], where: str) -> dict:
    """Reads the files of a task into one dictionary of tensors, words and the fingerprint of the bytes."""
    found = {}
    for part in ("train", "valid", "test"):
        names = [name for name in files if re.fullmatch(rf"qa{task}_(.*_)?{part}\.txt", name)]
        if len(names) > 1:
            raise UserError(f"{where}: {' and '.join(names)} both claim to be task {task}'s {part} file; remove one")
        if names:
            found[part] = names[0]
    for part in ("train", "test"):
        if part not in found:
            raise UserError(
                f"{where}: the {part} file of task {task} ({TASKS[task]}) is missing: qa{task}_..._{part}.txt\n"
                f"  put it there, or leave the task out with task.ids=[...]"
            )
    lexicon = Lexicon()
    splits = {part: read(files[name], f"{where}/{name}", task, lexicon) for part, name in sorted(found.items())}
    digest = hashlib.sha256()
    for part in sorted(found):
        digest.update(part.encode() + hashlib.sha256(files[found[part]]).digest())
    if "valid" not in splits:
        splits["train"], splits["valid"] = splits["train"].hold_out(HELD_OUT)
    return {
        "words": list(lexicon.words),
        "sentences": lexicon.table(),
        "sha256": digest.hexdigest(),
        "splits": {part: dict(vars(split)) for part, split in splits.items()},
    }


def _unpack(table: dict) -> Corpus:
    splits = {part: Split(**columns) for part, columns in table["splits"].items()}
    return Corpus(table["words"], table["sentences"], **splits)


def _with_fingerprint(corpora: dict[int, Corpus], tables: dict[int, dict]) -> tuple[dict[int, Corpus], str]:
    digest = hashlib.sha256("".join(f"{task} {table['sha256']}\n" for task, table in tables.items()).encode())
    return corpora, digest.hexdigest()
