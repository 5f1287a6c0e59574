"""The official release of bAbI, v1.2: find it, download it on request, verify it, read it.

The release's archive is never unpacked: its members are read in memory, by name, so nothing in it can write a file.
"""

import gzip
import hashlib
import re
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from tasks.babi.tables import Text
from tasks.errors import UserError

FOLDER = "tasks_1-20_v1-2"
ARCHIVE = f"{FOLDER}.tar.gz"
SHA256 = "0364ebde659f14d11bc21744516c5ec49d3d06cb692733f66680771244998898"
MIRRORS = (
    f"http://www.thespermwhale.com/jaseweston/babi/{ARCHIVE}",
    f"https://s3.amazonaws.com/text-datasets/babi_{ARCHIVE}",
)
VARIANTS = ("en", "en-valid", "hn", "shuffled")
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
        digest = hashlib.sha256(subset.encode())
        for file in files:
            digest.update(f"{file.name} {file.stat().st_size}".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
        return digest.hexdigest()


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


def parts_of(task: int, files: dict[str, bytes], where: str) -> dict[str, Text]:
    """The files of a task: "train", "test", and "valid" where there is one; what is missing is left out.

    Args:
        task: its number.
        files: of the subset, by name, as `Release.files` returns them.
        where: how to call the subset in an error.
    """
    found = {}
    for part in ("train", "valid", "test"):
        names = [name for name in files if re.fullmatch(rf"qa{task}_(.*_)?{part}\.txt", name)]
        if len(names) > 1:
            raise UserError(f"{where}: {' and '.join(names)} both claim to be task {task}'s {part} file; remove one")
        if names:
            found[part] = Text(f"{where}/{names[0]}", files[names[0]])
    return found
