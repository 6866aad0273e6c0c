"""The published rasters: their units, ranges and bilingual titles."""

from __future__ import annotations

from spatial.contracts.model import Coverage

COVERAGES: tuple[Coverage, ...] = (
    Coverage("elevation", "Elevasi", "Elevation", "m"),
    Coverage("elevation_cut", "Elevasi dengan saluran terpotong", "Elevation with waterways cut in", "m"),
    Coverage("hand", "Tinggi di atas saluran terdekat (HAND)", "Height above nearest drainage (HAND)", "m", 0.0),
    Coverage("twi", "Indeks kebasahan topografi (TWI)", "Topographic wetness index (TWI)", "ln(m)"),
    Coverage("gfi", "Indeks banjir geomorfik (GFI, metode BNPB)", "Geomorphic flood index (GFI, BNPB's method)"),
    Coverage("gfi_disagreement", "Beda peringkat dari GFI", "Rank difference from GFI", None, -1.0, 1.0),
    Coverage("depression_depth", "Kedalaman cekungan", "Depression depth", "m", 0.0),
    Coverage("depression_frequency", "Kekerapan cekungan", "Depression frequency", None, 0.0, 1.0),
    Coverage("rain_to_fill", "Hujan pengisi cekungan", "Rain to fill the depression", "mm", 0.0),
    Coverage("flood_susceptibility", "Kerentanan banjir", "Flood susceptibility", None, 0.0, 1.0),
    Coverage("water_depth", "Kedalaman air skenario", "Water depth of the scenario", "m", 0.0),
    Coverage("tide_hours", "Jam tergenang pasang", "Hours under the tide", "h", 0.0),
    Coverage("drainage_head", "Beda tinggi ke saluran pada pasang", "Head left to drainage at the tide", "m"),
)
COVERAGE_BY_NAME = {coverage.name: coverage for coverage in COVERAGES}
