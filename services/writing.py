"""Features as CSV, and as pygeoapi's pages."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import shapely
from pygeoapi.util import render_j2_template

from services.view import View

Feature = dict[str, Any]


def csv_of(features: Sequence[Feature], names: Sequence[str], geometry: bool, point: bool) -> str:
    """Return features as CSV with a header line.

    Parameters
    ----------
    names : the properties, in this order.
    geometry : whether to write it: of points as `x, y` before the properties, of others as `wkt` after them.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    before, after = (["x", "y"], []) if point else ([], ["wkt"])
    writer.writerow([*before, *names, *after] if geometry else names)
    for feature in features:
        row = [feature["properties"][name] for name in names]
        if geometry and point:
            row = [*feature["geometry"]["coordinates"][:2], *row]
        elif geometry:
            row.append(shapely.to_wkt(shapely.geometry.shape(feature["geometry"]), rounding_precision=-1))
        writer.writerow(row)
    return out.getvalue()


def html_of_page(view: View, page: dict[str, Any], offset: int) -> str:
    """Return a page of features as HTML; `page` holds `numberMatched, links, features`."""
    own = {
        "itemtype": "feature",
        "items_path": f"{view.collection}/items",
        "dataset_path": view.collection,
        "offset": offset,
        "type": "FeatureCollection",
    }
    return _rendered(view, "collections/items/index.html", page | own)


def html_of_item(view: View, item: dict[str, Any]) -> str:
    """Return one feature as HTML."""
    return _rendered(view, "collections/items/item.html", item | {"title": view.title})


def _rendered(view: View, template: str, data: dict[str, Any]) -> str:
    api = view.edition.api
    locale = next(locale for locale in api.locales if locale.language == view.language)
    more = {"id_field": view.layer.id_column, "collections_path": api.get_collections_url()}
    page: str = render_j2_template(
        api.tpl_config, api.get_dataset_templates(view.layer.name), template, data | more, locale
    )
    return page
