"""What does reading a folder of images cost beside decoding them, and how much memory does it hold?

    python benchmarks/image_scale.py [--quick]

5,000 JPEG files of 224 × 224 pixels in two class folders. Decoding alone opens and decodes each file with Pillow and
drops the pixels; reading is one epoch of shuffled batches of 32 rows, as training reads them. Both take turns, part by
part, so that other work of the machine falls on both. Memory is the most that the process held while it read, less
what it held before, beside what all images would take as float32. --quick takes 600 files and writes nothing.
Writes benchmarks/results/image_scale.json.
"""

import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from runner import Row, Unit, measure, options

from corrigible.batches import collate, label_parts
from corrigible.data.dataset import as_dataset, labelled
from corrigible.data.image import load_images

SIDE, BATCH_SIZE = 224, 32
PART = 10
"""Batches that are read, or whose files are decoded, before it is the other's turn."""


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    num_images = 600 if asked.quick else 5000
    settings = {"images": num_images, "side": SIDE, "batch_size": BATCH_SIZE}
    measure([Unit("images in folders", lambda: reading(num_images))], asked, settings=settings)


def reading(num_images: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder), num_images)
        images = load_images(Path(folder), "train")
        files, data = [Path(folder, name) for name in images.files], labelled(as_dataset(images))
        parts = label_parts(data, BATCH_SIZE, 0)(0)
        collate(data, parts[0])
        before, decoding, epoch = peak(), 0.0, 0.0
        for start in range(0, len(parts), PART):
            some = parts[start : start + PART]
            started = time.perf_counter()
            for row in (row for index in some for row in index.tolist()):
                with Image.open(files[row]) as image:
                    image.load()
            decoding += time.perf_counter() - started
            started = time.perf_counter()
            for index in some:
                collate(data, index)
            epoch += time.perf_counter() - started
        numbers = {"reading over decoding": epoch / decoding, "more memory in MiB": peak() - before}
        numbers |= {"all images as float32 in MiB": num_images * 3 * SIDE**2 * 4 / 2**20}
        yield Row({"case": "one epoch"}, numbers)


def draw(folder: Path, num_images: int) -> None:
    """Smooth shapes with the noise of a camera, in two classes."""
    rng = np.random.default_rng(0)
    for row in range(num_images):
        shapes = Image.fromarray(rng.integers(0, 256, (14, 14, 3), dtype=np.uint8)).resize((SIDE, SIDE))
        noisy = np.asarray(shapes, dtype=np.int16) + rng.integers(0, 12, (SIDE, SIDE, 3), dtype=np.int16)
        path = folder / "train" / "ab"[row % 2] / f"{row:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path, quality=90)


def peak() -> float:
    """The most memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
