"""The function that `task=babi` names: corpora, one for each training."""

from pathlib import Path

from tasks.babi import TASKS
from tasks.babi import official as release_of
from tasks.babi.names import classes_of, exchange_names
from tasks.babi.official import Release
from tasks.babi.sources import Generated, Official, Source, Stories, Transfer, questions_of
from tasks.babi.tables import Cache, Tables, corpus_of, fingerprint, tables_of
from tasks.corpus import Data, join
from tasks.errors import UserError, check_ids, check_type, nearest, shown
from tasks.release import apart, licence_of

ENGLISH = ("en", "en-valid")  # variants of the release
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
    rename: bool = False,
) -> Data:
    """Load the tasks `ids`, each as a training of its own or joined into one; see conf/task/babi.yaml."""
    ids = check_ids(ids, list(TASKS))
    check_type("task.download", download, bool, "true")
    for name, value, known in (
        ("task.source", source, SOURCES),
        ("task.variant", variant, release_of.VARIANTS),
        ("protocol", protocol, ("per_task", "joint")),
        ("task.fill_missing", fill_missing, (None, "generated")),
    ):
        if value not in known:
            names = [str(one) for one in known if one]
            raise UserError(f"{name}={shown(value)} is not known{nearest(str(value), names)} ({', '.join(names)})")
    check_type("task.rename", rename, bool, "true")
    if rename and variant not in ENGLISH:
        raise UserError(f"task.rename=true: the names of task.variant={variant} are not known; leave one out")
    stories = Stories(generator)
    release, notice = _release(source, download, data_dir)
    if source == "auto":
        source = "official" if release else "generated"
    if source == "official":
        if not fill_missing and stories.changed:
            raise UserError(
                f"task.generator.{stories.changed[0]} is about generated stories; "
                "add task.source=generated, or leave it out"
            )
        if size not in ("1k", "10k"):
            raise UserError(f"task.size={shown(size)}: the release has task.size=1k and task.size=10k")
    texts: Source
    if release is None:
        texts = Generated(stories, questions_of(size))
    else:
        texts = official = Official(release, variant, str(size), stories if fill_missing else None)
        if source == "transfer":
            texts = Transfer(stories, questions_of(size), official)
    tables = _tables(ids, texts, Path(cache_dir).expanduser())
    corpora = {str(task): corpus_of(of_task) for task, of_task in tables.items()}
    filled = {task: of_task["generated"] for task, of_task in tables.items() if of_task["generated"]}
    world = ", ".join(f"{name}={stories.settings[name]}" for name in stories.changed)
    if release is not None and source == "official":
        label, said = apart(release_of.not_released(official.subset, tables), release.path, "bAbI v1.2")
        world, notice = "; ".join(filter(None, (world, label))), notice + said
    if rename:
        if kept := [task for task in ids if not classes_of(task)]:
            said = f"NOTE: the names of task {kept[0]} carry knowledge and are kept"
            notice = "\n".join(filter(None, (notice, said)))
        corpora = {task: exchange_names(corpus, int(task)) for task, corpus in corpora.items()}
    trainings = {"joint": join(list(corpora.values()))} if protocol == "joint" else corpora
    title = f"bAbI {size}" + (", names exchanged in training" if rename else "")
    return Data(
        trainings, source, fingerprint(tables), world, filled, notice, "babi", label=str(size), title=title,
        licence=licence_of(source),
    )  # fmt: skip


def _release(source: str, download: bool, data_dir: str) -> tuple[Release | None, str]:
    """The release, None where generated stories are told instead, and the notice about that."""
    if source == "generated":
        return None, ""
    folder = Path(data_dir).expanduser()
    release, why = release_of.find(folder), f"the official bAbI v1.2 is not in {data_dir}"
    if release is None and download:
        try:
            release = release_of.download(folder)
        except UserError as error:
            if source != "auto":
                raise
            why = str(error).splitlines()[0].rstrip(":")
    if release is not None:
        return release, ""
    if source == "auto":
        return None, (
            f"NOTE: {why}; generated stories are used instead, in tables of their own (official data: "
            f"{'' if download else 'task.download=true, or '}put {release_of.ARCHIVE} into {data_dir})"
        )
    raise UserError(
        f"the official bAbI v1.2 is not in {data_dir} "
        f"(no {release_of.FOLDER}/ or {release_of.ARCHIVE}, there or in babi/)\n"
        "  to download it (16 MB):  add task.download=true\n"
        "  to use a copy you have:  add data_dir=FOLDER, or set ZOO_DATA=FOLDER\n"
        "  to do without:           add task.source=generated"
    )


def _tables(ids: list[int], texts: Source, cache_dir: Path) -> dict[int, Tables]:
    """The tables of tasks, read from their texts unless the cache has them."""
    cache, tables = Cache(cache_dir, texts.stamp), {}
    for task in ids:
        of_task = cache.get(task)
        if of_task is None:
            of_task = tables_of(task, texts.parts(task))
            cache.put(task, of_task)
        tables[task] = of_task
    return tables
