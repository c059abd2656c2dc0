import logging

import pytest
import torch
from torch import nn

from corrigible.errors import UnsupportedModelError
from corrigible.explanations import explain
from corrigible.models.forward import Forward
from corrigible.penalties import activation_evidence, grad_cam_overlap, should_matter
from corrigible.types import Batch


class Pooled(nn.Module):
    """Logits are weighted means of the convolution's channels."""

    def __init__(self, convolution, head):
        super().__init__()
        self.convolution = convolution
        self.head = nn.Linear(len(head[0]), len(head), bias=False)
        self.head.weight.data = torch.tensor(head)

    def forward(self, x):
        return self.head(self.convolution(x).mean(dim=(2, 3)))


def convolution(weights, size):
    made = nn.Conv2d(1, len(weights), size, stride=size, bias=False)
    made.weight.data = torch.tensor(weights)[:, None, None, None].expand(-1, 1, size, size) / size**2
    return made


IMAGE = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])


def test_hand_worked():
    # Channels x and −2x; the gradients of the first logit are 3/4 and 1/4 everywhere: 3/4·x − 2/4·x = x/4.
    model = Pooled(convolution([1.0, -2.0], 1), [[3.0, 1.0], [-3.0, -1.0]])
    assert torch.equal(explain(model, IMAGE, 0, method="grad_cam"), IMAGE / 4)
    assert explain(model, IMAGE, 1, method="grad_cam").count_nonzero() == 0


def test_the_map_is_enlarged_bilinearly_between_the_centres_of_its_cells():
    model = Pooled(convolution([1.0], 2), [[4.0], [0.0]])
    x = IMAGE.repeat_interleave(2, 2).repeat_interleave(2, 3)
    row = [1.0, 1.25, 1.75, 2.0]
    expected = torch.tensor([[value + down for value in row] for down in (0.0, 0.5, 1.5, 2.0)])
    torch.testing.assert_close(explain(model, x, 0, method="grad_cam")[0, 0], expected)


def test_every_channel_of_the_input_gets_the_same_map():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2))
    found = explain(model, torch.randn(2, 3, 6, 6), method="grad_cam")
    assert torch.equal(found, found[:, :1].expand(-1, 3, -1, -1))


def test_maps_are_not_rescaled():
    model = Pooled(convolution([1.0], 1), [[2.0], [0.0]])
    found = explain(model, torch.cat([IMAGE, 10 * IMAGE]), 0, method="grad_cam")
    torch.testing.assert_close(found[1], 10 * found[0])


def test_the_weights_too_depend_on_the_parameters():
    # With z = mean(wx), the logit (z², 0) has dz²/da = 2z/4, so the map is (z/2)·wx and its slope in w is z·x at w = 1.
    class Squared(Pooled):
        def forward(self, x):
            return super().forward(x) ** 2

    model = Squared(convolution([1.0], 1), [[1.0], [0.0]])
    found = explain(model, IMAGE, 0, method="grad_cam", differentiable=True)
    (slope,) = torch.autograd.grad(found.sum(), model.convolution.weight)
    assert slope.item() == 2.5 * 10


class Blocks(nn.Module):
    def __init__(self, inplace=False):
        super().__init__()
        self.block = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU())
        self.last = nn.Sequential(nn.Conv2d(2, 2, 3, stride=2), nn.ReLU(inplace=inplace))
        self.never = nn.Conv2d(2, 2, 3)
        self.head = nn.Linear(2, 2)

    def forward(self, x):
        return self.head(self.last(self.block(x)).mean(dim=(2, 3)))


def test_the_default_layer_is_the_last_convolution_that_ran():
    model, x, target = Blocks(), torch.randn(4, 1, 7, 7), [0, 1, 0, 1]
    default = explain(model, x, target, method="grad_cam")
    assert torch.equal(default, explain(model, x, target, method="grad_cam", layer="last.0"))
    assert not torch.equal(default, explain(model, x, target, method="grad_cam", layer="block.0"))


def test_a_block_may_be_named():
    model, x = Blocks(), torch.randn(4, 1, 7, 7)
    named = [explain(model, x, method="grad_cam", layer=layer) for layer in ("last", "last.1")]
    assert torch.equal(named[0], named[1])


