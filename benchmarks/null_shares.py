"""Share of nulls of every contract column in published cities, and the reason that each version gives.

python benchmarks/null_shares.py tests/cities/lisbon tests/cities/jakarta tests/cities/porto_alegre demo
"""

from __future__ import annotations

import sys
from pathlib import Path

from spatial.contracts import Layer
from spatial.registry import LAYERS
from spatial.store.geopackage import read_layer
from spatial.store.versions import Version, Versions


def share(version: Version, layer: Layer, column: str) -> str:
    """Return the share of nulls of a column, – where the layer has no features."""
    values = read_layer(version.layers, layer.name)[column]
    return f"{values.isna().mean():.0%}" if len(values) else "–"


def reasons(cities: dict[str, Version], layer: Layer, column: str) -> str:
    """Return the distinct reasons, each with the cities that give it."""
    told: dict[str, list[str]] = {}
    for name, version in cities.items():
        known = version.manifest["layers"][layer.name]["null_because"].get(column)
        if known:
            told.setdefault(known["en"], []).append(name)
    return "; ".join(f"{reason} ({', '.join(names)})" for reason, names in told.items())


def main() -> None:
    """Print one Markdown table per layer."""
    versions = {Path(name).name: Versions(Path(name) / "var").current() for name in sys.argv[1:]}
    cities = {name: version for name, version in versions.items() if version is not None}
    print("# Nulls\n\nShare of features without a value, and why. Printed by `python benchmarks/null_shares.py CITY…`.")
    for layer in LAYERS:
        print(f"\n## `{layer.name}`\n\n| column | {' | '.join(cities)} | why |\n|---|{'---|' * (len(cities) + 1)}")
        for column in layer.names:
            shares = [share(version, layer, column) for version in cities.values()]
            print(f"| `{column}` | {' | '.join(shares)} | {reasons(cities, layer, column)} |")


if __name__ == "__main__":
    main()
