"""Run by QGIS's own Python: open each layer of a GeoPackage from disk and print the style it comes with."""

import json
import os
import sys

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
from qgis.core import QgsApplication, QgsVectorLayer

path, *names = sys.argv[1:]
QgsApplication.setPrefixPath("/usr", True)
application = QgsApplication([], False)
application.initQgis()
seen = {}
for name in names:
    layer = QgsVectorLayer(f"{path}|layername={name}", name, "ogr")
    renderer = layer.renderer()
    seen[name] = {
        "valid": layer.isValid(),
        "features": layer.featureCount(),
        "renderer": renderer.type(),
        "attribute": renderer.classAttribute() if hasattr(renderer, "classAttribute") else None,
        "classes": len(renderer.legendSymbolItems()),
        "alias": layer.attributeAlias(1),
    }
print(json.dumps(seen))
sys.stdout.flush()
os._exit(0)
