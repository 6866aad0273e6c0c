"""Run by QGIS's own Python: open a vector tile layer, draw it, print what was seen."""

import json
import os
import sys

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
from qgis.core import (
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsProject,
    QgsRectangle,
    QgsVectorTileLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor

source, west, south, east, north, picture = sys.argv[1:]
QgsApplication.setPrefixPath("/usr", True)
application = QgsApplication([], False)
application.initQgis()
layer = QgsVectorTileLayer(source, "tiles")
project = QgsProject.instance()
degrees, metres = QgsCoordinateReferenceSystem("EPSG:4326"), QgsCoordinateReferenceSystem("EPSG:3857")
box = QgsCoordinateTransform(degrees, metres, project).transformBoundingBox(
    QgsRectangle(float(west), float(south), float(east), float(north))
)
settings = QgsMapSettings()
settings.setLayers([layer])
settings.setDestinationCrs(metres)
settings.setExtent(box)
settings.setOutputSize(QSize(400, 400))
settings.setBackgroundColor(QColor(255, 255, 255))
job = QgsMapRendererParallelJob(settings)
job.start()
job.waitForFinished()
image = job.renderedImage()
image.save(picture)
drawn = sum(image.pixelColor(x, y) != QColor(255, 255, 255) for x in range(0, 400, 4) for y in range(0, 400, 4))
seen = {"valid": layer.isValid(), "min": layer.sourceMinZoom(), "max": layer.sourceMaxZoom(), "drawn": drawn / 1e4}
print(json.dumps(seen))
sys.stdout.flush()
os._exit(0)
