"""The page as a whole: self-contained, accessible, escaped, the same for the same values, and never a crash."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from fhir_adapter.core.figures import Completeness, Curve, CurveStep, OpenConflict, Rate
from fhir_adapter.report import Frozen, write
from tests.report.build import adverse_event, context, demo, event, frames, kind, response, summary, treated

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Outline(HTMLParser):
    """What a page is made of: tags in order with their attributes, and whether they close as they opened."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember it."""
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """It must be the one opened last."""
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        """Remember the words."""
        self.text.append(data)

    def named(self, *names: str) -> list[tuple[str, dict[str, str | None]]]:
        """The tags of these names, in order."""
        return [one for one in self.tags if one[0] in names]

    @property
    def words(self) -> str:
        """All words with single spaces."""
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def demo_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the demo study."""
    folder = tmp_path_factory.mktemp("report")
    write(*demo(), folder)
    return folder


@pytest.fixture(scope="module")
def outline(demo_page: Path) -> Outline:
    """The demo page, taken apart."""
    return Outline((demo_page / "index.html").read_text(encoding="utf-8"))


def test_page_needs_nothing_else(demo_page: Path, outline: Outline) -> None:
    """No script, no address outside the page, pictures carry their own bytes."""
    page = re.sub(r"data:image/svg\+xml;base64,[A-Za-z0-9+/=]+", "", (demo_page / "index.html").read_text("utf-8"))

    assert outline.named("script", "link", "iframe", "object") == []
    assert "http:" not in page
    assert "https:" not in page
    assert all((image["src"] or "").startswith("data:image/svg+xml;base64,") for _, image in outline.named("img"))
    assert all(not name.startswith("on") and name != "style" for _, attrs in outline.tags for name in attrs)


def test_policy_of_the_page_allows_its_own_style(demo_page: Path) -> None:
    """The Content-Security-Policy names the digest of the very style sheet, so nothing else may run or load."""
    page = (demo_page / "index.html").read_text(encoding="utf-8")
    (style,) = re.findall(r"<style>(.*?)</style>", page, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    assert f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'" in page


def test_page_is_accessible(outline: Outline) -> None:
    """Headings in steps, captions on tables, scopes on header cells, words for pictures, unique ids, a language."""
    levels = [int(name[1]) for name, _ in outline.named("h1", "h2", "h3", "h4")]
    tables, captions = outline.named("table"), outline.named("caption")
    ids = [attrs["id"] for _, attrs in outline.tags if "id" in attrs]
    targets = [(attrs["href"] or "")[1:] for _, attrs in outline.named("a")]

    assert outline.wrong == []
    assert outline.open == []
    assert levels[0] == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))
    assert len(tables) == len(captions) > 5
    assert all(attrs.get("scope") for _, attrs in outline.named("th"))
    assert all(len(attrs.get("alt") or "") > 40 for _, attrs in outline.named("img"))
    assert len(outline.named("img")) == 4
    assert len(ids) == len(set(ids))
    assert set(targets) <= set(ids)
    assert outline.named("html")[0][1]["lang"] == "en"


def test_marks_say_their_state_in_words(outline: Outline) -> None:
    """No state is told by colour alone: each mark has a word, and a sign of its own."""
    assert "◆ provisional" in outline.words
    assert "▲ incomplete" in outline.words
    assert "◆ declared gap" in outline.words
    assert "✓ whole" in outline.words


def test_same_values_give_same_bytes(demo_page: Path, tmp_path: Path) -> None:
    """Page, vectors and pixels, whatever matplotlib was set to before; and its settings are as they were."""
    import matplotlib

    written = write(*demo(), tmp_path / "again")
    with matplotlib.rc_context({"font.size": 30, "axes.grid": True, "svg.hashsalt": "other"}):
        before = dict(matplotlib.rcParams)
        write(*demo(), tmp_path / "styled")

        assert dict(matplotlib.rcParams) == before

    names = sorted(path.relative_to(tmp_path / "again") for path in written)
    assert names == sorted(path.relative_to(demo_page) for path in demo_page.rglob("*.*"))
    assert len(names) == 9
    for name in names:
        expected = (demo_page / name).read_bytes()
        assert (tmp_path / "again" / name).read_bytes() == expected
        assert (tmp_path / "styled" / name).read_bytes() == expected


def test_text_from_hospitals_stays_text(tmp_path: Path) -> None:
    """Subject numbers, terms, reasons: markup is shown, not obeyed; formulas and unknown signs are no error."""
    evil = '<img src=x onerror="alert(1)">'
    odd = "$\\frac{甲状腺"
    conclusions: list[Any] = []
    for subject in (evil, odd):
        conclusions += treated(subject)
        conclusions += [
            response(subject, "PR", -400, confirmed=False, why=evil), response(subject, "PR", -400, confirmed=True),
            event(subject, "OS", "", 100, why="</td></table><script>x()</script>"),
            adverse_event(subject, evil, "</table>" + evil, 3),
        ]
    steps = (CurveStep(days=100, at_risk=2, events=2, censored=0, survival=0.0),)
    total = summary(enrolled=2, treated=2, orr_confirmed=Rate(2, 2, 0.158, 1.0),
                    curves=(Curve(endpoint="OS", rule="", n=2, events=2, steps=steps),))

    write(frames(*conclusions), total, context(notice=evil, cutoff=evil, version=evil), tmp_path)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    outline = Outline(page)

    assert outline.wrong == []
    assert outline.named("script") == []
    assert all("onerror" not in attrs for _, attrs in outline.tags)
    assert evil in outline.words
    assert odd in outline.words


def test_a_cut_says_what_it_is(tmp_path: Path) -> None:
    """Name, digest, both dates, signature, what it was signed over, and whose mappings; no clock."""
    made = Frozen(name="interim-1", digest="ab" * 32, known_at="2026-07-15T12:00:00+00:00", signed_by="dm1",
                  signed_at="2026-07-16T08:30:00+00:00", reason="first look", waived=2, program="1.2.3",
                  mappings_as_of="signing")

    write(frames(), summary(), context(cutoff="2026-06-30", generated="", frozen=made), tmp_path)
    words = Outline((tmp_path / "index.html").read_text(encoding="utf-8")).words

    for said in ("Cut interim-1", "first look", "ab" * 32, "2026-06-30", "2026-07-15", "2026-07-16", "dm1",
                 "over 2 open blocking conflicts", "those of the signing", "fhir-adapter 1.2.3"):
        assert said in words, said
    assert "Made" not in words.split()


@pytest.mark.parametrize("tables", [{}, frames()], ids=["no tables", "empty tables"])
def test_nothing_yet_is_said_in_words(tables: dict[str, Any], tmp_path: Path) -> None:
    """A study without subjects gives a page that says so, and no figure."""
    written = write(tables, summary(), context(cutoff="", version=""), tmp_path)
    outline = Outline((tmp_path / "index.html").read_text(encoding="utf-8"))

    assert written == [tmp_path / "index.html"]
    assert outline.wrong == []
    for said in ("Nobody could be followed", "No adverse event is known", "No dose of a study drug is known",
                 "No conflict is open", "No hospital has been asked yet", "No subject is known",
                 "Nothing to draw", "no subject 0 of 0 treated", "Nothing is known about the completeness",
                 "Data cut-off not stated"):
        assert said in outline.words


def test_treated_but_nothing_known_of_them(tmp_path: Path) -> None:
    """Subjects without scan, event or proof of life are named, and nothing is drawn for them."""
    conclusions = [*treated("S-1"), event("S-1", "OS", "", 0, "undetermined", reason="no_start", start=None)]
    curve = Curve(endpoint="OS", rule="", n=0, events=0, undetermined=1)

    write(frames(*conclusions), summary(treated=1, curves=(curve,)), context(), tmp_path)
    words = Outline((tmp_path / "index.html").read_text(encoding="utf-8")).words

    assert "Without a bar, because no complete sum of diameters was measured after the baseline: S-1." in words
    assert "Without a lane, because no clock starts or nothing is known after its start: S-1." in words
    assert "no estimate nobody could be followed" in words


def test_everybody_censored_at_once(tmp_path: Path) -> None:
    """A curve that never falls: median not reached, limits and rates missing."""
    step = CurveStep(days=30, at_risk=1, events=0, censored=1, survival=1.0)
    curve = Curve(endpoint="OS", rule="", n=1, events=0, steps=(step,))
    conclusions = [*treated("S-1"), event("S-1", "OS", "", 30, "censored")]

    written = write(frames(*conclusions), summary(treated=1, curves=(curve,)), context(), tmp_path)
    words = Outline((tmp_path / "index.html").read_text(encoding="utf-8")).words

    assert tmp_path / "figures" / "os.svg" in written
    assert "Median OS not reached 95 % CI NR–NR, log-log" in words


def test_old_figures_do_not_outlive_their_data(tmp_path: Path) -> None:
    """A figure that can no longer be drawn is taken away with its page."""
    old = tmp_path / "figures" / "os.svg"
    old.parent.mkdir()
    old.write_text("old", encoding="utf-8")

    write(frames(), summary(), context(), tmp_path)

    assert not old.exists()


def test_headline_names_what_may_change_it(tmp_path: Path) -> None:
    """Open conflicts are counted where they touch; an open window stands beside the results that lean on it."""
    conclusions = [
        *treated("S-1"), *treated("S-2"),
        event("S-1", "OS", "", 100, provisional=True, held_kinds='["death_dates_disagree"]'),
        event("S-2", "OS", "", 90),
    ]
    about = context(
        kinds=(kind("death_dates_disagree"), kind("evaluators_disagree", blocking=False)),
        conflicts=(OpenConflict("death_dates_disagree", ("S-1",), ("west",)),
                   OpenConflict("death_dates_disagree", ("S-9",), ("west",)),
                   OpenConflict("evaluators_disagree", ("S-2",), ("west",))),
        completeness=(Completeness(hospital="west", type="Patient", mode="last_updated",
                                   whole_as_of="2026-07-01T04:00Z"),
                      Completeness(hospital="west", type="Encounter", mode="last_updated",
                                   whole_as_of="2026-06-02T04:00Z", open_since="2026-06-03T04:00Z")),
    )

    write(frames(*conclusions), summary(treated=2), about, tmp_path)
    words = Outline((tmp_path / "index.html").read_text(encoding="utf-8")).words
    overall = words[words.index("Median OS"):words.index("Median follow-up")]
    confirmed = words[words.index("ORR, confirmed"):words.index("ORR, unconfirmed")]

    assert "3 conflicts are open, 2 of them blocking a cut" in words
    assert "◆ provisional because of 1 open conflict 1 subject: Title of death_dates_disagree" in overall
    assert "▲ incomplete 1 answer not whole west, Encounter: open since 2026-06-03 04:00" in overall
    assert "as of 2026-06-02 04:00" in overall
    assert "✓ settled no open conflict touches it as of 2026-07-01 04:00" in confirmed
