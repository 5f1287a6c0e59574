"""A folder that others can use: weights, settings and a model card, as a repository of the Hugging Face Hub holds them.

config.json          the metadata of the weights, for people and for the hub's counters
model.safetensors    one network or several, as `zoo.load` reads them
README.md            the model card, made from the record
.eval_results/       test accuracies, in the form that the hub shows
"""

import json
import statistics
from pathlib import Path

from tasks.errors import UserError
from tasks.files import write_atomically
from zoo.families import family_of
from zoo.families.board import Family, PartOfRecord, data_named, plural, setting_of
from zoo.records import Record, weights
from zoo.records.record import interval
from zoo.records.weights import About, Trained

MODEL, CARD = "model.safetensors", "README.md"
EXAMPLE = {"mary", "went", "to", "the", "kitchen", "took", "milk", "where", "is"}  # words of the card's story


def export(record: Record, file: Path, folder: Path, task: str | None = None) -> Path:
    """Write the networks of a record into a folder.

    Args:
        record: of the run.
        file: its weights.
        folder: is made if it is missing; what an export of the same record has left there is replaced.
        task: only the network that learned it; without it all of the run.
    """
    about, networks = weights.load(file)
    if (folder / MODEL).is_file() and weights.about(folder / MODEL).record != about.record:
        raise UserError(f"{folder} holds an export of another record; choose another folder, or remove it")
    if task is not None:
        training = about.training_of(task)
        if training is None:
            raise UserError(f"task={task}: {file.name} has {', '.join(about.trainings)}")
        networks = {training: networks[training]}
        about = about.model_copy(update={"trainings": {training: about.trainings[training]}})
    weights.save(folder / MODEL, about, networks)
    parts = parts_of(record, about)
    texts = {
        "config.json": json.dumps(json.loads(about.model_dump_json()), indent=1) + "\n",
        CARD: card(record, about, networks, parts),
    }
    family = family_of(record.family)
    if family.hub_dataset and record.tests_release:
        texts[f".eval_results/{record.family}.yaml"] = eval_results(record, family, about, parts)
    for name, text in texts.items():
        write_atomically(folder / name, lambda stream, text=text: stream.write(text.encode()))  # type: ignore[misc]
    return folder


def parts_of(record: Record, about: About) -> dict[str, PartOfRecord]:
    """Get the figures of the parts of the test that the networks have learned."""
    parts = family_of(record.family).parts_of(record)
    return {name: part for name, part in parts.items() if part.training in about.trainings}


