"""Networks for texts: padding counts for nothing, and derivatives of derivatives are right."""

import pytest
import torch
from torch import nn

from corrigible.models import text_bag, text_cnn
from corrigible.models.forward import Forward
from corrigible.types import Batch

MAKERS = {"text_bag": text_bag, "text_cnn": text_cnn}
every_model = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def made(make, **settings):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make(5, 3, **settings).double().eval(), torch.randn(4, 6, 5, dtype=torch.float64)


def padded(x, places):
    return torch.cat([x, x.new_zeros(len(x), places, x.shape[2])], dim=1)


@every_model
@pytest.mark.parametrize("places", [1, 2, 9])
def test_more_padding_changes_no_prediction(make, places):
    model, x = made(make)
    for rows in (x, x[:, :1]):
        torch.testing.assert_close(model(padded(rows, places)), model(rows))


@every_model
def test_a_text_without_words_is_all_padding(make):
    model, x = made(make)
    torch.testing.assert_close(model(0 * x), model(0 * x[:, :2]))


def test_the_bag_does_not_heed_the_order_of_the_words_and_the_convolutions_do():
    order = [3, 0, 5, 1, 4, 2]
    for make, heeds in ((text_bag, False), (text_cnn, True)):
        model, x = made(make)
        assert torch.allclose(model(x[:, order]), model(x)) != heeds


def test_the_bag_is_the_network_of_the_summed_vectors():
    model, x = made(text_bag, hidden=(4, 3))
    first, last = model.classifier[2], model.classifier[5]
    summed = sum(x[:, token] @ model.embedding.weight.T for token in range(6))
    expected = last(nn.functional.silu(first(nn.functional.silu(summed))))
    torch.testing.assert_close(model(x), expected)


def test_each_filter_gives_its_strongest_answer():
    model, x = made(text_cnn, filters=2, widths=(2, 3))
    answers = []
    for convolution, width in zip(model.convolutions, (2, 3), strict=True):
        long = torch.cat([x.new_zeros(4, width, 5), padded(x, width)], dim=1)
        windows = [long[:, start : start + width] for start in range(6 + width + 1)]
        for kernel, bias in zip(convolution.weight, convolution.bias, strict=True):
            each = [(window * kernel.T).sum(dim=(1, 2)) + bias for window in windows]
            answers.append(torch.stack(each).amax(dim=0).clamp_min(0))
    torch.testing.assert_close(model(x), model.classifier(torch.stack(answers, dim=1)))


@every_model
def test_gradients_of_input_gradients_equal_finite_differences(make):
    small = {"hidden": (2,)} if make is text_bag else {"filters": 1, "widths": (2,)}
    model, x = made(make, **small)
    batch = Batch(torch.arange(2), x[:2, :3], torch.tensor([0, 2]))

    def size(*_):
        forward = Forward(model, batch)
        return forward.input_gradient(lambda logits, y: logits.log_softmax(1)[:, 0], batch.y).square().sum()

    assert torch.autograd.gradcheck(size, tuple(model.parameters()))


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (text_bag, {"hidden": ()}, "hidden is empty"),
        (text_bag, {"hidden": (4, 0)}, "at least 1"),
        (text_cnn, {"widths": ()}, "widths is empty"),
        (text_cnn, {"widths": (0,)}, "at least 1"),
        (text_cnn, {"filters": 0}, "at least 1"),
    ],
)
def test_settings_that_build_nothing_are_refused(make, settings, message):
    with pytest.raises(ValueError, match=message):
        make(5, 3, **settings)
