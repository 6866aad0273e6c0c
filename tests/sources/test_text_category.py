"""Categories from texts: a case solved by hand, what must not matter, what is not decided, the shipped examples."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from sklearn.model_selection import StratifiedKFold

from spatial.contracts import CATEGORIES
from spatial.errors import InputError
from spatial.sample.words import TEXTS
from spatial.sources.redaction import redact
from spatial.sources.reports import ReportSource, ReportTable, read_reports
from spatial.sources.taxonomy import fold, load_taxonomy
from spatial.sources.text_category import (
    INVERSE_PENALTY,
    NO_CATEGORY,
    TextCategories,
    TextCategoryParameters,
    read_examples,
    shipped_examples,
    text_categories,
    train,
)
from tests.sources.data import real, write_csv

TAXONOMY = load_taxonomy()
ALL = shipped_examples()
SHIPPED = ALL[ALL["category"] != NO_CATEGORY]


def table(*rows: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["text", "category"])


def one(model: TextCategories, text: str) -> tuple[str, float, bool]:
    row = model.guess(pd.Series([text])).iloc[0]
    return row["category"], row["confidence"], row["taken"]


# --- a case by hand


def test_two_examples_without_a_common_letter_by_hand() -> None:
    """Each text is a unit vector of words and one of letters, at right angles to the other's.

    Penalised likelihood of the margin m, by symmetry: 2 C ln(1 + exp(-m)) + m² / 2, least where m (1 + exp(m)) = 2 C.
    A text of both halves their weights; a text of neither tells nothing.
    """
    model = train(table(("air", "flood"), ("bau", "waste")), 0.6)
    margin = brentq(lambda m: m * (1 + np.exp(m)) - 2 * INVERSE_PENALTY, 0, 20)
    sure = 1 / (1 + np.exp(-margin))
    assert one(model, "air") == ("flood", pytest.approx(sure, abs=1e-4), True)
    assert one(model, "bau") == ("waste", pytest.approx(sure, abs=1e-4), True)
    assert one(model, "air bau") == ("waste", pytest.approx(0.5, abs=1e-4), False)
    assert one(model, "xyz") == ("other", 0.0, False)


def test_a_text_of_two_categories_shares_itself_by_how_often_each_is_given() -> None:
    rows = [("air", "flood")] * 3 + [("air", "waste")] + [("bau", "waste"), ("bau", "flood")]
    assert one(train(table(*rows), 0.6), "air")[:2] == ("flood", pytest.approx(0.75, abs=0.01))


def test_an_address_alone_decides_nothing() -> None:
    """What the examples say of no category, they say of all alike; a word of a category beside it still decides."""
    model = text_categories(TextCategoryParameters())
    for address in ("Jl. Nangka gang 9", "Perum Griya Indah blok F", "mohon ditindaklanjuti pak"):
        assert not one(model, address)[2]
        assert one(model, f"banjir {address}")[::2] == ("flood", True), address


def test_copies_of_a_text_tell_nothing_new() -> None:
    once = train(table(("air", "flood"), ("bau", "waste")), 0.6)
    often = train(table(*[("Air!", "flood")] * 50, ("bau", "waste")), 0.6)
    assert one(often, "air bau") == one(once, "air bau")


# --- what must not matter


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(SHIPPED["text"].tolist()), st.integers(0, 999), st.sampled_from([str.upper, str.title]))
def test_texts_of_the_same_tokens_have_the_same_answer(text: str, number: int, change: Any) -> None:
    model = text_categories(TextCategoryParameters())
    other = "  " + re.sub(r"\d+", str(number), change(text)).replace(" ", " -- ") + " !!"
    assert one(model, other) == one(model, text)


def test_which_number_it_is_makes_no_difference() -> None:
    """The examples say "60 cm" and "500 meter": other numbers are the same text."""
    model = text_categories(TextCategoryParameters())
    assert one(model, "kira2 60 cm") == one(model, "kira9 1234 cm")
    assert one(model, "sepanjang 500 meter") == one(model, "sepanjang 7 meter")


def test_the_order_of_examples_and_of_texts_makes_no_difference() -> None:
    some = SHIPPED.iloc[::6]
    model, shuffled = train(some, 0.6), train(some.sample(frac=1, random_state=3), 0.6)
    texts = SHIPPED["text"].iloc[1::6]
    pd.testing.assert_frame_equal(model.guess(texts), shuffled.guess(texts))
    pd.testing.assert_frame_equal(model.guess(texts[::-1])[::-1], model.guess(texts))


def test_only_texts_with_letters_or_digits_are_answered_under_their_index() -> None:
    found = text_categories(TextCategoryParameters()).guess(pd.Series(["banjir", None, " !? ", "sampah"], [4, 5, 6, 7]))
    assert found.index.tolist() == [4, 7]
    assert found["category"].tolist() == ["flood", "waste"]
    assert text_categories(TextCategoryParameters()).guess(pd.Series([None, ""])).empty


def test_batches_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    model, texts = text_categories(TextCategoryParameters()), SHIPPED["text"].iloc[:40]
    whole = model.guess(texts)
    monkeypatch.setattr("spatial.sources.text_category._BATCH", 7)
    pd.testing.assert_frame_equal(model.guess(texts), whole)


# --- a file of reports


def read(path: Path, texts: list[str | None], model: TextCategories | None = None, **more: Any) -> ReportTable:
    extra = more.pop("kategori", None)
    rows = [{"id": i, "lon": 117.5, "lat": -3.3, "uraian": text or ""} for i, text in enumerate(texts)]
    if extra is not None:
        rows = [row | {"kategori": word} for row, word in zip(rows, extra, strict=True)]
    columns = {"report_id": "id", "description": "uraian"} | ({} if extra is None else {"category": "kategori"})
    source = ReportSource(write_csv(path / "r.csv", rows), columns=columns, **more)
    return read_reports(source, TAXONOMY, "UTC", model)


def test_a_file_without_a_category_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(InputError, match='category_from = "description"') as caught:
        read(tmp_path, ["banjir"])
    assert caught.value.field == "category"


def test_a_constant_and_a_text_do_not_go_together(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="both a constant and from the description"):
        read(tmp_path, ["banjir"], category="flood", category_from="description")


def test_a_file_without_a_description_is_refused(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "r.csv", [{"lon": 117.5, "lat": -3.3}])
    with pytest.raises(InputError) as caught:
        read_reports(ReportSource(path, category_from="description"), TAXONOMY)
    assert caught.value.field == "columns.description"


def test_categories_and_where_they_come_from(tmp_path: Path) -> None:
    texts = ["Banjir setinggi lutut", "pju mati total", "qwrtz", None, "wa 081234567890 qwrtz, tks"]
    found = read(tmp_path, texts, category_from="description")
    assert found.reports["category"].tolist() == ["flood", "street_light", "other", "other", "other"]
    assert found.reports["category_basis"].tolist() == ["text", "text", "none", "none", "none"]
    assert found.reports["depth_m"].tolist()[:2] == [pytest.approx(0.5), pytest.approx(np.nan, nan_ok=True)]
    assert found.doubtful["report_id"].tolist() == ["r:2", "r:4"]
    assert found.doubtful["text"].tolist() == ["qwrtz", "wa [telepon] qwrtz, tks"]
    assert dict(found.unmapped) == {}


def test_a_word_of_the_source_goes_first_and_a_text_fills_its_gaps(tmp_path: Path) -> None:
    words, texts = ["Sampah", "Lainnya", "zzz", "", "yyy"], ["banjir"] * 3 + ["pohon tumbang", "qwrtz"]
    found = read(tmp_path, texts, kategori=words, category_from="description")
    assert found.reports["category"].tolist() == ["waste", "other", "flood", "tree", "other"]
    assert found.reports["category_basis"].tolist() == ["source", "source", "text", "text", "none"]
    assert dict(found.unmapped) == {"yyy": 1}
    plain = read(tmp_path, texts, kategori=words)
    assert plain.reports["category_basis"].tolist() == ["source", "source", "none", "none", "none"]
    assert dict(plain.unmapped) == {"(empty)": 1, "yyy": 1, "zzz": 1}
    assert plain.doubtful.empty
    constant = read(tmp_path, texts, category="road")
    assert set(constant.reports["category_basis"]) == {"constant"}


@settings(max_examples=8, deadline=None)
@given(st.lists(st.sampled_from(SHIPPED["text"].tolist()), min_size=1, max_size=8), st.sampled_from([0.3, 0.8, 0.99]))
def test_below_the_threshold_is_always_other(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], limit: float
) -> None:
    model = train(SHIPPED.iloc[::5], limit)
    found = read(tmp_path_factory.mktemp("t"), texts, model, category_from="description")
    guess = model.guess(pd.Series(texts, index=found.reports.index))
    sure = guess["confidence"] >= limit
    assert found.reports["category_basis"].tolist() == np.where(sure, "text", "none").tolist()
    assert found.reports["category"].tolist() == np.where(sure, guess["category"], "other").tolist()
    assert len(found.doubtful) == (~sure).sum()


def test_what_a_city_adds_changes_only_what_texts_decide(tmp_path: Path) -> None:
    words = ["Sampah", "", "Lainnya", "zzz"]
    texts = ["beo-beo kumat", "Beo-beo kumat lagi", "beo-beo", "beo-beo lagi"]
    added = table(("beo-beo kumat", "mobility"), ("beo beo lagi di simpang", "mobility"))
    before = read(tmp_path, texts, kategori=words, category_from="description").reports
    model = text_categories(TextCategoryParameters(), added)
    after = read(tmp_path, texts, model, kategori=words, category_from="description").reports
    assert before["category"].tolist() == ["waste", "other", "other", "other"]
    assert after["category"].tolist() == ["waste", "mobility", "other", "mobility"]
    same = [name for name in before if name not in ("category", "category_basis", "geometry")]
    pd.testing.assert_frame_equal(pd.DataFrame(before[same]), pd.DataFrame(after[same]))


# --- a city's examples


def test_examples_by_our_names_and_by_the_taxonomys_words(tmp_path: Path) -> None:
    rows = [
        {"t": "lampu", "k": "street_light"},
        {"t": "bau", "k": "Tumpukan sampah"},
        {"t": "", "k": "waste"},
        {"t": "apa", "k": ""},
        {"t": "apa", "k": "grafiti"},
    ]
    found = read_examples(write_csv(tmp_path / "e.csv", rows), {"text": "t", "category": "k"}, TAXONOMY)
    assert found.examples.to_numpy().tolist() == [["lampu", "street_light"], ["bau", "waste"]]
    assert found.rows_in == len(found.examples) + len(found.quarantine)
    assert found.quarantine[["row", "field", "reason"]].to_numpy().tolist() == [
        [3, "t", "missing_value"],
        [4, "k", "missing_value"],
        [5, "k", "unknown_category"],
    ]


@pytest.mark.parametrize(
    ("rows", "columns", "field"),
    [
        ([{"text": "a", "category": "waste"}], {"label": "category"}, "columns.label"),
        ([{"text": "a", "category": "waste"}], {"text": "t"}, "columns.text"),
        ([{"text": "a", "jenis": "waste"}], {}, "columns.category"),
        ([{"text": "a", "category": "grafiti"}], {}, "file"),
    ],
)
def test_examples_that_cannot_be_used_are_refused(
    tmp_path: Path, rows: list[dict[str, str]], columns: dict[str, str], field: str
) -> None:
    with pytest.raises(InputError) as caught:
        read_examples(write_csv(tmp_path / "e.csv", rows), columns, TAXONOMY)
    assert caught.value.field == field


def test_one_category_is_not_enough_to_learn_from() -> None:
    alone = TextCategoryParameters(shipped_examples=False)
    with pytest.raises(InputError, match="two categories"):
        text_categories(alone, table(("air", "flood"), ("banjir", "flood")))
    model = text_categories(alone, table(("água", "flood"), ("lixo", "waste")))
    assert one(model, "LIXO")[0] == "waste"
    assert one(model, "sampah") == ("other", 0.0, False)


# --- the shipped examples


def test_the_shipped_examples_are_many_and_each_stands_once() -> None:
    assert set(SHIPPED["category"]) == set(CATEGORIES)
    assert SHIPPED.groupby("category").size().min() >= 40
    assert SHIPPED[SHIPPED["language"] == "id"].groupby("category").size().min() >= 40
    assert not ALL["text"].map(fold).duplicated().any()
    assert all(redact(text) == text for text in ALL["text"])


def test_no_shipped_example_is_a_template_of_the_sample_city() -> None:
    examples = SHIPPED["text"].map(fold)
    for template in (t for texts in TEXTS.values() for t in texts):
        pattern = re.compile(re.sub(r" 0(?= |$)", r".*", fold(re.sub(r"\{\w+\}", " 0 ", template))))
        assert not any(pattern.fullmatch(text) for text in examples), template


def test_the_default_threshold_keeps_its_word_on_texts_that_were_not_learned() -> None:
    """At 0.6 some 95 % of the taken are right, and what is said is what is true within a few hundredths."""
    parts = []
    for fit, test in StratifiedKFold(3, shuffle=True, random_state=7).split(SHIPPED, SHIPPED["category"]):
        examples = pd.concat([SHIPPED.iloc[fit], ALL[ALL["category"] == NO_CATEGORY]])
        guess = train(examples, TextCategoryParameters().min_confidence).guess(SHIPPED["text"].iloc[test])
        parts.append(guess.assign(right=guess["category"] == SHIPPED["category"].iloc[test]))
    found = pd.concat(parts)
    taken = found[found["taken"]]
    assert taken["right"].mean() == pytest.approx(0.95, abs=0.03)
    assert len(taken) / len(found) > 0.55
    assert found["confidence"].mean() == pytest.approx(found["right"].mean(), abs=0.08)


def test_real_flood_reports_are_told_by_their_text() -> None:
    """Jakarta, 1,164 texts of floods: most are taken as floods, and of those taken for anything, most are."""
    texts = gpd.read_file(real("jakarta/reports_petabencana_2017.geojson"))["text"]
    found = text_categories(TextCategoryParameters()).guess(texts)
    flood = found["taken"] & (found["category"] == "flood")
    assert flood.mean() > 0.5
    assert flood.sum() / found["taken"].sum() > 0.7
