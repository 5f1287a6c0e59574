"""What `task=babi` names: corpora, one for each training."""

from pathlib import Path

from tasks.babi import TASKS
from tasks.babi import official as release_of
from tasks.babi.sources import Generated, Official, Stories, Transfer, questions_of
from tasks.babi.tables import Cache, corpus_of, fingerprint, tables_of
from tasks.corpus import Data, join
from tasks.errors import UserError, check_ids, nearest
from tasks.release import apart

SOURCES = ("auto", "official", "generated", "transfer")


def load(
    ids: list[int],
    source: str,
    size: str | int,
    variant: str,
    download: bool,
    fill_missing: str | None,
    generator: dict,
    protocol: str,
    data_dir: str,
    cache_dir: str,
) -> Data:
    """The tasks `ids`, each as a training of its own or joined into one; see conf/task/babi.yaml."""
    ids = check_ids(ids, len(TASKS))
    for name, value, known in (
        ("task.source", source, SOURCES),
        ("task.variant", variant, release_of.VARIANTS),
        ("protocol", protocol, ("per_task", "joint")),
        ("task.fill_missing", fill_missing, (None, "generated")),
    ):
        if value not in known:
            names = [str(one) for one in known if one]
            raise UserError(f"{name}={value} is not known{nearest(str(value), names)} ({', '.join(names)})")
    stories = Stories(generator)
    release = None if source == "generated" else release_of.find(Path(data_dir).expanduser())
    notice = ""
    if release is None and source != "generated" and download:
        try:
            release = release_of.download(Path(data_dir).expanduser())
        except UserError as error:
            if source != "auto":
                raise
            notice = f"{error}\n"
    if source == "auto":
        source = "official" if release else "generated"
        if release is None:
            notice += (
                f"NOTE: the official bAbI v1.2 is not in {data_dir}; the zoo's own generated stories are used instead, "
                "in tables of their own\n  (official data: add task.download=true, or data_dir=FOLDER)"
            )
    if source != "generated" and release is None:
        raise UserError(
            f"the official bAbI v1.2 is not in {data_dir} "
            f"(no {release_of.FOLDER}/ or {release_of.ARCHIVE}, there or in babi/)\n"
            "  to download it (16 MB):  add task.download=true\n"
            "  to use a copy you have:  add data_dir=FOLDER, or set ZOO_DATA=FOLDER\n"
            "  to do without:           add task.source=generated"
        )
    if source == "official" and not fill_missing and stories.changed:
        raise UserError(
            f"task.generator.{stories.changed[0]} is about generated stories; "
            "add task.source=generated, or leave it out"
        )
    if source == "official" and size not in ("1k", "10k"):
        raise UserError(f"task.size={size}: the release has task.size=1k and task.size=10k")
    if source == "generated":
        made = Generated(stories, questions_of(size))
    else:
        official = Official(release, variant, str(size), stories if fill_missing else None)
        made = Transfer(stories, questions_of(size), official) if source == "transfer" else official
    cache = Cache(Path(cache_dir).expanduser(), made.stamp)
    tables = {task: cache.get(task) for task in ids}
    for task, got in tables.items():
        if got is None:
            tables[task] = tables_of(task, made.parts(task))
            cache.put(task, tables[task])
    corpora = {str(task): corpus_of(got) for task, got in tables.items()}
    filled = {task: got["generated"] for task, got in tables.items() if got["generated"]}
    world = ", ".join(f"{name}={stories.settings[name]}" for name in stories.changed)
    if source == "official":
        other, told = apart(release_of.not_released(official.subset, tables), release.path, "bAbI v1.2")
        world, notice = "; ".join(filter(None, (world, other))), notice + told
    trainings = {"joint": join(list(corpora.values()))} if protocol == "joint" else corpora
    return Data(
        trainings, source, fingerprint(tables), world, filled, notice, "babi", label=str(size), title=f"bAbI {size}"
    )
