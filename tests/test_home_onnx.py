"""Networks as ONNX: the same answers and the same attention in onnxruntime."""

from pathlib import Path

import numpy as np
import pytest
import torch

import zoo
from tasks.batch import Sizes
from tests.configs import MODELS, ROOT, config
from zoo.__main__ import main
from zoo.kinds.listening import Listener
from zoo.pretrained.network import Network
from zoo.pretrained.onnx import NAMES, export_onnx
from zoo.records.weights import Facts, Trained
from zoo.runs.data import load_data
from zoo.training.build import build

onnxruntime = pytest.importorskip("onnxruntime", reason="pip install -e '.[onnx]'")
pytest.importorskip("onnxscript", reason="pip install -e '.[onnx]'")

SIZES = Sizes(vocabulary=13, sentence_length=3, story_length=4)
SHALLOW = {  # steps are unrolled, and a graph of few of them is made fast
    "dmn": ["model.passes=2"], "memnn": ["model.reads=2"], "open_memnn": ["model.reads=2"], "wmn": ["model.hops=2"],
    "transformer": ["model.layers=1"], "dmn_plus": ["model.passes=1"],
    "universal_transformer": ["model.steps=2"], "dnc": ["model.read_heads=1"],
}  # fmt: skip


class Session:
    """A network in onnxruntime, asked about stories of word ids."""

    def __init__(self, file: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        self.slots, self.length = self.session.get_inputs()[0].shape

    def ask(self, story: np.ndarray, question: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Answer a question, (J,), about the last sentences of a story, (T, J): scores and attention."""
        kept = story[-self.slots :]
        table = np.zeros((self.slots, self.length), np.int64)
        table[: len(kept)] = kept
        inputs = {"story": table, "told": np.array([len(kept)]), "question": question.astype(np.int64)}
        scores, attention = self.session.run(list(NAMES[1]), inputs)
        return scores, attention[:, : len(kept)]


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_every_model_answers_and_looks_alike(model, tmp_path):
    settings = config(f"model={model}", *SHALLOW.get(model, []))["model"]
    facts = Facts(sizes=list(SIZES), words=[f"w{number}" for number in range(13)], valid={"1": 0.0}, test={"1": 0.0})
    network = Network(build(settings, SIZES, seed=2).eval().requires_grad_(False), None, "1", Trained(facts, {}, {}))
    session = Session(export_onnx(network, tmp_path / "1.onnx"))
    assert (session.slots, session.length) == (network.model.window, 3)
    drawn = np.random.default_rng(0)
    for count in (1, 3, 4):
        story, question = drawn.integers(1, 13, (count, 3)), drawn.integers(1, 13, 3)
        story[::2, 2] = 0
        listener = Listener(network.model, 3, torch.zeros(13, dtype=torch.bool))
        listener.tell(story)
        found = listener.ask(question)
        scores, attention = session.ask(story, question)
        np.testing.assert_allclose(scores, found.scores.numpy(), rtol=1e-3, atol=1e-5)
        looked = found.look().numpy()
        if looked.size:
            np.testing.assert_allclose(attention, looked, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_the_whole_test_set_is_answered_alike(tmp_path, official):
    """A network that comes with the zoo, asked all test questions of its task."""
    arguments = ["export", "sukhbaatar2015_memn2n_babi_1k", str(tmp_path), "task=15", "--onnx"]
    main([*arguments, f"results_dir={ROOT / 'results'}"])
    session, network = Session(tmp_path / "15.onnx"), zoo.load(str(tmp_path))
    given = ["model=memn2n", "task=babi", "task.ids=[15]", f"data_dir={official}", f"cache_dir={tmp_path / 'cache'}"]
    corpus = load_data(config(*given)).trainings["15"]
    batch = corpus.by_question(corpus.test, torch.arange(len(corpus.test)), network.model.window)
    expected = network.model(batch).scores.argmax(-1).tolist()
    said = []
    for story, told, question in zip(batch.stories, batch.told.tolist(), batch.question, strict=True):
        scores, _ = session.ask(corpus.sentences[story[:told]].numpy(), corpus.sentences[question].numpy())
        said.append(int(scores.argmax()))
    assert len(said) == 1000
    assert said == expected
