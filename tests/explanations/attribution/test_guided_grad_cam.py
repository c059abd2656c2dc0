import torch
from torch import nn

from corrigible.explanations import explain


def test_it_is_guided_backpropagation_where_grad_cam_looks():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
    x, target = torch.randn(3, 2, 8, 8), torch.tensor([0, 1, 2])
    parts = [explain(model, x, target, method=method) for method in ("grad_cam", "guided_backpropagation")]
    found = explain(model, x, target, method="guided_grad_cam")
    torch.testing.assert_close(found, parts[0] * parts[1])
    earlier = explain(model, x, target, method="grad_cam", layer="0")
    torch.testing.assert_close(explain(model, x, target, method="guided_grad_cam", layer="0"), earlier * parts[1])
