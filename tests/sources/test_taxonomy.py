"""Words of reports: categories and statuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatial.contracts import CATEGORIES
from spatial.errors import InputError
from spatial.sources.taxonomy import fold, load_taxonomy

TAXONOMY = load_taxonomy()


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("sampah", "waste"),
        ("Tumpukan sampah di jalan", "waste"),
        ("PJU", "street_light"),
        ("Lampu jalan padam", "street_light"),
        ("banjir", "flood"),
        ("Potensi Banjir", "flood"),
        ("genangan air", "flood"),
        ("gorong-gorong", "drainage"),
        ("Drainase", "drainage"),
        ("Pohon Tumbang", "tree"),
        ("jalan rusak", "road"),
        ("trotoar", "mobility"),
        ("akses", "mobility"),
        ("bantuan sosial", "social_aid"),
        ("lainnya", "other"),
        ("Street Light Outages", "street_light"),
        ("Flooding & Sewer Issues", "flood"),
        ("Request for Pothole Repair", "road"),
        ("Street or Sidewalk Cleaning", "waste"),
        ("Sidewalk_Defect", "mobility"),
        ("New Tree Requests", "tree"),
        ("Iluminação Pública", "street_light"),
        ("Candeeiro apagado", "street_light"),
        ("Higiene Urbana", "waste"),
        ("Inundação em espaço público ou esgoto na via (exceto fuga de água)", "flood"),
        ("Entupimento de sarjeta ou sumidouro", "drainage"),
        ("Saneamento", "drainage"),
        ("Sem-Abrigo", "social_aid"),
        ("Árvores e Espaços Verdes", "tree"),
        ("Passeios e Acessibilidades", "mobility"),
        ("Estradas e Ciclovias", "road"),
        ("Recolha de resíduos de árvores na via pública, decorrente de ação de emergência do RSB", "waste"),
    ],
)
def test_words_of_three_languages(text: str, category: str) -> None:
    assert TAXONOMY.category_of(text) == category


@pytest.mark.parametrize(
    "text",
    [
        "Grafitis",
        "Streetcar",
        "Forgotten",
        "Literature",
        "Problem",
        "sampahan",
        "",
        "Corte de ervas em passeios",
        "robbery",
        "Brigada Lx - Tampas de saneamento",
        "got a question",
        "Apoio a eventos (energia, som e luz)",
        "Sticker Request",
    ],
)
def test_what_is_not_known_is_none(text: str) -> None:
    assert TAXONOMY.category_of(text) is None


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("Em execução", "open"),
        ("Em análise", "open"),
        ("Registado para Resolução", "open"),
        ("Resolvido", "closed"),
        ("SELESAI", "closed"),
        ("diproses", "open"),
        ("menunggu", "open"),
        ("open", "open"),
        ("Closed", "closed"),
        ("belum selesai", "open"),
        ("not resolved", None),
        ("", None),
    ],
)
def test_statuses_match_whole_texts_only(text: str, status: str | None) -> None:
    assert TAXONOMY.status_of(text) == status


def test_folding_by_hand() -> None:
    assert fold("  Gorong-gorong   TERSUMBAT (Açaí) ") == "gorong gorong tersumbat acai"


@given(
    st.sampled_from(sorted(TAXONOMY.categories.whole)), st.sampled_from([str.upper, str.title, lambda t: f"  {t}\t"])
)
def test_case_and_spaces_do_not_matter(phrase: str, change: object) -> None:
    assert callable(change)
    assert TAXONOMY.category_of(change(phrase)) == TAXONOMY.categories.whole[phrase]


@given(st.text())
def test_any_text_has_a_known_category_or_none(text: str) -> None:
    assert TAXONOMY.category_of(text) in (*CATEGORIES, None)


def test_the_longest_phrase_wins_and_a_city_adds_words(tmp_path: Path) -> None:
    extra = tmp_path / "taxonomy.toml"
    extra.write_text(
        '[categories.road]\nwords = ["jalan berlubang sampah"]\nexact = ["lobang"]\n'
        '[sources.qlue.categories.tree]\nwords = ["hijau"]\n[sources.qlue.statuses.closed]\nwords = ["beres"]\n'
    )
    taxonomy = load_taxonomy(extra)
    assert taxonomy.category_of("ada jalan berlubang sampah lagi") == "road"
    assert taxonomy.category_of("sampah") == "waste"
    assert (taxonomy.category_of("lobang"), taxonomy.category_of("lobang besar")) == ("road", None)
    assert (taxonomy.category_of("hijau", "qlue"), taxonomy.category_of("hijau")) == ("tree", None)
    assert taxonomy.category_of("sampah", "qlue") == "waste"
    assert (taxonomy.status_of("beres", "qlue"), taxonomy.status_of("beres")) == ("closed", None)


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ('[categories.wast]\nid = ["a"]', "wast"),
        ('[category.waste]\nid = ["a"]', "category"),
        ('[categories.waste]\nde = ["a"]', "de"),
        ('[categories.waste]\nid = "a"', "categories.waste.id"),
        ('[categories.waste]\nid = ["a"]\n[categories.road]\nid = ["A!"]', "categories.road"),
        ("[[", "file"),
    ],
)
def test_a_wrong_taxonomy_is_refused(tmp_path: Path, content: str, field: str) -> None:
    path = tmp_path / "taxonomy.toml"
    path.write_text(content)
    with pytest.raises(InputError) as error:
        load_taxonomy(path)
    assert (error.value.field, error.value.path) == (field, str(path))


def test_a_missing_taxonomy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_taxonomy(tmp_path / "none.toml")
