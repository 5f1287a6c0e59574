"""Released data sets: folders or archives, read in place, or downloaded on request and checked.

An archive is never unpacked: its members are read into memory, by name, so nothing in it can write a file.
"""

import gzip
import re
import tarfile
import zlib
from pathlib import Path
from typing import IO, cast

from tasks.errors import UserError

LARGEST = 64 * 2**20  # bytes; a member above this belongs to no release
TOGETHER = 256 * 2**20  # bytes of all files that are read from one
UNPACKED = 4 * 2**30  # bytes of an unpacked archive
MEMBERS = 100_000
HEAD = 2**20  # bytes between two members: headers and padding


class _Bounded:
    """The unpacked bytes of an archive, up to a limit: a small file may unpack to more than any memory holds."""

    def __init__(self, stream: IO[bytes], path: Path) -> None:
        self.stream, self.path, self.total, self.allowed = stream, path, 0, HEAD

    def read(self, size: int) -> bytes:
        data = self.stream.read(size)
        self.total += len(data)
        if self.total > min(self.allowed, UNPACKED):
            raise UserError(f"{self.path} unpacks to more than its members say, or than {UNPACKED:,} bytes; {NONE_HAS}")
        return data


NONE_HAS = "no release does"
LICENCE = "CC BY 3.0, Facebook AI Research"  # of bAbI, the dialogs and WikiMovies


def read_files(path: Path, folder: tuple[str, ...], pattern: str, damaged: str) -> dict[str, bytes]:
    """Read the files of a release whose names match a pattern, by name.

    Args:
        path: the unpacked release, or its archive.
        folder: parts of the path within the release; the first is its own folder, which an unpacked one may lack.
        pattern: a regular expression for their names.
        damaged: the advice given when an archive cannot be read.
    """
    if path.is_dir():
        home = path.joinpath(*folder[1:])
        files = sorted(home.iterdir()) if home.is_dir() else []
        chosen = [file for file in files if re.fullmatch(pattern, file.name)]
        for file in chosen:
            if not file.is_file():
                raise UserError(f"{file} is no file; {damaged}")
        _check_size(path, {file.name: file.stat().st_size for file in chosen})
        return {file.name: file.read_bytes() for file in chosen}
    contents: dict[str, bytes] = {}
    sizes: dict[str, int] = {}
    try:
        with gzip.open(path) as unpacked:
            bounded = _Bounded(cast(IO[bytes], unpacked), path)
            with tarfile.open(fileobj=bounded, mode="r|") as archive:  # type: ignore[call-overload]
                for number, member in enumerate(archive):
                    if number >= MEMBERS or member.size < 0:
                        raise UserError(f"{path} has more than {MEMBERS:,} members, or one of no size; {NONE_HAS}")
                    bounded.allowed = bounded.total + member.size + HEAD
                    place = Path(member.name)
                    if member.isfile() and place.parent.parts == folder and re.fullmatch(pattern, place.name):
                        sizes[place.name] = member.size
                        _check_size(path, sizes)
                        stream = archive.extractfile(member)
                        contents[place.name] = stream.read() if stream else b""
            while unpacked.read(2**20):  # to the very end, where the checksum is
                bounded.total += 2**20
                if bounded.total > UNPACKED:
                    raise UserError(f"{path} unpacks to more than {UNPACKED:,} bytes; {NONE_HAS}")
    except UserError:
        raise
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, OverflowError) as error:
        raise UserError(f"{path} is damaged ({error}); {damaged}") from None
    return contents


def _check_size(path: Path, sizes: dict[str, int]) -> None:
    """Refuse files that are larger, alone or together, than those of any release."""
    for name, size in sizes.items():
        if size > LARGEST:
            raise UserError(f"{path}: {name} has {size:,} bytes; no file of the release has")
    if sum(sizes.values()) > TOGETHER:
        raise UserError(f"{path}: its files have more than {TOGETHER:,} bytes together; those of the release have not")


def apart(tasks: list[int], path: Path, name: str) -> tuple[str, str]:
    """Describe a run whose data files differ from the release: (table label, notice); two empty strings if none differ.

    Args:
        tasks: numbers of the tasks whose files differ.
        path: the folder or archive of the files.
        name: of the release.
    """
    if not tasks:
        return "", ""
    named = f"task{'s' if len(tasks) > 1 else ''} {', '.join(map(str, tasks))}"
    notice = f"NOTE: {named}: the files in {path} are not those of {name}; this run gets its own table"
    return f"{named}: not the release's files", notice


def download(what: str, mirrors: tuple[str, ...], sha256: str, archive: str, data_dir: Path) -> Path:
    """Download an archive from the first mirror that sends the right bytes, and return its path.

    Args:
        what: the release and its size, for people.
        mirrors: addresses of the archive.
        sha256: digest of the archive.
        archive: its file name in `data_dir`.
        data_dir: the folder for it.
    """
    import pooch

    pooch.get_logger().setLevel("WARNING")  # one line of ours says enough
    tried = []
    for url in mirrors:
        print(f"downloading {what} from {url}", flush=True)
        try:
            fetch = pooch.HTTPDownloader(timeout=20)
            return Path(pooch.retrieve(url, f"sha256:{sha256}", fname=archive, path=data_dir, downloader=fetch))
        except (OSError, ValueError) as error:  # no answer, or other bytes than the release has
            tried.append(f"  {url}: {str(error).splitlines()[0][:150]}")
    raise UserError(
        f"{what} could not be downloaded:\n" + "\n".join(tried) + f"\nfetch {archive} by other means"
        f" (sha256 {sha256}), put it into {data_dir}, and type the command again"
    )


def licence_of(source: str) -> str:
    """Name the licence of the data that a network learned from, or was tested on."""
    return "MIT, as the zoo that generates them" if source == "generated" else LICENCE
