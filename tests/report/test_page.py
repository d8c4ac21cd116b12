"""The parts of a page: choosing samples, charts, sentences, and the file."""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from page_browser import opened
from seqtutor.exhibits import Exhibit, Mark, Picture
from seqtutor.measure import Estimate, Measure, Published
from seqtutor.measures.intervals import Interval
from seqtutor.report.evaluation_table import PolicyColumn, evaluation_table
from seqtutor.report.page.charts import (
    HEIGHT,
    WIDTH,
    Ink,
    bar_chart,
    category_chart,
    histogram,
    line_chart,
    map_chart,
    point_chart,
    ticks,
)
from seqtutor.report.page.choosing import BEST, RANDOM, TYPICAL, WORST, choose
from seqtutor.report.page.page import (
    Card,
    CardGroup,
    ListedRow,
    Listing,
    Page,
    RunRecord,
    Section,
    render_card,
    render_page,
)
from seqtutor.report.page.verdict import term_title, verdict
from seqtutor.report.plots import SeedBand

INK = Ink(0)


def distinct_tokens(number):
    return np.arange(number)[:, None]


@given(
    rewards=st.lists(st.floats(-5, 5), min_size=1, max_size=40),
    number=st.integers(1, 12),
    kinds=st.integers(1, 40),
)
def test_no_sample_is_shown_twice_and_the_rules_hold(rewards, number, kinds):
    tokens = distinct_tokens(len(rewards)) % kinds
    values = np.array(rewards)
    chosen = choose(tokens, values, number)
    rows = [row for own in chosen.values() for row in own]
    shown = {tokens[row, 0] for row in rows}
    assert len(shown) == len(rows) <= number
    left = [row for row in range(len(values)) if tokens[row, 0] not in shown]
    before = {tokens[row, 0] for rule in (RANDOM,) for row in chosen[rule]}
    candidates = [row for row in range(len(values)) if tokens[row, 0] not in before]
    if chosen[BEST]:
        assert values[chosen[BEST][0]] == values[candidates].max()
    for row in chosen[BEST]:
        assert all(values[row] >= values[other] for other in left)
    for row in chosen[WORST]:
        assert all(values[row] <= values[other] for other in left)
    distance = np.abs(values - np.median(values))
    for row in chosen[TYPICAL]:
        assert all(distance[row] <= distance[other] for other in left)


def test_random_samples_are_the_first_and_without_a_reward_there_are_no_others():
    tokens = distinct_tokens(20)
    assert choose(tokens, np.zeros(20), 8)[RANDOM] == [0, 1]
    assert choose(tokens, None, 5) == {RANDOM: [0, 1, 2, 3, 4]}
    assert choose(tokens, np.full(20, np.nan), 5) == {RANDOM: [0, 1, 2, 3, 4]}


def test_what_has_no_score_is_only_drawn_at_random():
    """A neutral value often lies at the median, where it would crowd out all others."""
    rewards = np.array([np.nan, 1, np.nan, 5, 2, np.nan, 4, np.nan, 3])
    chosen = choose(distinct_tokens(9), rewards, 4)
    assert chosen == {RANDOM: [0], BEST: [3], TYPICAL: [8], WORST: [1]}


@example(588465.076171875, 1e-06)
@example(879609.9999999999, 1e-06)
@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_round_and_within(low, width):
    found = ticks(low, low + width)
    steps = np.diff(found)
    assert len(found) <= 8
    # A tick is as exact as its size allows.
    slack = max(1e-6 * width, 2 * np.spacing(abs(low) + width))
    assert all(low - slack <= one <= low + width + slack for one in found)
    if len(found) > 1:
        power = 10.0 ** math.floor(math.log10(1.001 * steps[0]))
        # The difference of two ticks is as exact as they are.
        exact = max(5e-4 * power, 2 * np.spacing(np.abs(found).max()))
        assert min(abs(steps[0] - one * power) for one in (1, 2, 5)) <= exact


def attributes(svg, name, attribute):
    found = re.findall(rf'<{name}[^>]*? {attribute}="([^"]*)"', svg)
    return [float(one) for one in found]


def numbers(path):
    return [tuple(map(float, one.split(","))) for one in re.findall(r"[-\d.]+,[-\d.]+", path)]