def card(record: Record, about: About, networks: dict[str, Trained], parts: dict[str, PartOfRecord]) -> str:
    """Write the model card."""
    family = family_of(record.family)
    first = next(iter(about.trainings))
    task = "" if len(about.trainings) == 1 else f", task={first}"
    parameters = sum(table.size for of in networks.values() for table in of.weights.values())
    lines = [
        "---",
        "license: mit",
        "library_name: memory-zoo",
        "tags: [memory-networks, question-answering]",
        *([f"datasets: [{family.hub_dataset}]"] if family.hub_dataset and record.tests_release else []),
        "---",
        "",
        f"# {record.model}, {family.title} {about.label}",
        "",
        f"{plural(len(networks), 'memory network')} of [this paper]({record.paper}), trained by Memory Zoo on "
        f"{data_named(record)}; {parameters:,} weights in all.",
        "",
        "```python",
        "import zoo",
        f'net = zoo.load("FOLDER"{task})  # or "hub:OWNER/NAME"',
    ]
    if family.tells_stories and EXAMPLE.issubset(about.trainings[first].words):
        lines.append('net.answer(["Mary went to the kitchen.", "Mary took the milk."], "Where is the milk?")')
    lines += [
        "```",
        "",
        "## Figures",
        "",
        "On the test, which was read once, at the end. Validation has selected one of "
        f"{plural(record.restarts, 'restart')}; its weights are here. An interval holds the error on all questions of "
        "this kind with a probability of 95 %.",
        "",
        *figures(record, parts),
        "",
        "## Conditions",
        "",
        f"- Setting: {setting_of(record)}.",
        f"- Learns from {record.supervision}.",
        f"- {'One network for all tasks' if record.protocol == 'joint' else 'A network for each task'}.",
        *[f"- Task {name}: {count:,} training questions were generated, since the official file was not at hand."
          for name, count in record.filled.items()],
        f"- Licence of the data: {about.licence}. The weights and the code: MIT.",
        f"- Record `{record.name}`, identity `{record.identity}`; `zoo repeat {record.name}` makes it again.",
        *(["- The code of the run was not committed. Loading this takes the file of "
           f"`{record.settings['model']['_target_']}`, and its yaml."] if record.dirty else []),
        "",
        "## Limits",
        "",
        *limits(about),
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def figures(record: Record, parts: dict[str, PartOfRecord]) -> list[str]:
    """Write a table of the selected restart and of all restarts."""
    lines = ["| part | selected | interval | mean of the restarts | deviation |", "| --- | --: | --: | --: | --: |"]
    for name, part in parts.items():
        chosen = part.test[part.selected]
        spread = statistics.stdev(part.test) if len(part.test) > 1 else 0.0
        low, high = interval(chosen / 100, questions_of(record, name, part.training))
        within = f"{low:.2f} to {high:.2f}" if "%" in part.unit else "–"
        lines.append(f"| {name} | {chosen:.2f} | {within} | {statistics.fmean(part.test):.2f} | {spread:.2f} |")
    unit = next(iter(parts.values())).unit
    return [f"Figures are {unit}; less is better.", "", *lines]


def questions_of(record: Record, part: str, training: str) -> int:
    """Count the test questions of a part of the test."""
    from zoo.records import arrays

    found = arrays(record)
    if part in record.tasks and f"{training}/task" in found:
        return int((found[f"{training}/task"] == int(part)).sum())
    return int(found[f"{training}/predictions"].shape[1])


def limits(about: About) -> list[str]:
    """Say what the networks cannot do."""
    lines = []
    for name, facts in about.trainings.items():
        if not facts.words:
            continue
        known = sorted(word for word in facts.words if word)
        listed = f": {', '.join(known)}" if len(known) <= 60 and len(about.trainings) == 1 else ""
        lines.append(f"- {name}: {len(known):,} words, sentences of at most {facts.sizes[1]}{listed}.")
    if not lines:
        return [
            "- A network hears sequences of vectors of this one task. It answers with bits, and knows nothing else."
        ]
    return [
        "- A network knows the words of its task and no others, and answers with one of them.",
        "- It has learned from stories of a small world. It is no language model, and answers every question.",
        *lines,
    ]


def eval_results(record: Record, family: Family, about: About, parts: dict[str, PartOfRecord]) -> str:
    """Write accuracies as the hub reads them: a list in YAML, which JSON is too."""
    entries = [
        {
            "dataset": {"id": family.hub_dataset, "task_id": family.hub_task(record, name)},
            "value": round(100 - part.test[part.selected], 4),
            "date": record.environment.finished,
            "notes": f"accuracy in percent; {about.protocol}, {plural(record.restarts, 'restart')}, "
            f"selected by validation; learns from {record.supervision}; {data_named(record)}",
        }
        for name, part in parts.items()
    ]
    return json.dumps(entries, indent=1) + "\n"


def push(folder: Path, repository: str) -> str:
    """Upload an exported folder to the Hugging Face Hub, and return its address."""
    if not (folder / MODEL).is_file():
        raise UserError(f"{folder} holds no {MODEL}; zoo export RUN {folder} makes such a folder")
    weights.about(folder / MODEL)
    api = hub()
    from huggingface_hub import get_token

    if not get_token():
        raise UserError("no token of the Hugging Face Hub is set; type hf auth login, or set HF_TOKEN")
    try:
        api.create_repo(repository, exist_ok=True)
        api.upload_folder(repo_id=repository, folder_path=folder, commit_message="Upload by Memory Zoo")
    except Exception as error:  # of the network, of the hub, of the name
        raise UserError(f"{repository}: the upload failed ({_said(error)})") from None
    return f"https://huggingface.co/{repository}"


def pull(repository: str) -> Path:
    """Download the networks of a repository, or find them in the hub's cache, and return their file."""
    api = hub()
    try:
        return Path(api.hf_hub_download(repository, MODEL))
    except Exception as error:  # of the network, of the hub, of the name
        raise UserError(f"hub:{repository}: {MODEL} cannot be had ({_said(error)})") from None


def _said(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def hub():  # type: ignore[no-untyped-def]  # HfApi of an optional package
    """Open the hub's interface; it is an optional package."""
    try:
        from huggingface_hub import HfApi
    except ImportError:
        raise UserError("the hub needs huggingface-hub, which is not installed: pip install -e '.[hub]'") from None
    return HfApi()
