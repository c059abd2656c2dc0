"""All five explainers on one digit, drawn with characters; nothing is saved.

Input gradient, gradient × input, integrated gradients (Sundararajan, Taly and Yan 2017), Grad-CAM (Selvaraju et al.
2017) and occlusion (Zeiler and Fergus 2014) answer slightly different questions, and so give different pictures.
"""

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import corrigible

SETTINGS = {
    "input_gradient": {},
    "gradient_x_input": {},
    "integrated_gradients": {"steps": 64},
    "grad_cam": {},
    "occlusion": {"patch": 2, "stride": 1},
}
SHADES = " .:-=+*#%@"


def trained(x: Tensor, y: Tensor) -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU()),
        *(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16 * 16, 10)),
    )
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(8):
        for rows in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
    return model


def drawing(strength: Tensor) -> list[str]:
    """One line per row of pixels, the strongest pixel darkest."""
    levels = (strength / strength.max().clamp_min(1e-12) * (len(SHADES) - 1)).ceil().long()
    return ["".join(2 * SHADES[level] for level in line) for line in levels.tolist()]


def main() -> None:
    images, labels = load_digits(return_X_y=True)
    x, y = torch.tensor(images, dtype=torch.float32).view(-1, 1, 8, 8) / 16, torch.tensor(labels)
    model = trained(x[:1200], y[:1200])
    row, target = x[1201:1202], int(y[1201])

    pictures = {f"the digit {target}": drawing(row[0, 0])}
    for method, settings in SETTINGS.items():
        attribution = corrigible.explain(model, row, target, method=method, **settings)
        pictures[method] = drawing(attribution[0, 0].abs())
        if method == "integrated_gradients":
            total = attribution.sum().item()
    for names in (list(pictures)[:3], list(pictures)[3:]):
        print("".join(f"{name:24}" for name in names))
        for lines in zip(*(pictures[name] for name in names), strict=True):
            print("".join(f"{line:24}" for line in lines))

    with torch.no_grad():
        rise = (model(row) - model(torch.zeros_like(row)))[0, target].item()
    print(f"Integrated gradients add up to {total:.3f}; from a black image to this one the logit rises by {rise:.3f}.")


if __name__ == "__main__":
    main()
