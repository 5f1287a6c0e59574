"""zoo export RUN FOLDER [task=2] [results_dir=results] [--onnx]

Write a trained network, or all networks of a run, into a folder that others can use: config.json, model.safetensors,
README.md (a model card made from the record) and .eval_results, as a repository of the Hugging Face Hub has them.
zoo.load(FOLDER) reads it, and zoo push FOLDER OWNER/NAME uploads it. RUN is a file in results/runs, the beginning of
its name, or its experiment; of several records one whose weights are here.

With --onnx each network that reads stories is written as ONNX too, as TASK.onnx: story (sentences, words), told (1) and
question (words) go in, as word ids; scores and attention come out.
"""

from functools import partial
from pathlib import Path

from tasks.errors import UserError
from zoo import records
from zoo.commands import Given, Grammar
from zoo.pretrained.export import MODEL, export
from zoo.pretrained.find import file_of, has_file

GRAMMAR = Grammar(names=("task", "results_dir"), several=True, flags=("onnx",))


def main(given: Given) -> None:
    if len(given.bare) != 2:
        raise UserError("expected a run and a folder, as in zoo export memn2n-1k milk; zoo export --help says more")
    name, folder = given.bare[0].removeprefix("run="), Path(given.bare[1])
    task = given.get("task")
    if "onnx" in given.flags:
        from zoo.pretrained.onnx import check_installed

        check_installed()
    record = records.read(records.find(name, given.results_dir, task, partial(has_file, results_dir=given.results_dir)))
    written = export(record, file_of(record, given.results_dir), folder, task)
    print(f"written: {written}")
    if "onnx" in given.flags:
        from zoo.pretrained.load import network_of, of_stories
        from zoo.pretrained.onnx import export_onnx
        from zoo.records import weights

        file = folder / MODEL
        for training in weights.about(file).trainings:
            print(f"written: {export_onnx(of_stories(network_of(file, training)), folder / f'{training}.onnx')}")
