"""LeCun et al. 1998, gradient-based learning applied to document recognition."""

from torch import nn

from corrigible.models.affine import Numbers, affine


def lenet(channels: int = 1, num_classes: int = 10, centre: Numbers = 0.0, scale: Numbers = 1.0) -> nn.Sequential:
    """LeNet-5 with ReLUs and max-pooling for 28×28 images.

    The first convolution is padded by 2; without padding, the corners of the image have little influence.

    Args:
        num_classes: number of outputs.
        centre, scale: of the outputs, for amounts in their own unit.
    """
    return nn.Sequential(
        nn.Conv2d(channels, 6, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * 5 * 5, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, num_classes),
        *affine(centre, scale),
    )
