"""Records of benchmarks → results/benchmarks.md and its plots; the same records give the same bytes."""

import json
import math
from pathlib import Path
from statistics import fmean, median, stdev

from benchmarks import plots
from tasks.files import write_atomically

PAGE = "benchmarks.md"
THROUGHPUT, SPREAD, SCALING, STORE, CLAIMS, ENGINES = (
    f"benchmarks/{name}.json" for name in ("throughput", "spread", "scaling", "store", "claims", "engines")
)
SWITCHES = {
    "sentences": "each distinct sentence encoded once, against every sentence told",
    "story": "a story read once, against once for each of its questions",
    "attention": "scores as a product with the table of sentences, against slots gathered from it",
}
# examples a second on one thread: the best public code, where there is any, as others have measured it on a machine
# like the one meant, and what the zoo is to reach with ten restarts, all of them counted
GOALS = {
    "memn2n": ("domluna/memn2n, TensorFlow", {1: (32_800, 300_000), 2: (8_700, 100_000)}),
    "gated_memn2n": ("a PyTorch port", {1: (18_000, 250_000), 2: (6_000, 85_000)}),
    "kv_memnn": ("siyuanzhao, TensorFlow, 20 slots", {1: (34_400, 250_000), 2: (23_700, 85_000)}),
    "memnn": ("none", {1: (None, 100_000), 2: (None, 50_000)}),
    "entnet": ("jimfleming, TensorFlow", {1: (730, 10_000), 2: (210, 2_000)}),
    "dmn_plus": ("dandelin", {1: (2_300, 5_000), 2: (600, 1_200)}),
    "wmn": ("the author's, Keras", {1: (1_900, 8_000), 2: (1_900, 8_000)}),
}
COPYING = ("loudinthecloud/pytorch-ntm", 196, 3_000)  # sequences a second
# kernels against the eager form, by model, task and restarts, on one thread
BARS = {
    ("memn2n", 1, 10): 9.0, ("memn2n", 2, 10): 8.0, ("gated_memn2n", 2, 10): 6.0, ("kv_memnn", 2, 10): 6.0,
    ("memnn", 2, 10): 3.0, ("entnet", 1, 10): 3.0, ("entnet", 2, 10): 3.6, ("lstm", 2, 10): 5.0, ("dmn", 2, 10): 3.0,
    ("dmn_plus", 2, 10): 2.5, ("wmn", 2, 10): 2.0, ("ntm", 2, 10): 3.0, ("ntm", "copy", 10): 4.0,
    ("transformer", 2, 10): 1.5, ("entnet", 2, 1): 4.0, ("lstm", 2, 1): 4.0, ("dmn", 2, 1): 4.0, ("ntm", 2, 1): 4.0,
}  # fmt: skip
PROTOCOL_HOURS = {"10k": 30.0, "1k": 5.0}  # of the full protocol on two cores, at most
ALONE = 1.5  # load of a machine that does little else
GAIN = {1: 3.0}  # ten restarts against one, on task 1; elsewhere they are not to be slower
OUTSIDE = 15  # percent of a step with ten restarts, at most
FAR = 2.0  # standard deviations that the mean errors with kernels may lie from those without
# percent that a list may take longer than with the campaign before there were engines
LONGER = {"local": 3, "slurm": 5, "ray": 5}
QUESTION_MS, STORE_GB = 20, 2  # a question to a store of a million triples, and all that its process holds, at most


def add(results: Path, name: str, record: dict) -> None:
    """Write a record, and the page and the plots that follow from all records there."""
    _write(results, name, record)
    print(f"{record['wall_seconds']:.0f} s; written: {results.name}/{name} and {results.name}/{PAGE}")


def _write(results: Path, name: str, record: dict) -> None:
    write_atomically(results / name, lambda stream: stream.write(dump(record).encode()))
    for file, content in made(results).items():
        write_atomically(results / file, lambda stream, content=content: stream.write(content.encode()))


def update(results: Path, name: str, found: dict) -> None:
    """Put what was found in place of what a record holds of it, and write the page anew."""
    file = results / name
    record = json.loads(file.read_text()) if file.exists() else {}
    _write(results, name, record | found)


