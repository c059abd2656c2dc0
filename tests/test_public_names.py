"""Every module of the package can be imported by itself."""

import importlib
import pkgutil
from pathlib import Path

import pytest

import corrigible

SOURCE = Path(corrigible.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in SOURCE.rglob("*.py")
    if path.stem != "__main__"
)


@pytest.mark.parametrize("name", MODULES)
def test_module_can_be_imported(name):
    assert importlib.import_module(name).__name__ == name


def test_every_folder_is_a_package():
    walked = {info.name for info in pkgutil.walk_packages(corrigible.__path__, "corrigible.")}
    assert set(MODULES) - walked - {"corrigible"} == set()


@pytest.mark.parametrize("name", MODULES)
def test_listed_names_exist(name):
    module = importlib.import_module(name)
    assert [public for public in getattr(module, "__all__", ()) if not hasattr(module, public)] == []
