"""What `task=babi` names: corpora, one for each training."""

from pathlib import Path

from tasks.babi.official import load as load_official
from tasks.corpus import Data, join
from tasks.errors import UserError, nearest


def load(
    ids: list[int],
    source: str,
    size: str,
    variant: str,
    download: bool,
    protocol: str,
    data_dir: str,
    cache_dir: str,
) -> Data:
    """Reads the tasks `ids`, each as a training of its own or joined into one."""
    if source not in ("auto", "official"):
        raise UserError(
            f"task.source={source} is not to be had{nearest(source, ['auto', 'official'])}; "
            "this version reads the official release only: task.source=auto or task.source=official"
        )
    if protocol not in ("per_task", "joint"):
        raise UserError(
            f"protocol={protocol} is not known{nearest(str(protocol), ['per_task', 'joint'])}; "
            "type protocol=per_task or protocol=joint"
        )
    corpora, fingerprint = load_official(
        Path(data_dir).expanduser(), Path(cache_dir).expanduser(), ids, size, variant, download
    )
    if protocol == "joint":
        return Data({"joint": join(list(corpora.values()))}, "official", fingerprint)
    return Data({str(task): corpus for task, corpus in corpora.items()}, "official", fingerprint)
