"""Neural Turing machine against its equations, in value and in gradient."""

import pytest
import torch

from tests.reference import ntm as reference
from tests.reference.compare import compare
from zoo.models.ntm import NTM, SequenceNTM


@pytest.mark.parametrize("hears", ["sentences", "words"])
@pytest.mark.parametrize(("controller", "layers"), [("lstm", 1), ("lstm", 2), ("feedforward", 1)])
def test_ntm_is_its_equations(controller, layers, hears, uneven):
    torch.manual_seed(5)
    network = NTM(
        **uneven.sizes._asdict(), slots=4, width=3, dim=5, embedding=4, read_heads=2, write_heads=2,
        controller=controller, layers=layers, hears=hears,
    ).double()  # fmt: skip
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(std=0.6)
    batch = uneven.by_story(uneven.train, torch.tensor([0, 4, 7]))
    trace = network(batch).trace.attention

    def answer(n, story, question):
        scores, expected = reference.answer(network, story, question, uneven.sentences.shape[1])
        torch.testing.assert_close(trace[n, :, : len(story)], expected)
        return scores

    compare(network, batch, answer)


def test_before_they_learn_heads_would_rather_stay(uneven):
    network = NTM(**uneven.sizes._asdict())
    back, stay, forth = network.b_head.view(network.heads, -1)[:, network.width + 2 : network.width + 5].unbind(1)
    assert (stay > back).all()
    assert (stay > forth).all()


@pytest.mark.parametrize(("machine", "sizes"), [(NTM, (9, 4, 5)), (SequenceNTM, (9, 8))])
def test_layers_that_a_feedforward_controller_does_not_have_are_refused(machine, sizes):
    with pytest.raises(ValueError, match=r"model\.layers=2: expected 1 where model\.controller=feedforward"):
        machine(*sizes, controller="feedforward", layers=2)


def test_a_forget_bias_is_of_the_forget_gates_alone(uneven):
    for machine, sizes in ((NTM, uneven.sizes), (SequenceNTM, (9, 8))):
        network = machine(*sizes, dim=7, layers=3, forget_bias=1.0)
        for biases in (network.b, *network.b_up):
            assert biases.view(4, 7).tolist() == [
                [0.0] * 7,
                [1.0] * 7,
                [0.0] * 7,
                [0.0] * 7,
            ]  # input, forget, output, c
        with pytest.raises(
            ValueError, match=r"model\.forget_bias=1\.0: expected 0 where model\.controller=feedforward"
        ):
            machine(*sizes, controller="feedforward", forget_bias=1.0)
