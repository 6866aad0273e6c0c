"""Every text of the pages' interface, Indonesian and English. Templates write `t.name`."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

from services.parameters import LANGUAGES

MESSAGES: Mapping[str, tuple[str, str]] = {
    "about_data": ("Tentang data ini", "About these data"),
    "all": ("semua", "all"),
    "api": ("API untuk GIS", "API for GIS"),
    "api_intro": (
        "Alamat ini adalah OGC API: QGIS, ArcGIS, dan skrip membaca data yang sama dengan halaman ini.",
        "This address is an OGC API: QGIS, ArcGIS and scripts read the same data as these pages.",
    ),
    "api_document": ("Dokumen OpenAPI (JSON)", "OpenAPI document (JSON)"),
    "area": ("Luas wilayah", "Area"),
    "as_of": ("Data sampai", "Data up to"),
    "as_of_unknown": ("tidak diketahui: laporan tanpa waktu", "unknown: the reports carry no time"),
    "attribution": ("Sumber", "Attribution"),
    "calibrated": ("terkalibrasi", "calibrated"),
    "legend": ("Legenda", "Legend"),
    "pixel_size": ("Ukuran piksel", "Pixel size"),
    "raster": ("raster", "raster"),
    "not_calibrated": ("belum dikalibrasi", "not calibrated"),
    "cause": ("Dugaan penyebab", "Probable cause"),
    "change": ("Perubahan sejak versi sebelumnya", "Change since the last version"),
    "change_short": ("Perubahan", "Change"),
    "collections": ("Kumpulan data", "Collections"),
    "column": ("Kolom", "Column"),
    "conformance": ("Kesesuaian", "Conformance"),
    "details": ("Semua keterangan", "All details"),
    "draft_map": ("Gambar peta versi ini (PNG)", "Picture of this version's map (PNG)"),
    "empty": ("tidak diketahui", "not known"),
    "error": ("Permintaan tidak dapat dijawab", "The request cannot be answered"),
    "error_404": ("Tidak ditemukan", "Not found"),
    "error_500": ("Kesalahan di server", "Error in the server"),
    "evidence": ("Laporan", "Reports"),
    "flood_score": ("Skor banjir", "Flood score"),
    "features": ("fitur", "features"),
    "filter": ("Saring", "Filter"),
    "filtered_by": ("Disaring menurut", "Filtered by"),
    "gained": ("sel atau lampu bertambah", "cells or lamps gained"),
    "home": ("Beranda", "Home"),
    "how_sure": ("Seberapa yakin", "How sure"),
    "incidents": ("kejadian", "incidents"),
    "items": ("Lihat sebagai tabel", "See as a table"),
    "language": ("Bahasa", "Language"),
    "left_out": ("Yang tidak ada pada versi ini", "What this version had to do without"),
    "licence": ("Lisensi", "Licence"),
    "links": ("Tautan", "Links"),
    "lost": ("sel atau lampu berkurang", "cells or lamps lost"),
    "map": ("Peta", "Map"),
    "map_fallback": (
        "Peta ini memerlukan JavaScript dan WebGL; gambarnya ada di bawah ini.",
        "This map needs JavaScript and WebGL; below is its picture.",
    ),
    "map_more": (
        "Hanya {shown} dari {matched} fitur yang tampak; perbesar peta untuk melihat semuanya.",
        "Only {shown} of {matched} features are drawn; zoom in to see all.",
    ),
    "map_failed": ("Peta tidak dapat dimuat", "The map could not be loaded"),
    "map_open": ("Buka", "Open"),
    "meaning": ("Arti", "Meaning"),
    "metres_of_road": ("Jalan (m)", "Road (m)"),
    "next": ("Berikutnya", "Next"),
    "no_features": ("Tidak ada fitur yang cocok.", "No feature matches."),
    "no_kelurahan": ("Tanpa kelurahan", "No kelurahan"),
    "no_zones": ("Tidak ada zona.", "There are no zones."),
    "notes": ("Catatan", "Notes"),
    "null_columns": ("Kolom yang (sebagian) kosong, dan sebabnya", "Columns with nulls, and why"),
    "of": ("dari", "of"),
    "one_feature": ("Satu fitur", "One feature"),
    "other_forms": ("Bentuk lain", "Other forms"),
    "p_value": ("Nilai p", "p-value"),
    "p_explained": (
        "peluang kumpulan laporan sepadat ini muncul kebetulan saja",
        "probability that reports gather this densely by chance alone",
    ),
    "parameter": ("Parameter", "Parameter"),
    "parts": ("Bagian skor", "Parts of the score"),
    "part": ("Bagian", "Part"),
    "previous": ("Sebelumnya", "Previous"),
    "priority": ("Prioritas", "Priority"),
    "print": ("Cetak dari menu peramban (Ctrl+P)", "Print from the browser's menu (Ctrl+P)"),
    "property": ("Sifat", "Property"),
    "qgis": (
        "QGIS: Layer ▸ Add Layer ▸ Add WFS / OGC API - Features Layer ▸ New ▸ URL:",
        "QGIS: Layer ▸ Add Layer ▸ Add WFS / OGC API - Features Layer ▸ New ▸ URL:",
    ),
    "queryables": ("Sifat yang dapat disaring", "Queryable properties"),
    "ranking": ("Daftar prioritas per kelurahan", "Priority list per kelurahan"),
    "ranking_intro": (
        "Zona banjir dan zona PJU padam menurut kelurahan, yang paling mendesak lebih dulu. Siap dicetak. "
        "Zona yang melintasi batas ada di daftar setiap kelurahannya.",
        "Flood zones and lighting-outage zones per kelurahan, the most pressing first. Ready to print. "
        "A zone across a border is in the list of each of its kelurahan.",
    ),
    "ranks_per_type": (
        "Peringkat dihitung tersendiri untuk tiap jenis zona, di seluruh kota.",
        "Ranks are counted for each type of zone, over the whole city.",
    ),
    "reason": ("Sebab", "Reason"),
    "reports": ("laporan", "reports"),
    "rows": ("Jumlah fitur", "Features"),
    "schema": ("Skema", "Schema"),
    "score": ("Skor", "Score"),
    "share": ("Nilai", "Value"),
    "show": ("Tampilkan", "Show"),
    "skip": ("Langsung ke isi", "Skip to the content"),
    "sortables": ("Sifat untuk mengurutkan", "Sortable properties"),
    "synthetic": ("SINTETIS", "SYNTHETIC"),
    "synthetic_told": (
        "Kota ini dibuat komputer untuk mencoba Hexakota; bukan kota yang sebenarnya.",
        "A computer made this city to try Hexakota out; it is no real city.",
    ),
    "times": ("Rentang waktu", "Time span"),
    "title": ("Judul", "Title"),
    "try": ("Coba", "Try it"),
    "type": ("Jenis", "Type"),
    "unit": ("Satuan", "Unit"),
    "values": ("Nilai", "Values"),
    "version": ("Versi", "Version"),
    "vertical_datum": ("Datum vertikal", "Vertical datum"),
    "why": ("Mengapa", "Why"),
    "why_here": ("Mengapa zona ini ada", "Why this zone is here"),
}


def _texts(index: int) -> SimpleNamespace:
    return SimpleNamespace(**{key: pair[index] for key, pair in MESSAGES.items()})


TEXTS: Mapping[str, SimpleNamespace] = {lang: _texts(index) for index, lang in enumerate(LANGUAGES)}
"""The texts of each language, as attributes."""