def test_a_curve_goes_where_its_values_are():
    band = SeedBand(*(np.array(v, float) for v in ([0, 10, 20], [1, 3, 2], [0, 2, 1], [2, 4, 3])))
    svg = line_chart([(INK, band)], "alt & text", "steps", "reward", reference=3.5)
    (path,) = re.findall(r'class="line"[^>]* d="([^"]*)"', svg)
    (x0, y0), (x1, y1), (x2, y2) = numbers(path)
    assert x1 - x0 == pytest.approx(x2 - x1)
    assert (y0 - y1) == pytest.approx(2 * (y0 - y2), abs=0.3), "up is less, and in proportion"
    (area,) = re.findall(r'class="band"[^>]* d="([^"]*)"', svg)
    assert len(numbers(area)) == 6
    assert 'aria-label="alt &amp; text"' in svg
    (line,) = re.findall(r'class="reference" d="M[\d.]+,([\d.]+)H', svg)
    assert float(line) == pytest.approx((y1 + (y1 - y2) * 0.5), abs=0.3)


@pytest.mark.parametrize("value", [0.0004, -2.5, 0.0])
def test_a_curve_of_one_record_is_a_point_between_its_limits(value):
    band = SeedBand(np.array([19_712.0]), *(np.array([value]) for _ in range(3)))
    svg = line_chart([(INK, band)], "", "steps", "KL")
    (x,), (y,) = attributes(svg, "circle", "cx"), attributes(svg, "circle", "cy")
    assert 0.7 * WIDTH < x < WIDTH
    assert 0.3 * HEIGHT < y < 0.7 * HEIGHT
    labels = re.findall(r'text-anchor="middle">([^<]*)<', svg)[:-1]
    assert len(set(labels)) == len(labels) >= 3
    marks = [float(one.replace("−", "-")) for one in re.findall(r'"end">([^<]*)<', svg)]
    assert max(abs(one - value) for one in marks) <= 0.6 * abs(value or 1), "of its own size"


def test_bars_are_as_long_as_their_values():
    rows = [("one", [(INK, Interval.around(2, 0.1))]), ("two", [(INK, Interval.around(-1, 0.1))])]
    widths = attributes(bar_chart(rows, "", "reward"), "rect", "width")
    assert widths[0] == pytest.approx(2 * widths[1], rel=0.01)


def test_histograms_show_shares():
    many, few = np.repeat([0.0, 1.0], [300, 100]), np.repeat([0.0, 1.0], [3, 1])
    edges = np.array([-0.5, 0.5, 1.5])
    svg = histogram([(INK, many), (Ink(1), few)], edges, "", "values", is_count=True)
    first, second = re.findall(r'class="line"[^>]* d="([^"]*)"', svg)
    assert first == second, "of sets of any size"
    heights = sorted({y for _, y in numbers(first)})
    assert heights[2] - heights[1] == pytest.approx((heights[2] - heights[0]) / 3, abs=0.2)
    bars = attributes(category_chart([(INK, many)], ["a", "b"], "", ""), "rect", "height")
    assert bars[0] == pytest.approx(3 * bars[1], rel=0.01)


def test_points_lie_in_the_order_of_their_values():
    points = [
        (INK, "prior", Interval.around(0, 0), Interval.around(1, 0.1)),
        (Ink(1), "Ψ", Interval.around(0.3, 0.01), Interval.around(5, 0.1)),
    ]
    svg = point_chart(points, "", "KL", "reward")
    (left, right), (low, high) = (attributes(svg, "circle", place) for place in ("cx", "cy"))
    assert left < right
    assert low > high


def test_a_map_has_every_point_and_one_frame():
    every = np.array([[0.0, 0.0], [1.0, 2.0], [3.0, 1.0]])
    rings = map_chart([(INK, every)], every, "", "x", "y")
    discs = map_chart([(Ink(2), every[1:])], every, "", "x", "y")
    (path,) = re.findall(r'class="outlines"[^>]* d="([^"]*)"', rings)
    (part,) = re.findall(r'class="discs"[^>]* d="([^"]*)"', discs)
    places = re.findall(r"M([\d.]+),([\d.]+)", path)
    assert len(places) == 3
    assert re.findall(r"M([\d.]+),([\d.]+)", part) == places[1:]


def column(name, reward, distinct=1.0, **others):
    values = {
        "reward": Estimate(reward, 0.1, 100),
        "kl": Estimate(0.25, 0.01, 100),
        "log_prior": Estimate(-1.5, 0.01, 100),
        "distinct": Estimate(distinct),
    } | {name: Estimate(value, 0.01, 100) for name, value in others.items()}
    return PolicyColumn(name, [values])


PRIOR = column("prior", 1.0, term_good=1.0, term_bad=0.0)
ROWS = (Measure("reward", "Reward", better="higher"), Measure("kl", "KL", better="lower"))


def said(tuned, published=None):
    return " ".join(verdict(tuned, PRIOR, ROWS, published, "word", "words"))