def dump(record: dict) -> str:
    """Format JSON for people: one measured thing per line."""
    rows = []
    for key, value in record.items():
        entry = json.dumps(value)
        if isinstance(value, list) and value:
            entry = "[\n    " + ",\n    ".join(map(json.dumps, value)) + "\n  ]"
        rows.append(f"  {json.dumps(key)}: {entry}")
    return "{\n" + ",\n".join(rows) + "\n}\n"


def made(results: Path) -> dict[str, str]:
    """Make every file that follows from the records, by its path."""
    parts, files = ["# Speed and memory"], {}
    chapters = (
        (THROUGHPUT, "cells", throughput),
        (THROUGHPUT, "kernels", kernels),
        (THROUGHPUT, "protocol_hours", protocol),
        (SPREAD, "trainings", spread),
        (SCALING, "curves", scaling),
        (STORE, "ms", store),
        (CLAIMS, "claims", claims),
        (ENGINES, "engines", engines),
    )
    for name, needed, chapter in chapters:
        record = json.loads((results / name).read_text()) if (results / name).exists() else {}
        if needed in record:
            text, plots_of_it = chapter(record)
            parts += text
            files |= plots_of_it
    return {PAGE: "\n\n".join(parts) + "\n"} | files


def table(header: tuple[str, ...], rows: list[tuple[str, ...]], words: int = 1) -> str:
    """Draw a table; its first `words` columns hold words."""
    rule = ("---",) * words + ("--:",) * (len(header) - words)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def made_by(record: dict, name: str, command: str = "") -> str:
    """Say how a chapter was made.

    Args:
        record: of its command, or what it says of its making.
        name: of the record's file.
        command: of the benchmark; that of the file's name if none is given.
    """
    environment = record["environment"]
    versions = environment["versions"]
    state = "" if record["dirty"] is False else ", with changes that are not in it"
    return (
        f"Made by `python -m benchmarks.{command or Path(name).stem}` from [{Path(name).name}]({name}); "
        "do not edit it. "
        f"{environment['processor']}, {environment['cores']} cores, {environment['system']}; Python "
        f"{versions['python']}, torch {versions['torch']}; {environment['finished'][:10]}, in "
        f"{record['wall_seconds'] / 60:.1f} minutes; commit {str(record['commit'])[:10]}{state}."
    )


