"""The README's example of a user's own task, run as printed."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_the_example_task_learns_what_it_rewards(capsys):
    text = README.read_text(encoding="utf-8")
    block = re.search(r"### Your own task\n\n((?:    .*\n|\n)+)", text)
    assert block is not None
    code = re.sub(r"^    ", "", block.group(1), flags=re.MULTILINE)
    scope: dict = {}
    exec(code, scope)
    printed = eval(capsys.readouterr().out)
    assert len(printed) == 10

    def drawn(name: str) -> list[str]:
        return ["".join(word) for word in scope[name].sample(500)]

    def reward(words: list[str]) -> float:
        vowels = sum(letter in "ae" for word in words for letter in word)
        return (vowels - sum(len(word) + 1 for word in words) / 10) / len(words)

    def share_of_words(words: list[str]) -> float:
        return sum(word in scope["words"] for word in words) / len(words)

    before, after = drawn("prior"), drawn("tutor")
    assert reward(after) > reward(before) + 0.5
    assert share_of_words(after) > 0.5, "what the prior knows is kept"
