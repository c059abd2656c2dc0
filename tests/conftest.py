"""Small networks, batches and studies that every test may use."""

import copy
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from torch import Tensor, nn
from torch.nn.functional import one_hot, relu

import checking  # noqa: F401 - before the package
from corrigible.models import lenet, table_mlp, text_bag, text_cnn
from corrigible.types import Batch, Columns
from quicker import pytest_collection, pytest_ignore_collect, pytest_itemcollected  # noqa: F401 - hooks
from studies import finish, image_study

torch.set_num_threads(1)
settings.register_profile("unhurried", deadline=None)  # Machines are shared.
settings.load_profile("unhurried")

TABLE = Columns(
    names=("age", "site=a", "site=b", "site=c", "dose", "sex=f", "sex=m"),
    feature=("age", "site", "site", "site", "dose", "sex", "sex"),
    one_hot=(False, True, True, True, False, True, True),
)


@dataclass(frozen=True)
class Case:
    """A network in float64 and eval mode with reviewed rows for it."""

    name: str
    model: nn.Module
    batch: Batch


class FunctionalNet(nn.Module):
    """Calls its ReLUs as functions, so that no layer shows them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1)
        self.hidden = nn.Linear(4 * 6 * 6, 8)
        self.out = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(relu(self.hidden(relu(self.conv(x)).flatten(1))))


class ResidualBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        inside = self.norm2(self.conv2(relu(self.norm1(self.conv1(x)))))
        return relu(x + inside)


class SmallResNet(nn.Module):
    """One residual block with BatchNorm between a stem and a linear classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.block = ResidualBlock(4)
        self.out = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.block(relu(self.norm(self.stem(x)))).mean(dim=(2, 3)))


def image_batch(*shape: int, num_classes: int = 3, num_rows: int = 4) -> Batch:
    """Rows of noise of which one corner is marked, not in the same way on every row."""
    x = torch.randn(num_rows, *shape, dtype=torch.float64)
    irrelevant = torch.zeros(x.shape, dtype=torch.bool)
    for row in range(num_rows):
        irrelevant[row, ..., : 2 + row, : shape[-1] // 2] = True
    return _batch(x, irrelevant, num_classes)


def table_batch(num_rows: int = 4) -> Batch:
    """Rows of a table with two categories; the first, ``site``, is marked, on even rows ``dose`` too."""
    x = torch.randn(num_rows, 7, dtype=torch.float64)
    x[:, 1:4] = one_hot(torch.randint(3, (num_rows,)), 3)
    x[:, 5:7] = one_hot(torch.randint(2, (num_rows,)), 2)
    irrelevant = torch.zeros(x.shape, dtype=torch.bool)
    irrelevant[:, 1:4] = True
    irrelevant[::2, 4] = True
    return replace(_batch(x, irrelevant, 2), columns=TABLE)


def text_batch(num_rows: int = 4) -> Batch:
    """Texts of word vectors with padding, of which the first words are marked, not as many on every row."""
    x = torch.randn(num_rows, 7, 6, dtype=torch.float64)
    irrelevant = torch.zeros(x.shape, dtype=torch.bool)
    for row in range(num_rows):
        x[row, 4 + row % 3 :] = 0
        irrelevant[row, : 1 + row % 2] = True
    return _batch(x, irrelevant, 3)


def _batch(x: Tensor, irrelevant: Tensor, num_classes: int) -> Batch:
    index = torch.arange(10, 10 + len(x))
    y = torch.arange(len(x)) % num_classes
    return Batch(index, x, y, irrelevant, relevant=torch.zeros_like(irrelevant))


def small_resnet() -> nn.Module:
    """A residual network whose BatchNorm layers have seen some rows."""
    model = SmallResNet().double()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    for _ in range(3):
        model(2 * torch.randn(8, 2, 6, 6, dtype=torch.float64) + 0.5)
    return model


CASES: dict[str, Callable[[], tuple[nn.Module, Batch]]] = {
    "lenet": lambda: (lenet(num_classes=3), image_batch(1, 28, 28)),
    "batchnorm_resnet": lambda: (small_resnet(), image_batch(2, 6, 6)),
    "functional_relu": lambda: (FunctionalNet(), image_batch(2, 6, 6)),
    "one_hot_table": lambda: (table_mlp(7, 2, hidden=(8, 6)), table_batch()),
    "text_bag": lambda: (text_bag(6, 3, hidden=(5, 4)), text_batch()),
    "text_cnn": lambda: (text_cnn(6, 3, filters=4), text_batch()),
}


def case_named(name: str) -> Case:
    """A copy of its own."""
    return copy.deepcopy(_case_named(name))


@cache
def _case_named(name: str) -> Case:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model, batch = CASES[name]()
    return Case(name, model.double().eval(), batch)


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    """Each of the networks."""
    return case_named(request.param)


@pytest.fixture
def table_case() -> Case:
    """A network for a table with one-hot columns."""
    return case_named("one_hot_table")


@pytest.fixture
def resnet_case() -> Case:
    """A network with BatchNorm."""
    return case_named("batchnorm_resnet")


@pytest.fixture
def smooth_case() -> Case:
    """A network with fewer than 40 parameters and derivatives of every order."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        convolution = nn.Conv2d(1, 2, 2)
        model = nn.Sequential(convolution, nn.Softplus(), nn.Flatten(), nn.Linear(8, 2), nn.Softplus(), nn.Linear(2, 3))
        return Case("smooth", model.double().eval(), image_batch(1, 3, 3, num_rows=3))


@pytest.fixture(scope="session", autouse=True)
def _nothing_is_trusted_beyond_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def _finished_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finish(image_study(tmp_path_factory.mktemp("studies") / "finished"))


@pytest.fixture
def finished(_finished_once: Path, tmp_path: Path) -> Path:
    """A tiny image study of its own: trained, with feedback, corrected and evaluated."""
    return Path(shutil.copytree(_finished_once, tmp_path / "finished"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of tests marked ``every(n)``, the first and each n-th case after it run at once; the others are slow."""
    seen = Counter[str]()
    for item in items:
        if marker := item.get_closest_marker("every"):
            name = item.nodeid.partition("[")[0]
            if seen[name] % marker.args[0]:
                item.add_marker(pytest.mark.slow)
            seen[name] += 1
