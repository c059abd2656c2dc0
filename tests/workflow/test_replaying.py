"""The evaluation of a sealed model is repeated on the data of its study, and what is not found again is named."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from corrigible.manifest import Manifest, SealedFile, manifest_as_bytes, root_of
from corrigible.sealing.contents import contents_of
from studies import corrigible, refused


def forge(folder: Path) -> None:
    """The manifest, written anew for what lies there."""
    found = contents_of(folder, left_out={"manifest.json"}, largest=None).files
    files = {path: SealedFile(found[path].sha256, found[path].num_bytes) for path in sorted(found)}
    (folder / "manifest.json").write_bytes(manifest_as_bytes(Manifest(files, root_of(files))))


@pytest.mark.slow
def test_what_attackers_reached_is_found_again_too(finished: Path) -> None:
    assert corrigible("evaluate", finished, "--privacy").code == 0
    assert corrigible("seal", finished, "--name", "one").code == 0
    sealed = finished / "sealed" / "one"
    assert "membership" in (sealed / "measurements.json").read_text()
    answer = corrigible("verify", sealed, "--replay", finished)
    assert (answer.code, "found again" in " ".join(answer.stdout.split())) == (0, True), answer


def test_measurements_are_found_again_and_others_are_named(finished: Path, tmp_path: Path) -> None:
    assert corrigible("seal", finished, "--name", "one").code == 0
    sealed = finished / "sealed" / "one"
    answer = corrigible("verify", sealed, "--replay", finished, "--tolerance", 0)
    assert (answer.code, "found again" in " ".join(answer.stdout.split())) == (0, True), answer

    other = Path(shutil.copytree(sealed, tmp_path / "other"))
    weights = {name: torch.zeros_like(value) for name, value in load_file(other / "model.safetensors").items()}
    save_file(weights, other / "model.safetensors")
    forge(other)
    answer = corrigible("verify", other, "--replay", finished)
    assert answer.code == 1 and "replay: " in answer.stdout and "unchanged" not in answer.stdout

    said = json.loads((sealed / "measurements.json").read_text())
    said["measurements"][0]["value"] += 0.01
    (sealed / "measurements.json").write_text(json.dumps(said))
    forge(sealed)
    assert "no evaluation with the sealed measurements" in refused("verify", sealed, "--replay", finished)
    assert "name the sealed folder" in refused("verify", finished, "--replay", finished)


@pytest.mark.parametrize("what", ["recipe.toml", "data"])
def test_other_data_or_another_recipe_are_named_in_place_of_measurements(finished: Path, what: str) -> None:
    assert corrigible("seal", finished, "--name", "one").code == 0
    if what == "data":
        next(path for path in (finished / "data").rglob("*") if path.is_file()).unlink()
    else:
        (finished / "recipe.toml").write_text((finished / "recipe.toml").read_text() + "\n# later\n")
    answer = corrigible("verify", finished / "sealed" / "one", "--replay", finished)
    assert answer.code == 1 and f"replay: {what}" in answer.stdout and "put it back" in answer.stdout
