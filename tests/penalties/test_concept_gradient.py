"""The gradient along a concept, unit by unit."""

import pytest
import torch
from torch.nn.functional import log_softmax

from corrigible.errors import RecipeError
from corrigible.explanations.concepts import concept_layer_of, pooled
from corrigible.models.forward import Forward
from corrigible.penalties.concept_gradient import concept_gradient


def test_definition_by_moving_the_layer(smooth_case):
    """The score's change, per step, when the vector is added at every position of the convolution's map."""
    model, batch = smooth_case.model, smooth_case.batch
    vector = torch.tensor([3.0, -4.0], dtype=torch.float64)
    step = 1e-6 * vector / 5
    activation = model[0](batch.x).detach()

    def scores(moved: torch.Tensor) -> torch.Tensor:
        return log_softmax(model[1:](moved), dim=1).gather(1, batch.y[:, None])[:, 0]

    slopes = (scores(activation + step[:, None, None]) - scores(activation - step[:, None, None])) / 2e-6
    found = concept_gradient(Forward(model, batch), batch, direction=vector, score="target_log_prob")
    torch.testing.assert_close(found, slopes.square().mean(), rtol=1e-6, atol=0)


def test_rows_without_marks_do_not_count(smooth_case):
    batch = smooth_case.batch
    vector = torch.tensor([1.0, 2.0], dtype=torch.float64)
    irrelevant = batch.irrelevant.clone()
    irrelevant[1:] = False
    first = type(batch)(batch.index[:1], batch.x[:1], batch.y[:1], irrelevant[:1])
    whole = type(batch)(batch.index, batch.x, batch.y, irrelevant)
    model = smooth_case.model
    torch.testing.assert_close(
        concept_gradient(Forward(model, whole), whole, direction=vector),
        concept_gradient(Forward(model, first), first, direction=vector),
    )


def test_gradient_along_a_given_direction_equals_finite_differences(smooth_case):
    model, batch = smooth_case.model, smooth_case.batch
    vector = torch.tensor([1.0, -2.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda *_: concept_gradient(Forward(model, batch), batch, direction=vector),
        tuple(model.parameters()),
        fast_mode=True,
        atol=1e-8,
    )


def test_by_default_each_rows_direction_is_what_its_marked_inputs_do_to_the_layer(case):
    model, batch = case.model, case.batch
    forward = Forward(model, batch)
    layer = concept_layer_of(forward)
    changed = batch.x.clone()
    for row in range(len(changed)):
        changed[row][batch.irrelevant[row]] = batch.x.mean(dim=0)[batch.irrelevant[row]]
    after = Forward(model, type(batch)(batch.index, changed, batch.y)).activation(layer)
    shifts = (pooled(model, layer, forward.activation(layer)) - pooled(model, layer, after)).detach()
    values = []
    for row, shift in enumerate(shifts):
        one = type(batch)(batch.index[[row]], batch.x[[row]], batch.y[[row]], batch.irrelevant[[row]])
        values.append(concept_gradient(Forward(model, one), one, direction=shift))
    torch.testing.assert_close(concept_gradient(forward, batch), torch.stack(values).mean())


def test_marked_inputs_that_are_the_same_on_every_row_are_seen_against_a_background(smooth_case):
    model, batch = smooth_case.model, smooth_case.batch
    row = type(batch)(batch.index[:1], batch.x[:1], batch.y[:1], batch.irrelevant[:1])
    assert concept_gradient(Forward(model, row), row) == 0
    shifted = torch.where(row.irrelevant, batch.x.mean(dim=0), row.x)
    after = Forward(model, type(batch)(row.index, shifted, row.y)).activation("0")
    direction = (Forward(model, row).activation("0") - after).mean(dim=(2, 3))[0].detach()
    expected = concept_gradient(Forward(model, row), row, direction=direction)
    assert expected > 0
    torch.testing.assert_close(concept_gradient(Forward(model, row), row, background=batch.x), expected)


def test_a_direction_of_another_layer_is_refused(smooth_case):
    with pytest.raises(RecipeError, match=r"expected \(2,\), one number per channel of layer '0'"):
        concept_gradient(Forward(smooth_case.model, smooth_case.batch), smooth_case.batch, direction=torch.ones(3))
