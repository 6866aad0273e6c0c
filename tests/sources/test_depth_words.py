"""Depth of water in texts: by hand, by property, and beside the depths that Jakarta's reporters gave as a number."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatial.sources.depth_words import MAX_DEPTH_M, depth_m, depths_m

BODY = [
    ("Banjir selutut", 0.5),
    ("banjir se-lutut orang dewasa", 0.5),
    ("sudah sampe dengkul", 0.5),
    ("sak dengkul", 0.5),
    ("air setinggi lutut orang dewasa", 0.5),
    ("Banjir SEMATA KAKI", 0.1),
    ("di RT 8 tinggi se paha org dewasa", 0.65),
    ("banjir sebetis", 0.3),
    ("sepinggang", 0.95),
    ("sudah sedada", 1.15),
    ("seleher!", 1.35),
    ("setinggi orang dewasa", 1.6),
    ("selutut sampai pinggang", 0.95),
    ("banjir setengah ban mobil", 0.35),
    ("knee-deep water", 0.5),
    ("Waist deep", 0.95),
    ("the water is up to my knees", 0.5),
    ("ankle high", 0.1),
]
NUMBERS = [
    ("50 cm", 0.5),
    ("banjir 50cm di RT 05/03", 0.5),
    ("banjir 50-70cm", 0.6),
    ("30 sd 40 cm", 0.35),
    ("30/40 cm", 0.35),
    ("10cm – 20 cm", 0.15),
    ("50an cm", 0.5),
    ("banjir 1,5 meter", 1.5),
    ("flooded, 1.5 m", 1.5),
    ("banjir setengah meter", 0.5),
    ("banjir semeter", 1.0),
    ("banjir ½ meter", 0.5),
    ("banjir 1/2 meter", 0.5),
    ("banjir 1½ m", 1.5),
    ("water is two metres deep", 2.0),
    ("banjir 70 - 1meter", 0.85),
    ("kurang lebih 50 cm", 0.5),
    ("15 cm di jalan dan 5-10 cm di garasi", 0.15),
    ("sekitar 40 cm/sebetis", 0.4),
    ("50 cm dari lantai", 0.5),
    ("banjir di Jl. Pintu Air 4, 50 cm", 0.5),
]
BOUNDS = [
    ("tidak sampai selutut", 0.25),
    ("belum sampai lutut", 0.25),
    ("ga nyampe 20cm", 0.1),
    ("kurang dari 50 cm", 0.25),
    ("banjir di bawah lutut", 0.25),
    ("less than 50 cm", 0.25),
    ("di atas lutut", 0.5),
    ("hampir selutut", 0.5),
    ("tidak surut, masih selutut", 0.5),
]
NONE = [
    "",
    "RT 05 RW 10",
    "50 rumah terendam",
    "banjir sejak jam 10 malam",
    "macet 2 km karena banjir",
    "banjir setinggi langit",
    "hujan 100 mm",
    "banjir 3 jam",
    "banjir 100 m dari kantor lurah",
    "banjir 1.500 m dari kantor",
    "20 m2 tergenang",
    "genangan sepanjang 3 m",
    "saluran lebar 1 meter, banjir",
    "mohon kali dikeruk sedalam 1-2 meter supaya tidak banjir",
    "jalan minta dicor 25 cm biar tidak banjir",
    "20 cm lagi masuk rumah",
    "tiang lampu 5 m",
    "arus 2 m/s",
    "lutut saya sakit",
    "seorang dewasa hanyut",
    "banjir dua puluh",
    "nomor 081234567890",
    # a level at a gate or gauge counts from the gauge's zero
    "tinggi muka air 250 cm",
    "TMA Katulampa 180 cm",
    "Pintu Air Manggarai 450 cm",
]
RECEDED = [
    ("kemarin selutut, sekarang sudah surut", None),
    ("sudah surut tinggal selutut", 0.5),
    ("sdh surut jadi 20 cm", 0.2),
    ("belum surut, 40 cm", 0.4),
    ("mulai surut, 40 cm", 0.4),
]


@pytest.mark.parametrize(("text", "metres"), [*BODY, *NUMBERS, *BOUNDS, *RECEDED, *((text, None) for text in NONE)])
def test_phrases_by_hand(text: str, metres: float | None) -> None:
    assert depth_m(text) == (metres if metres is None else pytest.approx(metres))


def test_a_number_goes_before_a_word_and_a_series_keeps_its_index() -> None:
    texts = pd.Series(["selutut, 40 cm", None, "terima kasih", "selutut"], index=[7, 3, 5, 1], dtype="string")
    depths = depths_m(texts)
    assert depths.index.tolist() == [7, 3, 5, 1]
    assert depths.to_numpy() == pytest.approx([0.4, np.nan, np.nan, 0.5], nan_ok=True)
    assert depths_m(pd.Series([], dtype="string")).dtype == np.float64


WORDS = [
    "banjir",
    "selutut",
    "tidak",
    "sampai",
    "0",
    "12",
    "1,5",
    "½",
    "-",
    "cm",
    "m",
    "meter",
    "sudah surut",
    ".",
    "\n",
    "knee deep",
    "up to the",
]


@given(
    st.one_of(st.text(), st.lists(st.sampled_from(WORDS)).map(" ".join), st.lists(st.sampled_from(WORDS)).map("".join))
)
def test_any_text_gives_a_believable_depth_or_none(text: str) -> None:
    found = depth_m(text)
    assert found is None or 0.0 <= found <= MAX_DEPTH_M


@given(
    st.integers(1, 499),
    st.sampled_from(["banjir {} cm", "banjir {}cm.", "tergenang {} centimeter", "setinggi {} cm, RT 03/02"]),
)
def test_every_centimetre_is_read(centimetres: int, pattern: str) -> None:
    assert depth_m(pattern.format(centimetres)) == pytest.approx(centimetres / 100)


def test_long_texts_take_no_longer_than_their_beginning() -> None:
    assert depth_m("selutut " + "x " * 1_000_000) == 0.5
    assert depth_m("1" * 1_000_000) is None


def test_jakartas_texts_agree_with_the_depths_beside_them(shared_data) -> None:
    """Reporters of one source set the depth on a slider and wrote a text: 57 texts tell a depth too."""
    table = gpd.read_file(shared_data("jakarta/reports_petabencana_2017.geojson"))
    given_m = table["flood_depth_cm"] / 100
    both = pd.DataFrame({"field": given_m, "text": depths_m(table["text"])}).dropna()
    error = both["text"] - both["field"]
    assert len(both) > 50
    assert abs(error.mean()) < 0.05
    assert error.abs().mean() < 0.12
    assert np.corrcoef(both["field"], both["text"])[0, 1] > 0.8
