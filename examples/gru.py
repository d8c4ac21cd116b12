"""A model, from its file to tuned samples: a GRU that learns words and then likes vowels.

`seqtutor/models/gru.py` is the model; docs/add_a_model.md walks through it.

    python examples/gru.py
"""

import seqtutor as st

WORDS = ["bad", "bag", "bed", "cab", "cage", "deaf", "beg", "cafe", "badge", "beach", "beef"]
WORDS += ["face", "fade", "feed", "edge", "head", "hedge", "decade", "facade", "cabbage"]


def reward(words: list[str]) -> dict[str, list[float]]:
    """Vowels are wanted, and length costs a little."""
    return {
        "vowels": [float(sum(letter in "ae" for letter in word)) for word in words],
        "short": [-len(word) / 10 for word in words],
    }


task = st.Task(st.Vocabulary("abcdefgh.", end_token="."), 12, st.string_reward(reward), "words")


def main(epochs: int = 20, steps: int = 60_000) -> tuple[st.Generator, st.Generator]:
    """The prior, a GRU of two layers, and the policy that it is tuned to."""
    prior = st.pretrain(task, WORDS * 50, model="gru", hidden_sizes=(48, 32), epochs=epochs)
    return prior, st.tune(prior, task, method="psi", c=0.5, discount=1.0, steps=steps)


if __name__ == "__main__":
    for name, generator in zip(("prior", "policy"), main(), strict=True):
        print(f"{name}: {' '.join(''.join(word) for word in generator.sample(12))}")
