"""The release of WikiMovies, or a part of it: found on the disk, or downloaded on request, and verified."""

from pathlib import Path

from tasks import release
from tasks.errors import UserError

ARCHIVE = "wikimovies.tar.gz"  # holds the folder movieqa
SHA256 = "ed062b49922b602ebee6073f58951bf38c4772a8b53d46682f3ff80ed57de948"
MIRRORS = (
    f"http://parl.ai/downloads/wikimovies/{ARCHIVE}",
    "https://thespermwhale.com/jaseweston/babi/movieqa.tar.gz",
)
PLACES = {
    "official": ("movieqa", ARCHIVE, "movieqa.tar.gz"),
    "partial": ("wikimovies_partial", "wikimovies_partial.tar.gz"),
}
HOMES = {"official": ("movieqa",), "partial": ("wikimovies_partial", "movieqa")}
QUESTIONS, KNOWLEDGE = ("questions", "wiki_entities"), ("knowledge_source", "wiki_entities")
# folder and name of each file, by its role
FILES = {
    "knowledge": (KNOWLEDGE, "wiki_entities_kb.txt"),
    "entities": (KNOWLEDGE[:1], "entities.txt"),
    "train": (QUESTIONS, "wiki-entities_qa_train.txt"),
    "valid": (QUESTIONS, "wiki-entities_qa_dev.txt"),
    "test": (QUESTIONS, "wiki-entities_qa_test.txt"),
}
SAMPLE = "wiki-entities_qa_train_sample.txt"  # the train file of a partial release


def names_of(source: str) -> dict[str, tuple[tuple[str, ...], str]]:
    """The folder and the name of each file of a source, by its role."""
    return FILES | ({"train": (QUESTIONS, SAMPLE)} if source == "partial" else {})


def find(data_dir: Path, source: str) -> Path | None:
    """Look for a source as a folder or an archive, in `data_dir` itself or in its folder `wikimovies`."""
    places = (place / name for place in (data_dir, data_dir / "wikimovies") for name in PLACES[source])
    return next((path for path in places if path.exists()), None)


def download(data_dir: Path) -> Path:
    """Download the archive of the release into a folder."""
    return release.download("WikiMovies (57 MB)", MIRRORS, SHA256, ARCHIVE, data_dir)


def read(path: Path, source: str) -> dict[str, bytes]:
    """Read the files of a source by their roles; a missing one is an error."""
    names, contents = names_of(source), {}
    for folder in dict.fromkeys(folder for folder, _ in names.values()):
        here = {role: name for role, (of, name) in names.items() if of == folder}
        files = release.read_files(
            path,
            HOMES[source] + folder,
            "|".join(name.replace(".", r"\.") for name in here.values()),
            "delete it, then download the release with task.download=true, or put the part back",
        )
        for role, name in here.items():
            if name not in files:
                raise UserError(f"{path} has no file {'/'.join((*HOMES[source], *folder, name))}")
            contents[role] = files[name]
    return contents
