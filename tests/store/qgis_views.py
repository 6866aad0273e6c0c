"""Run by QGIS's Python: open views of a PostGIS schema, and say what QGIS sees of them as one line of JSON."""

import json
import os
import sys

from qgis.core import QgsApplication, QgsVectorLayer

server, schema, *views = sys.argv[1:]
app = QgsApplication([], False)
app.initQgis()
seen = {}
for name, key, kind in (view.split(":") for view in views):
    address = f'{server} key=\'{key}\' srid=4326 type={kind} table="{schema}"."{name}" (geom)'
    layer = QgsVectorLayer(address, name, "postgres")
    seen[name] = {
        "valid": layer.isValid(),
        "features": sum(1 for _ in layer.getFeatures()),
        "crs": layer.crs().authid(),
        "fields": [field.name() for field in layer.fields()],
        "title": layer.fields()[0].comment(),
    }
    del layer
print(json.dumps(seen), flush=True)
os._exit(0)  # QGIS 3.22 may crash while it ends