def test_the_verdict_says_what_rose_and_what_fell():
    text = said(column("psi", 3.0, term_good=3.5, term_bad=-0.5))
    assert "psi earns 3.00 ± 0.20 a word, prior 1.00 ± 0.20: more by 2.00 ± 0.28, beyond" in text
    assert "More comes from good (+2.50)." in text
    assert "Less comes from bad (−0.50)." in text
    assert "collapsed" not in text


def test_the_verdict_leaves_open_what_the_interval_does_and_warns_of_collapse():
    text = said(column("psi", 1.1, distinct=0.1, term_good=1.0, term_bad=0.0))
    assert "lies within its interval" in text
    assert "More comes" not in text
    assert "It has collapsed" in text


def test_a_reward_below_the_priors_asks_for_more_training():
    assert "train longer" in said(column("psi", 0.4, distinct=0.9996))
    assert "100 % of its words are distinct, of the prior's 100 %" in said(
        column("psi", 3.0, distinct=0.9996)
    )
    assert "train longer" not in said(column("psi", 0.9)) + said(column("psi", 3.0))
    assert term_title("term_meter_6_8") == "metre 6/8"
    assert term_title("reward/leap_up_back") == "leap up back"


def test_the_verdict_counts_rows_better_than_the_published_ones():
    published = Published({"Psi": {"reward": 2.0, "kl": 0.1}}, {"psi": "Psi"}, "paper")
    text = said(column("psi", 3.0, term_good=1.0, term_bad=0.0), published)
    assert text.endswith("(paper) it is better in 1 of 2.")


def page(**changes):
    mark = Mark("a<b", 0, 2, "first", {"good": "well done"})
    exhibit = Exhibit(
        "a<b c",
        [Picture('<svg class="roll"><rect data-mark="0"/></svg>', "a picture")],
        sound=b"OggS",
        marks=[mark],
        facts={"length": 3, "unknown": float("nan")},
        files={"mid": b"MThd"},
    )
    card = Card("psi", "psi, best 1", exhibit, {"good": [1.0, 0.5, 2.0], "bad": [0.0, -0.25, 0.0]})
    return replace(
        Page(
            title="Words: psi",
            subtitle="of <words>",
            one="word",
            many="words",
            inks={"prior": Ink(0), "psi": Ink(1, "3 2")},
            colors={"prior": "#555555", "psi": "#0072b2"},
            verdict={"psi": ["It is better."]},
            number=100,
            groups=[CardGroup(BEST, {"prior": [], "psi": [card]})],
            table=evaluation_table([PRIOR, column("psi", 3.0)], ROWS, title="Words"),
            figures=[],
            listing=Listing(
                ["reward"],
                [ListedRow("psi", "a<b", {"reward": 1.5}), ListedRow("psi", "x", {})],
                {"sdf": ["</script>", "two"]},
            ),
            runs=[RunRecord("psi", {"command": "seqtutor tune"}, "steps: 1\n", ["it collapsed"])],
        ),
        **changes,
    )


