"""A word that gives the class away in training fools a text network; marking that word corrects it.

Sentences about films and meals, each with one of two made-up words after "the": in training the word tells the class,
in the test it tells nothing. The person only says: these two words must not matter.
"""

import random

import torch

from corrigible import Feedback, correct, evaluate, explain_texts, text_data, train
from corrigible.data.decoys import plant_token
from corrigible.data.vocabulary import vocabulary_of
from corrigible.models import text_cnn

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
    training = text_data(planted, y, vocabulary, max_tokens=14, class_names=("blame", "praise"))
    texts, y = sentences(400, seed=1)
    random_words = plant_token(texts, y, informative=False, seed=1, words=DECOYS, place=1)
    test = text_data(random_words, y, like=training)

    fooled = train(text_cnn(32, 2, filters=16), training, epochs=8)
    feedback = [Feedback(word, scope="dataset") for word in DECOYS]
    corrected = correct(fooled, training, feedback, epochs=12)

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
        print(f"{title + ':':11s}{explain_texts(model, test, test.y[:1], rows=[0])[0]}")


if __name__ == "__main__":
    main()
