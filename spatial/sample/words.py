"""What citizens of the sample city write: category words, short texts, words for depth; and the notice on its files."""

from __future__ import annotations

from collections.abc import Mapping

# Shares of categories. Waste, street lights and flood are Kupang's; the rest is spread.
SHARES: Mapping[str, float] = {
    "waste": 0.28,
    "street_light": 0.16,
    "flood": 0.08,
    "drainage": 0.11,
    "tree": 0.08,
    "mobility": 0.08,
    "road": 0.12,
    "social_aid": 0.05,
    "other": 0.04,
}
CATEGORY_WORDS: Mapping[str, tuple[str, ...]] = {
    "waste": ("Sampah",),
    "street_light": ("PJU padam",),
    "flood": ("Banjir", "Banjir", "Potensi banjir"),
    "drainage": ("Drainase tersumbat",),
    "tree": ("Pohon tumbang",),
    "mobility": ("Akses trotoar",),
    "road": ("Jalan rusak",),
    "social_aid": ("Bantuan sosial",),
    "other": ("Lain-lain",),
}
TEXTS: Mapping[str, tuple[str, ...]] = {
    "waste": (
        "Sampah menumpuk di {road}, sudah {n} hari belum diangkut",
        "Ada yang buang sampah liar di {road}",
        "Bau sampah menyengat dekat {road}, mohon diangkut",
        "Tempat sampah penuh di {road}",
    ),
    "street_light": (
        "Lampu jalan mati di {road}",
        "PJU padam sudah {n} malam di {road}, gelap sekali",
        "Mohon perbaikan lampu jalan di {road}",
        "Lampu depan rumah di {road} tidak menyala",
    ),
    "flood": (
        "Banjir di {road}{depth}",
        "Air tergenang di {road}{depth}, motor mogok",
        "Hujan deras, {road} kebanjiran{depth}",
        "Mohon bantuan, {road} banjir{depth}",
    ),
    "leak": (
        "Pipa PDAM bocor, air menggenang di {road}",
        "Air menggenang dari pipa bocor di {road}",
        "Setiap hujan takut banjir di {road}",
    ),
    "drainage": (
        "Drainase tersumbat di {road}",
        "Selokan mampet dekat {road}, bau",
        "Gorong-gorong di {road} penuh lumpur",
    ),
    "tree": (
        "Pohon tumbang menutup {road}",
        "Dahan pohon rawan jatuh di {road}",
        "Pohon besar di {road} perlu dipangkas",
    ),
    "mobility": (
        "Trotoar di {road} dipakai parkir",
        "Akses trotoar tertutup pedagang di {road}",
        "Trotoar {road} rusak, kursi roda tidak bisa lewat",
    ),
    "road": ("Jalan berlubang di {road}", "Aspal {road} rusak parah", "Lubang besar di {road}, bahaya malam hari"),
    "social_aid": ("Warga di {road} belum menerima bantuan sosial", "Mohon didata untuk bansos, warga {road}"),
    "other": ("Suara bising tiap malam di {road}", "Kabel menjuntai di {road}", "Mohon penertiban di {road}"),
}
DEPTH_WORDS: tuple[tuple[float, str], ...] = (
    (0.2, "semata kaki"),
    (0.4, "sebetis"),
    (0.7, "selutut"),
    (1.1, "sepinggang"),
    (9.0, "sedada"),
)
UNREADABLE_TIMES = ("31/02 siang", "kemarin sore", "0000-00-00 00:00:00", "2024-13-45 25:61:00")
REPORT_HEADER = ("id", "waktu", "lintang", "bujur", "kategori", "uraian", "status", "waktu_selesai", "kedalaman_cm")


def depth_word(depth_m: float) -> str:
    """Return the word that people use for a depth of water."""
    return next(word for limit, word in DEPTH_WORDS if depth_m <= limit or limit == DEPTH_WORDS[-1][0])


NOTICE = """\
KOTA CONTOH: SEMUA DATA DI FOLDER INI SINTETIS
Kota ini tidak ada. Garis pantai, sungai, jalan, lampu, elevasi, nama, dan laporan warga dibuat oleh program
dari bilangan acak (seed {seed}). Jangan dipakai untuk keputusan apa pun tentang tempat nyata.

THE SAMPLE CITY: ALL DATA IN THIS FOLDER ARE SYNTHETIC
This city does not exist. Its coast, rivers, roads, lamps, elevation, names and citizens' reports were made by a program
from random numbers (seed {seed}). Do not use them for any decision about a real place.

laporan.csv        laporan warga, waktu WITA / citizens' reports, local time (UTC+8)
jalan.geojson      jalan / roads
lampu.geojson      lampu jalan; panel tidak selalu diketahui / street lamps; the panel is not always known
elevasi.tif        elevasi 30 m, dengan galat seperti data nyata / elevation, 30 m, with errors as real data have
kelurahan.geojson  kelurahan
kecamatan.geojson  kecamatan
boundary.geojson   batas kota / the city's boundary

Folder truth/ menyimpan kebenaran yang ditanam; bukan masukan.
The folder truth/ holds the planted truth; it is not an input.
"""

SETTINGS = """\
# Kota contoh: semua datanya sintetis. / The sample city: all of its data are synthetic.
# Dibuat dengan seed {seed}; berkas di data/ dibaca seperti berkas kota mana pun.
# Made with seed {seed}; the files in data/ are read like any city's.

[city]
name = "Kota Contoh (sintetis)"
resolution = 9               # resolusi H3 / H3 resolution
time_zone = "Asia/Makassar"  # WITA; waktu laporan tanpa zona / report times carry no zone
synthetic = true             # bukan tempat nyata / not a real place
seed = {seed}
attribution = ["Data sintetis Hexakota / synthetic data made by Hexakota"]

[area]
file = "data/boundary.geojson"

# Laporan warga / citizens' reports
[[reports]]
path = "data/laporan.csv"
source = "lapor_contoh"
depth_unit = "cm"
[reports.columns]
report_id = "id"
lon = "bujur"
lat = "lintang"
category = "kategori"
description = "uraian"
status = "status"
requested_datetime = "waktu"
resolved_datetime = "waktu_selesai"
depth_m = "kedalaman_cm"

# Jalan / roads
[[roads]]
path = "data/jalan.geojson"
[roads.columns]
highway = "highway"
name = "name"
lit = "lit"
road_id = "osm_id"

# Elevasi, 30 m / elevation, 30 m
[[elevation]]
path = "data/elevasi.tif"
vertical_datum = "EGM2008"

# Lampu jalan / street lamps
[[lamps]]
path = "data/lampu.geojson"
[lamps.columns]
lamp_id = "lamp_id"
panel_id = "panel_id"

[[admin_areas]]
path = "data/kelurahan.geojson"
level = "kelurahan"

[[admin_areas]]
path = "data/kecamatan.geojson"
level = "kecamatan"

# Galat elevasi menurut pembuatnya / error of the elevation, as its maker states it
[dem_error]
sigma_m = 0.7
range_m = 150.0
"""
