"""A raster's page: its picture with the legend, what it is, where its values are. Nothing is loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}img{max-width:100%}"
    "figure{margin:0}.map{border:1px solid #ccc;image-rendering:pixelated}"
    "td,th{padding:.2rem .8rem .2rem 0;text-align:left}"
)


def collection_page(document: Mapping[str, Any]) -> str:
    """Return the page of a raster's collection from its JSON description."""
    here = next(link["href"] for link in document["links"] if link["rel"] == "self").replace("?f=json", "?")
    base, _, query = here.partition("?")
    pin = f"&{query.lstrip('&')}" if query.lstrip("&") else ""
    rows = "".join(
        f'<tr><td><a href="{escape(link["href"])}">{escape(link["title"])}</a></td><td>{escape(link["type"])}</td></tr>'
        for link in document["links"]
        if link["rel"] != "self"
    )
    told = document["hexakota"]
    facts = "".join(
        f"<tr><th>{escape(label)}</th><td>{escape(str(told[key]))}</td></tr>"
        for key, label in (
            ("unit", "satuan / unit"),
            ("minimum", "terkecil / least"),
            ("maximum", "terbesar / greatest"),
            ("pixel_size_m", "piksel / pixel, m"),
            ("vertical_datum", "datum vertikal / vertical datum"),
            ("version", "versi / version"),
        )
    )
    title = escape(document["title"])
    return (
        f'<!doctype html><html lang="id"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f'<h1>{title}</h1><figure><img class="map" alt="{title}" src="{escape(f"{base}/map?f=png{pin}")}">'
        f'<figcaption><img alt="legenda / legend" src="{escape(f"{base}/legend?f=png{pin}")}"></figcaption></figure>'
        f"<p>{escape(document['description'])}</p><table>{facts}</table>"
        f"<h2>Data</h2><table>{rows}</table><p>{escape(document['attribution'])}</p></html>"
    )