def rate(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def ratio(one: float | None, other: float | None) -> str:
    return "–" if one is None or other is None else f"{one / other:.2g}" if one < 10 * other else f"{one / other:.0f}"


def verdict(reached: float, goal: float) -> str:
    return "reached" if reached >= goal else f"**missed**, {100 * reached / goal:.0f} % of it"


class Cells:
    """Measurements by model, task, form and number of threads; of several the median."""

    def __init__(self, record: dict) -> None:
        self.cells = {(c["model"], c["task"], c["form"], c["threads"]): c for c in record["cells"]}
        self.models_and_tasks = list(dict.fromkeys(key[:2] for key in self.cells))
        self.threads = sorted({key[3] for key in self.cells})
        self.forms: dict[str, int] = record["forms"]  # and how many restarts they have
        self.several = max(self.forms.values())

    def get(self, model: str, task: int, form: str, threads: int, what: str) -> float | None:
        found = self.cells.get((model, task, form, threads), {}).get(what)
        return median(found) if isinstance(found, list) else found

    def fastest(self, model: str, task: int) -> tuple[float, str]:
        """Find the fastest form with several restarts in training on one thread: its figure and its name."""
        several = [form for form, restarts in self.forms.items() if restarts == self.several]
        return max((self.get(model, task, form, 1, "train") or 0.0, form) for form in several)

    def spreads(self) -> list[float]:
        """Compute the spread of the measurements of each cell, in percent of their median."""
        return [
            100 * (max(cell[what]) - min(cell[what])) / median(cell[what])
            for cell in self.cells.values()
            for what in ("train", "evaluate")
            if what in cell
        ]


def throughput(record: dict) -> tuple[list[str], dict[str, str]]:
    cells = Cells(record)
    plot = "benchmarks/throughput.svg"
    spreads = cells.spreads()
    parts = [
        "## Throughput",
        made_by(record, THROUGHPUT),
        f"bAbI 1k, {record['source']} data, models as in `conf/model/`, with their batches. Figures are examples a "
        f"second, those of all restarts counted: the median of {record['rounds']} measurements (evaluation and several "
        f"threads: of {math.ceil(record['rounds'] / 2)}) of about {record['seconds_of_a_measurement']:g} "
        f"s, and a batch at "
        "least, taken in turn with those beside them. Where an epoch takes longer than that, its batches are sampled, "
        "evenly over their story lengths. Between the fastest and the slowest measurement of a cell lie "
        f"{median(spreads):.0f} % of its figure in the median cell, {max(spreads):.0f} % in the worst. glibc is told "
        "to keep the memory that is freed (`benchmarks/measure.py`), for all alike.",
        "*plain* is the same network as most public code has it (`benchmarks/plain.py`): padded word ids for every "
        "question, one network, eager, a `DataLoader` with a collate function. *zoo* is what `run.py` does, loader, "
        "Lightning and csv logger included, with one restart or several; of validation only its share "
        "of an epoch's end.",
        "### What was to be reached",
        "One thread. The public code was measured by others on a machine of the kind that the goals are for (one core, "
        "about 100 GFLOP/s); plain and zoo stand side by side in this run.",
        goals(cells, record["copying"]),
        f"Ten restarts in one ensemble are to train {GAIN[1]:g} times as many examples a second as one on task 1, and "
        f"nowhere fewer; at most {OUTSIDE} % of a step with ten restarts may go outside the model. " + missed(cells),
        f"![Training examples a second]({plot})",
    ]
    for number in cells.threads:
        parts += [f"### Training, {threads_of(number)}", training(cells, number)]
        if number == 1:
            parts.append(
                "*Outside* is the share of a zoo form's time spent on anything but steps of training: loader, "
                "Lightning, logging, a batch's share of the epoch's end. "
                "*Peak* is what a process has held at most, in MB, beyond what it held when nothing but libraries was "
                "loaded. Bold: a goal missed."
            )
    parts += ["### Evaluation", "The validation questions, answered.", evaluation(cells)]
    if record["copying"]:
        parts += ["### NTM, the copy task", copying(record["copying"])]
    if record["switches"]:
        parts += [
            "### With and without",
            "Training, forwards and backwards only, one thread, ten restarts in one ensemble; the answers are the same "
            "(`tests/test_benchmarks.py`). What the ensemble itself gains is ×10 : ×1 above.",
            switches(record["switches"]),
        ]
    rows = [
        (f"{model}, task {task}", [cells.get(model, task, form, 1, "train") for form in cells.forms])
        for model, task in cells.models_and_tasks
    ]
    return parts, {plot: plots.dots(rows, list(cells.forms), "training examples a second, one thread")}


def goals(cells: Cells, copied: list[dict]) -> str:
    rows = []
    for model, (code, of_task) in GOALS.items():
        for task, (public, goal) in of_task.items():
            if (model, task) not in cells.models_and_tasks:
                continue
            best, form = cells.fastest(model, task)
            plain = cells.get(model, task, "plain", 1, "train")
            rows.append((model, str(task), code, rate(public), rate(plain), f"{best:,.0f} ({form})", ratio(best, plain),
                         rate(goal), verdict(best, goal)))  # fmt: skip
    rates = {cell["form"]: median(cell["train"]) for cell in copied if cell["threads"] == 1}
    if rates:
        code, public, goal = COPYING
        form = max(rates, key=rates.get)
        rows.append(("ntm", "copy", code, rate(public), rate(rates["plain"]), f"{rates[form]:,.0f} ({form})",
                     ratio(rates[form], rates["plain"]), rate(goal), verdict(rates[form], goal)))  # fmt: skip
    head = ("model", "task", "public code", "its rate", "plain", "zoo", "zoo : plain", "goal", "")
    return table(head, rows, words=3)


def gain(cells: Cells, model: str, task: int, number: int) -> float:
    """Compute the gain of ten restarts against one."""
    return cells.get(model, task, "zoo ×10", number, "train") / cells.get(model, task, "zoo", number, "train")


def missed(cells: Cells) -> str:
    """Write the sentences that count the goals that were missed."""
    all_of_them = cells.models_and_tasks
    slow = [f"{m}/{t}" for m, t in all_of_them if gain(cells, m, t, 1) < GAIN.get(t, 1.0)]
    idle = [f"{m}/{t}" for m, t in all_of_them if cells.get(m, t, "zoo ×10", 1, "outside") > OUTSIDE]

    def said(which: list[str]) -> str:
        return f"missed by {len(which)} of {len(all_of_them)} ({', '.join(which)})" if which else "reached by all"

    return f"On one thread the first is {said(slow)}, the second {said(idle)} (model/task)."


def training(cells: Cells, number: int) -> str:
    rows = []
    for model, task in cells.models_and_tasks:

        def of(what: str, model: str = model, task: int = task) -> dict[str, float | None]:
            return {form: cells.get(model, task, form, number, what) for form in cells.forms}

        rates, peak, outside = of("train"), of("peak_mb"), of("outside")
        more, share = gain(cells, model, task, number), outside["zoo ×10"]
        bold = "**" if number == 1 else ""
        rows.append((
            model, str(task), *map(rate, rates.values()),
            *(ratio(got, rates["plain"]) for form, got in rates.items() if form != "plain"),
            f"{bold}{more:.1f}{bold}" if more < GAIN.get(task, 1.0) else f"{more:.1f}",
            f"{outside['zoo']:.0f} / " + (f"{bold}{share:.0f}{bold}" if share > OUTSIDE else f"{share:.0f}"),
            " / ".join(map(rate, peak.values())),
        ))  # fmt: skip
    others = [form for form in cells.forms if form != "plain"]
    head = ("model", "task", *cells.forms, *(f"{form} : plain" for form in others), "×10 : ×1", "outside, %, ×1 / ×10",
            f"peak, MB, {' / '.join(cells.forms)}")  # fmt: skip
    return table(head, rows)


def evaluation(cells: Cells) -> str:
    rows = [
        (
            model,
            str(task),
            *(rate(cells.get(model, task, f, n, "evaluate")) for n in cells.threads for f in cells.forms),
        )
        for model, task in cells.models_and_tasks
    ]
    return table(("model", "task", *(f"{form}, {threads_of(n)}" for n in cells.threads for form in cells.forms)), rows)


def threads_of(number: int) -> str:
    return "one thread" if number == 1 else f"{number} threads"


def copying(cells: list[dict]) -> str:
    rows = [(c["form"], str(c["threads"]), rate(median(c["train"])), rate(c["peak_mb"])) for c in cells]
    return (
        "The paper's machine (128 rows of 20, LSTM of 100, one head to read and one to write), batches of 16 sequences "
        "of 8 bits, lengths spread over 1 to 20; sequences a second, of all machines together.\n\n"
        + table(("form", "threads", "sequences", "peak, MB"), rows)
    )


def switches(cells: list[dict]) -> str:
    rows = []
    for cell in cells:
        on, off = median(cell["on"]), median(cell["off"])
        rows.append((SWITCHES[cell["switch"]], cell["model"], str(cell["task"]), rate(on), rate(off), ratio(on, off)))
    return table(("what", "model", "task", "with", "without", "ratio"), rows, words=2)


def slope(x: list[float], y: list[float | None]) -> float | None:
    """Fit the exponent of a power law to the larger half of the points, where constant costs weigh little."""
    known = [(math.log(p), math.log(q)) for p, q in zip(x, y, strict=True) if q]
    if len(known) < 3:
        return None
    kept = known[-max(3, math.ceil(len(known) / 2)) :]
    a, b = fmean(p for p, _ in kept), fmean(q for _, q in kept)
    return sum((p - a) * (q - b) for p, q in kept) / sum((p - a) ** 2 for p, _ in kept)


def exponent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def kernels(record: dict) -> tuple[list[str], dict[str, str]]:
    of, cells = record["kernels_made"], record["kernels"]
    parts = [
        "## Kernels",
        made_by(of, THROUGHPUT, "kernels") + shared(of),
        "bAbI 10k, models as in `conf/model/`, with their batches, some of all lengths; where the release lacks "
        "questions, generated ones. Figures are training examples a second (sequences where the task is `copy`), those "
        "of all restarts counted: loss, gradient, clip and update, without loader and Lightning. The forms run in "
        "turn, in one process and on the same batches; each figure is the best of short rounds, by processor time. "
        "*Plain* is the rival of above, *eager* the zoo with `trainer.kernels=false`. "
        f"*MFLOP* are those of an example's matrix products, as the eager form makes them, and the shares are of the "
        f"{of['gemm_gflops'] or 0:.0f} GFLOP/s that a product of two matrices of 1,024 rows reached here. Kernels "
        "make fewer products, for they compute no padding and no one-hot vector; their share is in the eager form's "
        "MFLOP all the same, and may be above 100 %.",
        "### One thread",
        kernels_table(cells),
    ]
    threads = record.get("kernels_on_threads", [])
    if threads:
        parts += [
            f"### {threads[0]['threads']} threads",
            "By the clock, so that other processes show.",
            table(
                ("model", "task", "restarts", "eager", "kernels", "kernels : eager"),
                [(*names(c), rate(c["eager"]), rate(c["kernels"]), ratio(c["kernels"], c["eager"])) for c in threads],
                words=2,
            ),
        ]
    found = {(c["model"], c["task"], c["restarts"]): c for c in cells}
    known = [bar for bar in BARS if bar in found]
    if known:
        rows = []
        for bar in known:
            reached = found[bar]["kernels"] / found[bar]["eager"]
            rows.append((*names(found[bar]), f"{reached:.1f}", f"{BARS[bar]:g}", verdict(reached, BARS[bar])))
        head = ("model", "task", "restarts", "kernels : eager", "to reach", "")
        parts += ["### What kernels were to gain", "On one thread.", table(head, rows, words=2)]
    beside = public(found)
    if beside:
        head = ("model", "task", "public code", "its rate", "plain", "kernels", "kernels : public", "kernels : plain")
        parts += [
            "### Beside public code",
            "Ten restarts on one thread with kernels, beside the best public code as others have measured it (see "
            "above) and beside the plain rival, which trains one network.",
            table(head, beside, words=3),
        ]
    return parts, {}


def shared(made: dict) -> str:
    """Say so if other processes had the processor too, or if the benchmark was broken off."""
    broken = "" if made.get("complete", True) else " **It was broken off: what is missing was not measured.**"
    if made["load"] <= ALONE:
        return broken
    own = f", {made['processes']} of them this benchmark's, each with some of the models" if "processes" in made else ""
    return (
        f" The machine was shared: up to {made['load']:.0f} processes wanted its {made['environment']['cores']} cores"
        f"{own}. They took caches and clock from one another; ratios between forms in turn say more than figures."
        f"{broken}"
    )


def names(cell: dict) -> tuple[str, str, str]:
    return cell["model"], str(cell["task"]), str(cell["restarts"])


def kernels_table(cells: list[dict]) -> str:
    forms = [form for form in ("plain", "eager", "kernels") if any(form in cell for cell in cells)]
    rows = []
    for cell in cells:
        shares = (cell.get(f"{form}_peak_percent") for form in ("eager", "kernels"))
        rows.append((
            *names(cell), *(rate(cell.get(form)) for form in forms), ratio(cell["kernels"], cell["eager"]),
            f"{cell['mflop']:.3g}" if "mflop" in cell else "–",
            " / ".join("–" if share is None else f"{share:.0f}" for share in shares),
        ))  # fmt: skip
    head = ("model", "task", "restarts", *forms, "kernels : eager", "MFLOP", "of the peak, %, eager / kernels")
    return table(head, rows, words=2)


def public(found: dict[tuple, dict]) -> list[tuple[str, ...]]:
    """Hold kernels with ten restarts against the public code that was measured earlier."""
    codes = [(model, task, code, rates[task][0]) for model, (code, rates) in GOALS.items() for task in rates]
    rows = []
    for model, task, code, rate_of_it in [*codes, ("ntm", "copy", *COPYING[:2])]:
        if (model, task, 10) in found and rate_of_it:
            ours, plain = found[model, task, 10]["kernels"], found.get((model, task, 1), {}).get("plain")
            rows.append((model, str(task), code, rate(rate_of_it), rate(plain), rate(ours), ratio(ours, rate_of_it),
                         ratio(ours, plain)))  # fmt: skip
    return rows


def protocol(record: dict) -> tuple[list[str], dict[str, str]]:
    of, hours = record["protocol_made"], record["protocol_hours"]
    sizes = list(PROTOCOL_HOURS)
    sums = {size: sum(found.get(size, 0.0) for found in hours.values()) for size in sizes}
    rows = [(model, *(f"{found[size]:.2f}" if size in found else "–" for size in sizes)) for model, found in
            sorted(hours.items())]  # fmt: skip
    rows.append(("**sum**", *(f"**{sums[size]:.1f}**" for size in sizes)))
    rows.append(("to reach, at most", *(f"{PROTOCOL_HOURS[size]:g}" for size in sizes)))
    whole = {size: all(size in found for found in hours.values()) for size in sizes}
    rows.append(
        ("", *(within(sums[size], PROTOCOL_HOURS[size]) if whole[size] else "not all measured" for size in sizes))
    )
    return [
        "## The full protocol",
        made_by(of, THROUGHPUT, "kernels --protocol") + shared(of),
        f"Hours on {of['cores']} cores that all 20 tasks × {of['restarts']} restarts of each model take with kernels "
        "and the epochs, batches and other settings of `conf/experiment/`, if none ends early. Of each "
        f"task {of['batches']} training batches with {of['restarts']} restarts were measured, those at the quarters of "
        "a sample from over an epoch that is sorted by story length, the better of two rounds by processor "
        "time, update included; and the drawing of an epoch's batches, or of its first 0.3 seconds. Seconds an example "
        "times examples, epochs and restarts, on half of the cores each, make the hours; validation and test, about a "
        "tenth as many examples without a backward, are not among them.",
        table(("model", *sizes), rows),
    ], {}


def scaling(record: dict) -> tuple[list[str], dict[str, str]]:
    parts = [
        "## Growth",
        made_by(record, SCALING),
        "One thread, random stories, models as in `conf/model/` but for what is varied. Time is the best of "
        f"{record['goes']} goes, fewer where one is long; memory is what the process has held at most, beyond what it "
        "held after a question about four sentences, weights included; both are divided by the questions, those of all "
        f"restarts counted. A curve ends where the next point could take more than {record['seconds']:g} s or "
        f"{record['gigabytes']:g} GB. An exponent is the slope between the logarithms, fitted to the larger half of a "
        "curve's points. *Equations* is the exponent, fitted to the same points, of the multiplications "
        "that the model's "
        "equations ask for ([docs/models.md](../docs/models.md)), and of the numbers that its memory "
        "holds. Over each plot "
        "stand the exponents of time and memory, and in brackets those of the equations; dashed lines "
        "have the shape of "
        "the equations, and are drawn through the last point measured.",
    ]
    files = {}
    for axis, about in record["axes"].items():
        curves = [curve for curve in record["curves"] if curve["axis"] == axis]
        if not curves:
            continue
        name = f"benchmarks/scaling_{axis.replace(' ', '_')}.svg"
        panels, rows = [], []
        for curve in curves:
            x = curve["x"]
            time, cost, memory, state = (exponent(slope(x, curve[what])) for what in ("ms", "cost", "mb", "state"))
            spans = (f"{x[0]:,} … {x[-1]:,}", f"{curve['ms'][0]:.3g} … {curve['ms'][-1]:.3g}")
            rows.append((curve["model"], *spans, time, cost, memory, state))
            lines = [plots.Line(x, curve["ms"], curve["cost"]), plots.Line(x, curve["mb"], curve["state"])]
            panels.append(plots.Panel(f"{curve['model']}: {time} ({cost}), {memory} ({state})", lines))
        files[name] = plots.grid(panels, axis, ("ms a question", "MB a question"))
        head = ("model", axis, "ms a question", "time, exponent", "equations", "memory, exponent", "equations")
        parts += [f"### {axis.capitalize()}", about, f"![{axis}]({name})", table(head, rows)]
    return parts, files


def spread(record: dict) -> tuple[list[str], dict[str, str]]:
    cells = record["trainings"]
    far = [cell["model"] for cell in cells if cell["apart"] > FAR]
    parts = [
        "## Whole trainings, with kernels and without",
        made_by(record, SPREAD),
        f"Task {cells[0]['task']} from our own generator, 1,000 questions, {len(cells[0]['plain'])} restarts with the "
        f"same seeds and the same batches, {cells[0]['epochs']} epochs. Kernels round otherwise, and a training "
        "magnifies that. Errors of test, in percent: mean and standard deviation over the restarts. *Apart*: the "
        "distance of the means, in standard deviations of their difference; of so many models one or two may lie "
        f"beyond {FAR:g} by chance. Beyond it {'lies' if len(far) == 1 else 'lie'}: {', '.join(far) or 'none'}.",
    ]
    rows = [
        (
            cell["model"],
            *(f"{fmean(cell[form]):.1f} ± {stdev(cell[form]):.1f}" for form in ("plain", "kernels")),
            f"{cell['apart']:.1f}",
            *(f"{cell[f'{form}_seconds']:.0f}" for form in ("plain", "kernels")),
        )
        for cell in cells
    ]
    header = ("model", "plain", "kernels", "apart", "plain, processor seconds", "kernels, processor seconds")
    return [*parts, table(header, rows)], {}


def store(record: dict) -> tuple[list[str], dict[str, str]]:
    parts = [
        "## A large store",
        made_by(record, STORE),
        f"{record['questions']:,} questions to a generated film world of {record['triples']:,} triples and "
        f"{record['entities']:,} entities, one by one, on one thread, each from its text to an entity: its entities "
        f"are found, the index is asked, the triples that it finds, {record['slots']} at most, are weighed by "
        "kv_memnn, untrained, and all entities are scored. Processor time is what a question takes where nobody "
        "else computes. Memory is the most that the process has held, libraries and the making of the world included.",
    ]
    gigabytes = record["peak_mb"] / 1024
    rows = [
        ("ms a question, median", f"{record['ms']:.1f}", str(QUESTION_MS), within(record["ms"], QUESTION_MS)),
        ("ms a question, the slowest", f"{record['slowest_ms']:.1f}", "–", ""),
        ("ms of processor time a question, median", f"{record['processor_ms']:.1f}", "–", ""),
        ("memory, GB", f"{gigabytes:.2f}", str(STORE_GB), within(gigabytes, STORE_GB)),
        ("seconds to make the world", f"{record['making_s']:.1f}", "–", ""),
        ("seconds to read and index it", f"{record['opening_s']:.1f}", "–", ""),
    ]
    return [*parts, table(("what", "measured", "at most", ""), rows)], {}


def within(spent: float, most: float) -> str:
    return "reached" if spent < most else f"**missed**, {spent / most:.2g} times as much"


def claims(record: dict) -> tuple[list[str], dict[str, str]]:
    hard = record["disturbed"]
    parts = [
        "## Many workers on one list",
        made_by(record, CLAIMS),
        f"{hard['workers']:,} workers in one folder, {hard['cells']:,} cells that only sleep, {hard['killed']} workers "
        f"killed and replaced, {hard['paused']} paused for longer than a lease lasts, half of them as if they were of "
        f"other machines: {hard['claims']:,} claims in {hard['seconds']:.0f} s. Cells lost: {hard['lost']}; records "
        f"made twice: {hard['twice']}.",
        "Below cells take no time and nobody is killed. Processor time holds all that the workers do: they start, look "
        "for a cell that is free, claim it, write, look again, and wait for the last. All workers share the cores and "
        "the local disk of this machine.",
    ]
    rows = [
        (
            f"{cell['workers']:,}", f"{cell['cells']:,}", f"{cell['claims']:,}", f"{cell['claims_a_second']:,}",
            f"{cell['cpu_ms_a_claim']:.2f}",
        )
        for cell in record["claims"]
    ]  # fmt: skip
    header = ("workers", "cells", "claims", "claims a second", "processor ms a claim")
    return [*parts, table(header, rows, words=0)], {}


def engines(record: dict) -> tuple[list[str], dict[str, str]]:
    took = {of["engine"]: of["seconds"] for of in record["engines"]}
    runs = "; ".join(f"`{line}`" for line in record["list"])
    parts = [
        "## A list with each engine",
        made_by(record, ENGINES),
        f"Seconds from the command to its end, in turns, for a list of {len(record['list'])} runs: {runs}. The medians "
        "are compared. *before*: the campaign of the commit before there were engines, which knew this machine only.",
    ]
    first = median(took["before"] if "before" in took else took["local"])
    rows = []
    for name, seconds in took.items():
        more = 100 * (median(seconds) / first - 1)
        bar = f"{LONGER[name]}, {'reached' if more <= LONGER[name] else '**missed**'}" if name in LONGER else "–"
        rows.append((name, ", ".join(f"{one:.0f}" for one in seconds), f"{more:+.1f}", bar))
    return [*parts, table(("engine", "seconds", "longer, %", "at most"), rows, words=2)], {}
