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

    def share_of_vowels(words: list[list[str]]) -> float:
        letters = [letter for word in words for letter in word]
        return sum(letter in "ae" for letter in letters) / len(letters)

    before, after = (share_of_vowels(scope[name].sample(200)) for name in ("prior", "tutor"))
    assert after > before + 0.1
