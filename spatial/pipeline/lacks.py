"""What a run had to do without: one bilingual sentence each, with a stable code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spatial.pipeline.gaps import Known
from spatial.pipeline.judgement import NO_LABELLED_CELL


def left_out(known: Known, facts: Mapping[str, Any], skill: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return what the run had to do without, one bilingual sentence each, with a stable code."""
    rows = (*_of_reports(known), *_of_reporting(facts), *_of_places(known, facts), *_of_labels(known, skill))
    return [{"code": code, "id": indonesian, "en": english} for applies, code, indonesian, english in rows if applies]


Lack = tuple[bool, str, str, str]
"""Whether it is so, its code, and its sentence in Indonesian and English."""


def _of_reports(known: Known) -> list[Lack]:
    return [
        (
            not known.elevation,
            "no_elevation",
            "Tanpa data elevasi: zona banjir hanya dari laporan warga.",
            "No elevation: flood zones come from citizens' reports alone.",
        ),
        (
            known.min_count > 0,
            "withheld_small_counts",
            f"Hitungan kecil ditahan: hanya {known.released} laporan yang dilepas, dalam kelompok utuh "
            f"{known.min_count} kejadian per kategori dan sel acuan; kosong berarti 0 sampai "
            f"{known.min_count - 1}, angka berarti sekurangnya.",
            f"Small counts are withheld: only {known.released} reports are released, in whole batches of "
            f"{known.min_count} incidents of a category and an anchor cell; null means 0 to {known.min_count - 1}, a "
            "number means at least so many.",
        ),
        (
            known.min_count > 0 and not known.lamps,
            "withheld_lighting_zones",
            "Zona PJU ditahan: tanpa inventaris lampu garis luarnya menunjukkan tempat pelapor.",
            "Lighting zones are withheld: without a lamp inventory their outline would show where reporters stood.",
        ),
        (
            not known.reports and known.min_count == 0,
            "no_reports",
            "Tanpa laporan: zona banjir hanya dari medan, zona PJU tidak ada.",
            "No reports: flood zones come from terrain alone, and there are no lighting zones.",
        ),
        (
            known.terrain_leads,
            "few_flood_reports",
            f"Hanya {known.flood_incidents} kejadian banjir: skor dan zona banjir ditentukan oleh medan.",
            f"Only {known.flood_incidents} flood incidents: flood score and zones are led by terrain.",
        ),
        (
            known.reports and not known.background,
            "no_background",
            "Tanpa laporan kategori lain: bukti banjir tidak dikoreksi terhadap kebiasaan melapor.",
            "No reports of other categories: flood evidence is not corrected for reporting.",
        ),
        (
            known.reports and not known.times,
            "no_times",
            "Laporan tanpa waktu: status menentukan mana yang terbuka, tren tidak dihitung.",
            "The reports carry no time: status decides what is open, and there is no trend.",
        ),
    ]


def _of_reporting(facts: Mapping[str, Any]) -> list[Lack]:
    told = str(facts.get("reporting_warnings", "")).split(",")
    words = facts.get("lamp_words_unknown")
    return [
        (
            words is not None,
            "lamp_words",
            f"Jenis atau garansi lampu tidak terbaca: {words}.",
            f"Kind or warranty of lamps not understood: {words}.",
        ),
        (
            "no_repeats" in told,
            "no_repeated_reports",
            "Tidak ada kejadian yang dilaporkan dua kali: laju pelaporan dan silence tidak dapat diketahui.",
            "No incident was reported twice: reporting rates and silence cannot be known.",
        ),
        (
            "repeats_do_not_fit" in told,
            "repeats_do_not_fit",
            "Jumlah laporan per kejadian tidak cocok dengan modelnya; laju pelaporan dan silence bisa meleset.",
            "Reports per incident do not fit their model; reporting rates and silence may be off in all cells alike.",
        ),
    ]


def _of_places(known: Known, facts: Mapping[str, Any]) -> list[Lack]:
    edge = float(facts.get("catchment_touches_edge_share", 0.0))
    return [
        (
            known.too_fine,
            "fine_resolution",
            "Sel lebih halus daripada elevasinya: beda antarsel bertetangga tidak bermakna.",
            "The cells are finer than the elevation: differences between neighbours mean nothing.",
        ),
        (
            known.elevation and not known.elevation_error,
            "no_elevation_error",
            "Galat elevasi tidak dinyatakan: cekungan dihitung apa adanya, yang palsu ikut terhitung.",
            "The elevation's error is not stated: hollows count as they are, false ones among them.",
        ),
        (not known.roads, "no_roads", "Tanpa data jalan: panjang jalan tidak dihitung.", "No roads: no road lengths."),
        (
            known.roads and not known.road_classes,
            "no_road_classes",
            "Jalan tanpa kelas: jalan utama tidak dikenali.",
            "The roads carry no class: major roads are not known.",
        ),
        (
            not known.lamps,
            "no_lamps",
            "Tanpa inventaris lampu: lampu diperkirakan di sepanjang jalan pada jarak lazim.",
            "No lamp inventory: lamps are inferred along the roads at the usual spacing.",
        ),
        (
            not (known.kelurahan or known.kecamatan),
            "no_admin_areas",
            "Tanpa batas kelurahan dan kecamatan.",
            "No kelurahan or kecamatan boundaries.",
        ),
        (
            edge >= 0.001,
            "edge_catchments",
            f"{edge:.1%} piksel darat menerima air dari tepi data elevasi: HAND "
            "dan akumulasi aliran di sana bisa salah.",
            f"{edge:.1%} of the land pixels drain ground that reaches the edge "
            "of the elevation: HAND and flow accumulation may be wrong there.",
        ),
    ]


def _of_labels(known: Known, skill: Mapping[str, Any]) -> list[Lack]:
    score = skill.get("flood_score", {"calibrated": False, "reason_id": "", "reason_en": ""})
    fitted = skill.get("flood_probability", {}).get("skill", {"calibrated": True, "reason_id": "", "reason_en": ""})
    return [
        (
            NO_LABELLED_CELL in skill,
            "not_calibrated",
            "Skor banjir belum dikalibrasi: tidak ada banjir yang disebut kota ini di dalam sel yang berskor.",
            "The flood score is not calibrated: no past flood that the city names lies in a cell with a score.",
        ),
        (
            known.labels and NO_LABELLED_CELL not in skill and not score["calibrated"],
            "not_calibrated",
            f"Skor banjir, dinilai terhadap banjir yang pernah terjadi: {score['reason_id'] or 'tak bisa dinilai'}.",
            f"The flood score, judged by a past flood: {score['reason_en'] or 'it could not be judged'}.",
        ),
        (
            not fitted["calibrated"],
            "probability_not_calibrated",
            f"Peluang banjir, dinilai pada blok yang tidak dipakai menghitungnya: {fitted['reason_id']}.",
            f"The flood probability, judged on blocks that its fit has not seen: {fitted['reason_en']}.",
        ),
        (
            not known.labels and (known.elevation or known.reports),
            "not_calibrated",
            "Skor banjir belum dikalibrasi: belum dinilai terhadap banjir yang pernah terjadi di kota ini.",
            "The flood score is not calibrated: it has not been scored against a past flood of this city.",
        ),
    ]
