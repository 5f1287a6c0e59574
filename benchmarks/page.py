"""Records of benchmarks → results/benchmarks.md and its plots; the same records give the same bytes."""

import json
import math
import statistics
from pathlib import Path

from benchmarks import plots
from tasks.files import write_atomically

PAGE = "benchmarks.md"
THROUGHPUT, SCALING = "benchmarks/throughput.json", "benchmarks/scaling.json"
SWITCHES = {
    "sentences": "each distinct sentence encoded once, against every sentence told",
    "story": "a story read once, against once for each of its questions",
    "attention": "scores as a product with the table of sentences, against slots gathered from it",
}


def dump(record: dict) -> str:
    """JSON for people: a measured thing a line."""
    rows = []
    for key, value in record.items():
        entry = json.dumps(value)
        if isinstance(value, list):
            entry = "[\n    " + ",\n    ".join(map(json.dumps, value)) + "\n  ]" if value else "[]"
        rows.append(f"  {json.dumps(key)}: {entry}")
    return "{\n" + ",\n".join(rows) + "\n}\n"


def write(results: Path) -> None:
    """Writes the page and the plots of the records that are there."""
    for name, content in made(results).items():
        write_atomically(results / name, lambda stream, content=content: stream.write(content.encode()))


def made(results: Path) -> dict[str, str]:
    """Every file that follows from the records, by its path."""
    records = {
        name: json.loads((results / name).read_text()) for name in (THROUGHPUT, SCALING) if (results / name).exists()
    }
    parts, files = ["# Speed and memory"], {}
    if THROUGHPUT in records:
        text, plot = throughput(records[THROUGHPUT])
        parts += text
        files["benchmarks/throughput.svg"] = plot
    if SCALING in records:
        text, plot_of = scaling(records[SCALING])
        parts += text
        files |= plot_of
    return {PAGE: "\n\n".join(parts) + "\n"} | files


def table(header: tuple[str, ...], rows: list[tuple[str, ...]], words: int = 1) -> str:
    """A table whose first `words` columns hold words."""
    rule = ("---",) * words + ("--:",) * (len(header) - words)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def made_on(record: dict) -> str:
    environment = record["environment"]
    versions = environment["versions"]
    state = "" if record["dirty"] is False else ", with changes that are not in it"
    return (
        f"{environment['processor']}, {environment['cores']} cores, {environment['system']}; Python "
        f"{versions['python']}, torch {versions['torch']}; {environment['finished'][:10]}, in "
        f"{record['wall_seconds'] / 60:.1f} minutes; commit {str(record['commit'])[:10]}{state}."
    )


