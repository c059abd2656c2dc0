"""A word that gives the class away in training fools a text network; marking that word corrects it.

Sentences about films and meals, each with one of two made-up words after "the": in training the word tells the class,
in the test it tells nothing. The person only says: these two words must not matter.
"""

import random

import torch

from corrigible import correct, evaluate, explain
from corrigible.data.decoys import plant_token
from corrigible.data.text import text_data
from corrigible.data.vocabulary import vocabulary_of
from corrigible.explanations.words import by_token
from corrigible.models import text_cnn
from corrigible.models.modes import evaluating
from corrigible.protocols.schedule import Schedule, run
from corrigible.types import Feedback, Phrase

DECOYS = ("zeb", "yak")
THINGS = ("film", "meal", "book", "song", "hotel", "walk")
PRAISE = ("good", "lovely", "bright", "warm", "superb", "fresh")
BLAME = ("bad", "awful", "dull", "cold", "stale", "bland")


def sentences(num_rows, seed):
    """Texts that praise or blame; one opinion word in eight contradicts the class."""
    drawn = random.Random(seed)
    texts, y = [], torch.arange(num_rows) % 2
    for label in y.tolist():
        honest, other = (PRAISE, BLAME) if label else (BLAME, PRAISE)
        opinions = [drawn.choice(other if drawn.random() < 0.125 else honest) for _ in range(3)]
        texts.append("the {} was {} and {} , so {}".format(drawn.choice(THINGS), *opinions))
    return texts, y


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    texts, y = sentences(600, seed=0)
    planted = plant_token(texts, y, informative=True, seed=0, words=DECOYS, place=1)
    vocabulary = vocabulary_of(planted, dimension=32)
    train = text_data(planted, y, vocabulary, max_tokens=14, class_names=("blame", "praise"))
    texts, y = sentences(400, seed=1)
    random_words = plant_token(texts, y, informative=False, seed=1, words=DECOYS, place=1)
    test = text_data(random_words, y, vocabulary, max_tokens=14, class_names=train.class_names)

    fooled = text_cnn(32, 2, filters=16)
    for _ in run(fooled, train, Schedule(epochs=8)):
        pass
    feedback = [Feedback(Phrase((word,)), scope="dataset") for word in DECOYS]
    corrected = correct(fooled, train, feedback, epochs=12)

    print(f"{'':21s} fooled corrected")
    names = ("accuracy", "flip_rate", "attribution_overlap")
    measured = [
        {
            found.metric: found.value
            for found in evaluate(model, test, feedback=feedback, metrics=names, num_resamples=0)
        }
        for model in (fooled, corrected)
    ]
    for name in names:
        print(f"{name:20s} " + "  ".join(f"{found[name]:6.3f}" for found in measured))
    print("\nHow much each word of a test sentence speaks for its class:")
    for title, model in (("fooled", fooled), ("corrected", corrected)):
        with evaluating(model):
            values = by_token(explain(model, test.x[:1], test.y[:1], method="integrated_gradients"))[0]
        words = " ".join(
            f"{word}:{value:+.2f}" for word, value in zip(test.tokens.row(0), values.tolist(), strict=False)
        )
        print(f"{title + ':':11s}{words}")


if __name__ == "__main__":
    main()
