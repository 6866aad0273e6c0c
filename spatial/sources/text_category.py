"""Category of a report from its description, where the source gives none: TF-IDF and a logistic regression.

It learns from the short texts of text_examples.toml and from examples that a city gives. What it is not sure of is not
decided: the report stays `other` and is listed for a person.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from spatial.contracts import CATEGORIES
from spatial.errors import InputError
from spatial.sources.columns import Columns
from spatial.sources.formats import read_raw
from spatial.sources.ledger import Ledger
from spatial.sources.redaction import redact
from spatial.sources.taxonomy import Taxonomy, fold

SHIPPED = Path(__file__).with_name("text_examples.toml")
COLUMNS = ("text", "category")
NO_CATEGORY = "none"  # of an example that tells of none: an address, a greeting
DOUBTFUL = ("report_id", "category", "confidence", "text")
MAX_TEXT = 2000  # characters that are read
INVERSE_PENALTY = 300.0  # by log loss in cross-validation on the shipped examples (`benchmarks/text_category.py`)
_DECIMALS = 6  # of a confidence, so that sums of another order give the same answer
_BATCH = 20_000  # texts at a time


@dataclass(frozen=True, slots=True)
class TextCategoryParameters:
    """Table `[text_category]`: what `category_from = "description"` learns from, and how sure it must be.

    Attributes
    ----------
    min_confidence : least probability at which a category is taken, 0–1. Ours: of the multiples of 0.05 the least at
        which 95 % of the taken are right in cross-validation on the shipped examples (`benchmarks/text_category.py`);
        a city's own language and habits are farther from them, so expect less there.
    shipped_examples : learn from the shipped examples (Indonesian, English); off for a city of another language.
    examples : a table of the city's own texts and their categories, learned besides; CSV as a rule.
    columns : `text`, `category` → column of that file; without, those of the same names are taken.
    """

    min_confidence: float = 0.6
    shipped_examples: bool = True
    examples: Path | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, slots=True)
class ExampleTable:
    """Examples of a file, `text` and `category`; `rows_in == len(examples) + len(quarantine)`."""

    examples: pd.DataFrame
    quarantine: pd.DataFrame
    rows_in: int


@dataclass(frozen=True, eq=False, slots=True)
class TextCategories:
    """What was learned; `train` makes it."""

    min_confidence: float
    words: TfidfVectorizer
    letters: TfidfVectorizer
    model: LogisticRegression

    def guess(self, texts: pd.Series[Any]) -> pd.DataFrame:
        """Guess the category of each text.

        Returns
        -------
        The texts' index; `category` (the likeliest; of equals the first of `contracts.CATEGORIES`), `confidence` (its
        probability by the model, 0–1; 0, and `other`, where no word of the text stands in an example) and `taken`
        (bool: confident enough). Rows that are null or hold neither letter nor digit are left out.

        Notes
        -----
        Case, accents and punctuation do not matter, nor which number it is; the first 2,000 characters are read. The
        probability is calibrated on texts like the examples, not on a city's. One text has one category. Irony,
        negation ("tidak banjir") and languages that no example is in are not understood.
        """
        folded = texts.map(_prepared, na_action="ignore")
        folded = folded[folded.fillna("").astype(bool)]
        known = pd.Series(folded.unique(), dtype=object)
        parts = [self._probabilities(known[i : i + _BATCH]) for i in range(0, len(known), _BATCH)]
        probability = np.vstack(parts) if parts else np.empty((0, len(CATEGORIES)))
        best = probability.argmax(axis=1)
        found = pd.DataFrame({"category": np.array(CATEGORIES, dtype=object)[best], "confidence": 0.0}, index=known)
        found["confidence"] = probability[np.arange(len(best)), best]
        found.loc[found["confidence"] == 0.0, "category"] = "other"
        found["taken"] = found["confidence"] >= max(self.min_confidence, 10.0**-_DECIMALS)
        return found.loc[pd.Index(folded)].set_index(folded.index)

    def _probabilities(self, texts: pd.Series[Any]) -> NDArray[np.float64]:
        """Return (texts, categories) probabilities, 0 where no word is known or no example has the category."""
        words, letters = self.words.transform(texts), self.letters.transform(texts)
        learned = self.model.predict_proba(hstack([words, letters], format="csr"))
        result = np.zeros((len(texts), len(CATEGORIES)))
        result[:, [CATEGORIES.index(name) for name in self.model.classes_]] = np.round(learned, _DECIMALS)
        result[csr_matrix(words).getnnz(axis=1) == 0] = 0.0
        return result


def text_categories(parameters: TextCategoryParameters, examples: pd.DataFrame | None = None) -> TextCategories:
    """Learn from what `[text_category]` names; `examples` are the city's, as `read_examples` gives them.

    Raises
    ------
    InputError
        There are not examples of at least two categories.
    """
    if examples is None and parameters.shipped_examples:
        return _of_shipped(parameters.min_confidence)
    parts = [shipped_examples()] if parameters.shipped_examples else []
    parts += [] if examples is None else [examples]
    joined = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({name: [] for name in COLUMNS})
    if joined["category"].nunique() < 2:
        problem = "there are not examples of at least two categories"
        raise InputError(parameters.examples or SHIPPED, "text_category.examples", problem, "add some")
    return train(joined, parameters.min_confidence)


def train(examples: pd.DataFrame, min_confidence: float, inverse_penalty: float = INVERSE_PENALTY) -> TextCategories:
    """Learn from examples (`text`, `category` of at least two kinds); their order makes no difference.

    Features: words and pairs of words, and runs of 3–5 letters within words, which see through slips and
    abbreviations; TF-IDF with 1 + ln(tf). Model: multinomial logistic regression with an L2 penalty. A text that
    is given several times weighs once, since copies tell nothing new; of several categories, each has its share
    (of `NO_CATEGORY`, all of them).
    """
    shared = examples["category"].map(lambda name: CATEGORIES if name == NO_CATEGORY else (name,))
    examples = examples.assign(category=shared).explode("category")
    texts = examples["text"].map(_prepared)
    counts = examples.groupby([texts.rename("text"), "category"], sort=True).size().reset_index(name="weight")
    counts["weight"] /= counts.groupby("text")["weight"].transform("sum")
    words = TfidfVectorizer(token_pattern=r"\S+", ngram_range=(1, 2), lowercase=False, sublinear_tf=True)
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), lowercase=False, sublinear_tf=True)
    row, known = pd.factorize(counts["text"])
    features = hstack([words.fit_transform(known), letters.fit_transform(known)], format="csr")[row]
    model = LogisticRegression(C=inverse_penalty, max_iter=2000)
    model.fit(features, counts["category"].to_numpy(dtype=str), sample_weight=counts["weight"].to_numpy(float))
    return TextCategories(min_confidence, words, letters, model)


@cache
def _of_shipped(min_confidence: float) -> TextCategories:
    return train(shipped_examples(), min_confidence)


def add_guesses(reports: pd.DataFrame, unknown: pd.DataFrame, categories: TextCategories) -> pd.DataFrame:
    """Fill the category of reports whose source gives none (`category_basis` none) from their description.

    Parameters
    ----------
    reports : `category, category_raw, category_basis, description`; changed in place.
    unknown : `category`, the words that the taxonomy does not know, as `sources.reports` keeps them; a word in whose
        place a guess was taken, and an empty one, is not unknown any more.

    Returns
    -------
    The guesses (`TextCategories.guess`), index as `reports`.
    """
    guesses = categories.guess(reports.loc[reports["category_basis"] == "none", "description"])
    taken = guesses[guesses["taken"]]
    reports.loc[taken.index, "category"] = taken["category"]
    reports.loc[taken.index, "category_basis"] = "text"
    unknown.loc[taken.index.union(reports.index[reports["category_raw"].isna()]), "category"] = None
    return guesses


def doubtful_reports(guesses: pd.DataFrame, reports: pd.DataFrame) -> pd.DataFrame:
    """Return which of the `reports` have a guess that was not taken, for a person to look at.

    Columns `DOUBTFUL`: the id, the likeliest category, its probability, 0–1, and the text without personal data.
    """
    if guesses.empty:
        return pd.DataFrame(columns=list(DOUBTFUL))
    rows = guesses[~guesses["taken"] & guesses.index.isin(reports.index)]
    told = reports.loc[rows.index]
    texts = pd.Series([redact(str(text)) for text in told["description"]], index=rows.index, dtype=object)
    return rows[["category", "confidence"]].assign(report_id=told["report_id"], text=texts)[list(DOUBTFUL)]


def shipped_examples() -> pd.DataFrame:
    """Return the shipped examples: `text`, `category` (or `NO_CATEGORY`), `language` ("id", "en")."""
    content = tomllib.loads(SHIPPED.read_text(encoding="utf-8"))
    rows = [
        (text, category, language)
        for category, languages in content.items()
        for language, texts in languages.items()
        for text in texts
    ]
    return pd.DataFrame(rows, columns=[*COLUMNS, "language"])


def read_examples(path: Path, columns: Mapping[str, str], taxonomy: Taxonomy) -> ExampleTable:
    """Read a city's examples; a category is a name of `contracts.CATEGORIES`, or a word that the taxonomy knows.

    Refused rows, with the reason: no text; no category, or one that is not known.

    Raises
    ------
    InputError
        The file is missing or unreadable; a column does not exist; no row can be used.
    """
    for name in columns:
        if name not in COLUMNS:
            raise InputError(path, f"columns.{name}", "is not a column of examples", f"known: {', '.join(COLUMNS)}")
    raw = read_raw(path)
    mapped = Columns(path, raw, columns, COLUMNS)
    for name in COLUMNS:
        if not mapped.has(name):
            hint = f"map it in columns; the file has {', '.join(map(str, raw.frame.columns))}"
            raise InputError(path, f"columns.{name}", f"no column is named for {name}", hint)
    ledger, texts, told = Ledger(path, raw), mapped.texts("text"), mapped.texts("category")
    names = {word: word if word in CATEGORIES else taxonomy.category_of(word) for word in told.dropna().unique()}
    categories = told.map(names)
    empty = ~texts.map(lambda text: bool(_prepared(text or "")))
    ledger.refuse(empty, mapped.name("text"), "missing_value", texts)
    ledger.refuse(told.isna(), mapped.name("category"), "missing_value", told)
    ledger.refuse(categories.isna(), mapped.name("category"), "unknown_category", told)
    kept = ledger.kept()
    if kept.empty:
        raise InputError(path, "file", "has no usable example", "see the columns text and category")
    examples = pd.DataFrame({"text": texts[kept], "category": categories[kept]}).reset_index(drop=True)
    none = pd.Series([None] * len(texts), index=texts.index, dtype=object)
    return ExampleTable(examples, ledger.table(none), raw.rows_in)


def _prepared(text: str) -> str:
    """Return the folded text with every number as 0."""
    return re.sub(r"\d+", "0", fold(str(text)[:MAX_TEXT]))