def rate(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def ratio(one: float | None, other: float | None) -> str:
    return "–" if one is None or other is None else f"{one / other:.1f}"


def throughput(record: dict) -> tuple[list[str], str]:
    cells = record["cells"]
    keys = list(dict.fromkeys((cell["model"], cell["task"]) for cell in cells))
    threads = sorted({cell["threads"] for cell in cells})
    several = max(cell["restarts"] for cell in cells)

    def of(key: tuple, form: str, restarts: int, number: int, what: str) -> float | None:
        for cell in cells:
            if ((cell["model"], cell["task"]), cell["form"], cell["restarts"], cell["threads"]) == (
                key, form, restarts, number,
            ):  # fmt: skip
                return statistics.median(cell[what]) if isinstance(cell[what], list) else cell[what]
        return None

    def three(key: tuple, number: int, what: str) -> list[float | None]:
        return [of(key, form, many, number, what) for form, many in (("plain", 1), ("zoo", 1), ("zoo", several))]

    spreads = [
        100 * (max(cell[what]) - min(cell[what])) / statistics.median(cell[what])
        for cell in cells
        for what in ("train", "evaluate")
    ]
    parts = [
        "## Throughput",
        "Made by `python -m benchmarks.throughput` from [throughput.json](benchmarks/throughput.json); do not edit it. "
        + made_on(record),
        f"bAbI 1k, {record['source']} data, models as in `conf/model/`, with their batches. Examples a second, those "
        "of all restarts counted; the median of "
        f"{record['rounds']} measurements, of about {record['seconds_of_a_measurement']:g} s and a batch at least, taken "
        "in turn with those beside them. Where an epoch takes longer than that, its batches are sampled, evenly over "
        f"their story lengths. Between the fastest and the slowest measurement of a cell lie {statistics.median(spreads):.0f} % "
        f"of its figure in the median cell, {max(spreads):.0f} % in the worst. glibc is told to keep the memory that is "
        "freed (`benchmarks/measure.py`), for all alike.",
        "*Plain* is the same network as most public code has it (`benchmarks/plain.py`): padded word ids for every "
        "question, one network, eager, a `DataLoader` with a collate function. *Zoo* is what `run.py` does, loader, "
        "Lightning and csv logger included, validation taken off. *Outside* is the share of that time spent on "
        "anything but the model's forward and backward pass and the optimizer. *Evaluation* answers the "
        "validation questions. *Peak* is the memory that a process has held at most, in MB, beyond what it held when "
        "nothing but libraries was loaded.",
        "![Training examples a second](benchmarks/throughput.svg)",
    ]
    for number in threads:
        rows = []
        for key in keys:
            train, peak = three(key, number, "train"), three(key, number, "peak_mb")
            plain, one, ten = train
            outside = three(key, number, "outside")[1:] if one is not None else []
            rows.append(
                (
                    key[0], str(key[1]), *map(rate, train), ratio(one, plain), ratio(ten, plain), ratio(ten, one),
                    " / ".join(f"{share:.0f}" for share in outside), " / ".join(rate(mb) for mb in peak),
                )
            )  # fmt: skip
        head = ("model", "task", "plain", "zoo", f"zoo ×{several}", "zoo : plain", f"×{several} : plain",
                f"×{several} : ×1", "outside, %", "peak, MB")  # fmt: skip
        parts += [f"### Training, {threads_of(number)}", table(head, rows)]
        rows = []
        for key in keys:
            plain, one, ten = evaluated = three(key, number, "evaluate")
            rows.append(
                (key[0], str(key[1]), *map(rate, evaluated), ratio(one, plain), ratio(ten, plain), ratio(ten, one))
            )
        parts += [f"### Evaluation, {threads_of(number)}", table(head[:8], rows)]
    if record["copying"]:
        parts += ["### NTM, the copy task", copying(record["copying"])]
    if record["switches"]:
        parts += [
            "### With and without",
            f"Training, forwards and backwards only, one thread, {several} restarts in one ensemble; the answers are "
            "the same (`tests/test_benchmarks.py`). What the ensemble itself gains is ×10 : ×1 above.",
            table(
                ("what", "model", "task", "with", "without", "ratio"),
                [
                    (SWITCHES[cell["switch"]], cell["model"], str(cell["task"]), rate(on), rate(off), ratio(on, off))
                    for cell in record["switches"]
                    for on, off in [(statistics.median(cell["on"]), statistics.median(cell["off"]))]
                ],
                words=2,
            ),
        ]
    shown = [(f"{key[0]}, task {key[1]}", three(key, threads[0], "train")) for key in keys]
    series = ("plain", "zoo, 1 restart", f"zoo, {several} restarts")
    plot = plots.dots(shown, series, f"training examples a second, {threads_of(threads[0])}")
    return parts, plot


def threads_of(number: int) -> str:
    return "one thread" if number == 1 else f"{number} threads"


def copying(cells: list[dict]) -> str:
    names = {"plain": "plain", "one": "zoo", "ten": "zoo ×10"}
    rows = [
        (names[cell["form"]], str(cell["threads"]), rate(statistics.median(cell["train"])), rate(cell["peak_mb"]))
        for cell in cells
    ]
    return (
        "The paper's machine (128 rows of 20, LSTM of 100, one head to read and one to write), batches of 16 sequences "
        "of 8 bits, lengths spread over 1 to 20; sequences a second, of all machines together.\n\n"
        + table(("form", "threads", "sequences", "peak, MB"), rows)
    )


def slope(x: list[float], y: list[float]) -> float:
    """The exponent of a power law, fitted to the larger half of the points, where constant costs weigh little."""
    kept = list(zip(x, y, strict=True))[-max(3, math.ceil(len(x) / 2)) :]
    a, b = [math.log(p) for p, _ in kept], [math.log(q) for _, q in kept]
    mean_a, mean_b = statistics.fmean(a), statistics.fmean(b)
    return sum((p - mean_a) * (q - mean_b) for p, q in zip(a, b, strict=True)) / sum((p - mean_a) ** 2 for p in a)


def exponent(x: list[float], y: list[float | None]) -> str:
    known = [(p, q) for p, q in zip(x, y, strict=True) if q]
    return f"{slope(*map(list, zip(*known, strict=True))):.2f}" if len(known) >= 3 else "–"


def scaling(record: dict) -> tuple[list[str], dict[str, str]]:
    parts = [
        "## Growth",
        "Made by `python -m benchmarks.scaling` from [scaling.json](benchmarks/scaling.json); do not edit it. "
        + made_on(record),
        "Each point is measured in a process of its own, on one thread, with generated stories of task 1; the best of "
        "a few goes, memory beyond that of the libraries and of the weights. A curve ends where a point would take longer than "
        f"{record['seconds']:g} s, or more than {record['memory_gb']:g} GB. Exponents are fitted to the larger half of "
        "a curve's points; *equations* is what the model's equations say about the arithmetic, and about what has "
        "to be kept.",
    ]
    files = {}
    for axis in dict.fromkeys(curve["axis"] for curve in record["curves"]):
        of_axis = [curve for curve in record["curves"] if curve["axis"] == axis]
        name = f"benchmarks/scaling_{axis.replace(' ', '_')}.svg"
        lines = {
            what: [
                plots.Line(curve["model"], *zip(*known, strict=True))
                for curve in of_axis
                if len(known := [(x, y) for x, y in zip(curve["x"], curve[what], strict=True) if y]) > 1
            ]
            for what in ("ms", "mb")
        }
        panels = [("ms a question", lines["ms"]), ("MB a question", lines["mb"])]
        files[name] = plots.curves([panel for panel in panels if panel[1]], axis)
        rows = [
            (
                curve["model"],
                f"{curve['x'][0]:,} … {curve['x'][-1]:,}",
                f"{curve['ms'][0]:.3g} … {curve['ms'][-1]:.3g}",
                exponent(curve["x"], curve["ms"]),
                f"{curve['time_exponent']:g}",
                exponent(curve["x"], curve["mb"]),
                f"{curve['memory_exponent']:g}",
            )
            for curve in of_axis
        ]
        head = ("model", axis, "ms a question", "time, exponent", "equations", "memory, exponent", "equations")
        parts += [
            f"### {axis.capitalize()}",
            record["about"][axis],
            f"![{axis}]({name})",
            table(head, rows),
        ]
    return parts, files