def test_a_layer_overwritten_in_place_is_refused_and_the_one_that_overwrites_it_may_be_named():
    model, x = Blocks(inplace=True), torch.randn(4, 1, 7, 7)
    with pytest.raises(UnsupportedModelError, match=r"'last\.0' is overwritten in place.*inplace=False"):
        explain(model, x, method="grad_cam")
    plain = Blocks()
    plain.load_state_dict(model.state_dict())
    expected = explain(plain, x, method="grad_cam", layer="last.1")
    assert torch.equal(explain(model, x, method="grad_cam", layer="last.1"), expected)


def test_a_reparametrised_convolution_is_still_a_convolution():
    model, x = Blocks(), torch.randn(4, 1, 7, 7)
    expected = explain(model, x, method="grad_cam")
    nn.utils.parametrizations.weight_norm(model.last[0])
    torch.testing.assert_close(explain(model, x, method="grad_cam"), expected)


@pytest.mark.parametrize(
    ("layer", "message"),
    [("head", r"layer 'head' gives shape \(1, 2\)"), ("never", "no layer 'never' in this pass; it has block.0")],
)
def test_a_layer_that_cannot_be_a_map_is_refused(layer, message):
    with pytest.raises(UnsupportedModelError, match=message):
        explain(Blocks(), torch.randn(1, 1, 7, 7), method="grad_cam", layer=layer)


class Squeezed(nn.Module):
    """A network whose last convolutions weigh the channels by what the whole image holds."""

    def __init__(self, repeats=1):
        super().__init__()
        self.seen, self.weigh = nn.Conv2d(1, 3, 3, padding=1), nn.Conv2d(3, 3, 1)
        self.head = nn.Linear(3, 2)

    def forward(self, x):
        h = self.seen(x).relu()
        return self.head((h * self.weigh(h.mean(dim=(2, 3), keepdim=True)).sigmoid()).mean(dim=(2, 3)))


def test_a_convolution_that_sees_no_places_is_passed_over(caplog):
    torch.manual_seed(0)
    model, x = Squeezed(), torch.rand(3, 1, 6, 6)
    with caplog.at_level(logging.INFO, logger="corrigible"):
        found = explain(model, x, 1, method="grad_cam")
    assert "layer 'seen' gives the class map: 'weigh'" in caplog.text
    assert torch.equal(found, explain(model, x, 1, method="grad_cam", layer="seen"))
    assert (found.flatten(1).std(1) > 0).all()


def test_a_map_of_a_single_place_is_refused():
    x = torch.rand(3, 1, 6, 6)
    with pytest.raises(UnsupportedModelError, match=r"'weigh' gives shape \(3, 3, 1, 1\), a single place.*layer"):
        explain(Squeezed(), x, 1, method="grad_cam", layer="weigh")
    whole = nn.Sequential(nn.Conv2d(1, 2, 6), nn.Flatten())
    for method in ("grad_cam", "guided_grad_cam"):
        with pytest.raises(UnsupportedModelError, match="setting layer"):
            explain(nn.Sequential(whole, nn.ReLU()), x, 1, method=method)
    batch = Batch(torch.arange(3), x, torch.ones(3).long(), irrelevant=x > 0.5, relevant=x <= 0.5)
    for penalty in (grad_cam_overlap, activation_evidence, should_matter):
        with pytest.raises(UnsupportedModelError, match="setting layer"):
            penalty(Forward(whole, batch), batch)


def test_the_last_convolution_is_the_one_that_ran_last():
    class Again(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 3, padding=1)

        def forward(self, x):
            return self.first(self.second(self.first(x)).tanh()).flatten(1)[:, :2]

    torch.manual_seed(0)
    model, x = Again(), torch.rand(2, 1, 5, 5)
    assert torch.equal(explain(model, x, 1, method="grad_cam"), explain(model, x, 1, method="grad_cam", layer="first"))


def test_an_input_that_is_no_image_is_refused():
    model = nn.Sequential(nn.Unflatten(1, (1, 7, 7)), Blocks())
    with pytest.raises(UnsupportedModelError, match=r"x has shape \(1, 49\); a class map needs"):
        explain(model, torch.randn(1, 49), method="grad_cam")