class Elements(HTMLParser):
    """Counts elements, checks that they are closed, and collects addresses."""

    VOID = ("meta", "input")

    def __init__(self, text):
        super().__init__()
        self.open, self.counts, self.addresses = [], {}, []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.addresses += [value for name, value in attrs if name in ("src", "href", "srcset")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.counts[tag] = self.counts.get(tag, 0) + 1

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_a_reward_with_a_neutral_score_in_it_is_not_shown_as_a_score():
    card = page().groups[0].cards["psi"][0]
    text = render_card(replace(card, unscored={"good": "is not a number (NaN)"}), 1.0, 5)
    assert '<span class="reward">no score</span>' in text
    assert "<dt>good</dt><dd>no score: is not a number (NaN)</dd>" in text
    assert "+3.5" not in text


FOUND = {
    "reward>1": ["CCO", "N"],
    "reward > 1": ["CCO", "N"],
    "for custom>5": ["N"],
    "custom>5": ["N"],
    '"for custom" >= 5': ["N"],
    "largest ring > 5": ["CCO"],
    "prior largest ring>5": [],
    "valid=no": ["C1CC"],
    "valid = NO": ["C1CC"],
    "reward=1.5": ["CCO"],
    "C=O": ["C=O"],
    "C=": ["C=O"],
    '"not closed"': ["C1CC"],
    "psi reward<=1.5": ["CCO"],
    "": ["CCO", "N", "C1CC", "C=O"],
}


def test_lines_are_found_by_headings_as_they_are_written(tmp_path):
    rows = [
        ListedRow("psi", "CCO", {"valid": "yes", "reward": 1.5, "for custom": 2.0}),
        ListedRow(
            "psi", "N", {"valid": "yes", "reward": float(np.float32(8.24)), "for custom": 7.5}
        ),
        ListedRow("psi", "C1CC", {"valid": "no", "why": "ring bond 1 is not closed"}),
        ListedRow("prior", "C=O", {"valid": "yes", "reward": "no score"}),
    ]
    rows[0].cells["largest ring"] = 6.0
    columns = ["valid", "reward", "for custom", "largest ring", "why"]
    path = tmp_path / "page.html"
    path.write_text(render_page(page(listing=Listing(columns, rows, {}))), encoding="utf-8")
    script = """
    const find = document.getElementById("find");
    find.value = arguments[0];
    find.dispatchEvent(new Event("input"));
    const rows = [...document.querySelectorAll("#listing tbody tr")].filter((r) => !r.hidden);
    const count = document.getElementById("count").textContent;
    return [rows.map((r) => r.cells[1].textContent), count];
    """
    with opened(path) as driver:
        for words, expected in FOUND.items():
            assert driver.execute_script(script, words)[0] == expected, words
        shown, count = driver.execute_script(script, "MW<300 reward>1")
        assert shown == ["CCO", "N"]
        assert count == "2 of 4; not understood: MW<300"
        shown, count = driver.execute_script(script, "psi largest ring >")
        assert shown == ["CCO", "N", "C1CC"]
        assert count == "3 of 4; not understood: largest ring> (a number after it is missing)"
        assert driver.execute_script(script, "> 3")[1].endswith("(a heading before it is missing)")
        order = """
        document.querySelectorAll("#listing thead button")[3].click();
        return [...document.getElementById("listing").tBodies[0].rows].map(
            (row) => row.cells[1].textContent);
        """
        driver.execute_script(script, "")
        assert driver.execute_script(order) == ["N", "CCO", "C=O", "C1CC"], "best first"
        assert driver.execute_script(order) == ["CCO", "N", "C1CC", "C=O"], "unknown ones last, too"
        saved = driver.execute_async_script("""
            let saved = null;
            URL.createObjectURL = (blob) => { saved = blob; return "#"; };
            document.querySelector('[data-save="csv"]').click();
            saved.arrayBuffer().then((b) => arguments[0]([...new Uint8Array(b)]));
        """)
        mark, text = bytes(saved[:3]), bytes(saved[3:]).decode()
        assert mark == "\ufeff".encode(), "for Excel"
        lines = list(csv.DictReader(io.StringIO(text)))
        assert {one["word"]: one["reward"] for one in lines} == {
            "CCO": "1.5",
            "N": "8.24",
            "C1CC": "",
            "C=O": "",
        }
        assert [one["largest ring"] for one in lines if one["word"] == "CCO"] == ["6"]


def test_a_page_is_whole_and_asks_for_nothing_outside():
    text = render_page(page())
    found = Elements(text)
    assert found.counts["audio"] == 1
    assert found.counts["article"] == 1
    assert all(address.startswith(("#", "data:")) for address in found.addresses)
    assert "url(" not in text
    assert "@import" not in text
    assert "https://" not in text


def test_what_a_part_earned_is_said_in_words():
    text = render_page(page())
    assert "a&lt;b, first: +1.25 (well done +1.5; bad −0.25)" in text
    assert "reward +3.25" in text


def test_texts_of_sequences_are_never_markup():
    text = render_page(page())
    assert "a<b" not in text
    assert "of <words>" not in text
    assert text.count("</script>") == 2, "that of the records and that of the page's own script"


def test_what_is_not_there_is_left_out():
    text = render_page(page(verdict={}, groups=[], runs=[]))
    assert Elements(text).counts.get("audio", 0) == 0
    assert "No tuned policy" in text


def test_a_section_from_elsewhere_has_its_place_and_its_own_colours():
    html = '<section id="study"><h2>Listening study</h2></section>'
    section = Section("study", "Listening study", html, {"--ink-0": "#aa0011"})
    text = render_page(page(sections=[section]))
    Elements(text)
    assert '<a href="#study">Listening study</a>' in text
    assert text.index('id="numbers"') < text.index(html) < text.index('id="list"')
    light, dark = re.findall(r":root[^{]*#study {\s*(--ink-0: [^;]*);", text)[:2]
    assert light == "--ink-0: #aa0011"
    assert dark.startswith("--ink-0: color-mix(in oklab, #aa0011")
    assert "#study" not in render_page(page())


def test_a_key_stands_above_the_samples():
    key = Picture('<svg class="key-of-mine"></svg>', "what <shades> mean", "theme")
    text = render_page(page(keys=[key]))
    assert text.index("key-of-mine") < text.index("<article")
    assert 'aria-label="what &lt;shades&gt; mean"' in text
