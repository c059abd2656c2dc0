"""One rule instead of marked rows: race must not matter for who sees a doctor (RAND Health Insurance Experiment).

The rule names a feature of the table and holds for every row. Needs ``pip install corrigible[demo]`` for the data. That
the network no longer relies on the column does not make it fair: other columns predict race too.
"""

import torch
from torch import nn

import corrigible
from corrigible.batches import label_batches
from corrigible.demos.insurance_data import load
from corrigible.models import table_mlp


def trained(data: corrigible.TensorData) -> nn.Module:
    torch.manual_seed(0)
    model = table_mlp(data.x.shape[1], 2)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for epoch in corrigible.fit(model, label_batches(data, 256, seed=0), optimizer=optimizer, epochs=5):
        print(f"epoch {epoch.number} of {epoch.num_epochs}: loss {epoch.loss:.3f}")
    return model


def main() -> None:
    training, validation, test = (load(split) for split in ("train", "validation", "test"))
    model = trained(training)
    rule = [corrigible.Feedback(("black",), scope="dataset", author="compliance", note="race must not matter")]
    corrected = corrigible.correct(
        model, training, rule, validation=validation, epochs=4, batch_size=256, learning_rate=1e-3, seed=0
    )

    print(f"{'on test persons':38}{'before':>8}{'after':>8}")
    for was, now in zip(*(measured(network, test, rule) for network in (model, corrected)), strict=True):
        print(f"{was.metric:38}{was.value:8.3f}{now.value:8.3f}")


def measured(
    network: nn.Module, test: corrigible.TensorData, rule: list[corrigible.Feedback]
) -> list[corrigible.Measurement]:
    return corrigible.evaluate(
        network,
        test,
        metrics=["auc", "attribution_overlap", "flip_effect", "group_prob_gap"],
        feedback=rule,
        method="integrated_gradients",
        explainer_settings={"steps": 16},
        num_resamples=0,
    )


if __name__ == "__main__":
    main()
