"""Run by QGIS's own Python: open the served project, draw its map and its print layout, and say what is in it."""

import json
import os
import sys

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
from qgis.core import (
    QgsApplication,
    QgsCoordinateTransform,
    QgsExpression,
    QgsExpressionContext,
    QgsExpressionContextUtils,
    QgsLayoutExporter,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsProject,
)
from qgis.PyQt.QtCore import QEventLoop, QSize
from qgis.PyQt.QtGui import QColor

path, picture, page = sys.argv[1:]
QgsApplication.setPrefixPath("/usr", True)
application = QgsApplication([], False)
application.initQgis()
project = QgsProject.instance()
seen = {"read": project.read(path), "title": project.title(), "crs": project.crs().authid(), "layers": {}}


def tips(layer):
    """Return the map tip of every feature by its id."""
    context = QgsExpressionContext(QgsExpressionContextUtils.globalProjectLayerScopes(layer))
    found = {}
    for feature in layer.getFeatures():
        context.setFeature(feature)
        identifier = feature[layer.displayExpression().strip('"')]
        found[identifier] = QgsExpression.replaceExpressionText(layer.mapTipTemplate(), context)
    return found


for node in project.layerTreeRoot().findLayers():
    layer = node.layer()
    seen["layers"][layer.id()] = {
        "title": node.name(),
        "valid": layer.isValid(),
        "features": layer.featureCount(),
        "renderer": layer.renderer().type(),
        "alias": layer.attributeAlias(layer.fields().indexOf(layer.displayExpression().strip('"'))),
        "tips": tips(layer),
        "checked": node.itemVisibilityChecked(),
        "provider": layer.dataProvider().name(),
    }
settings = QgsMapSettings()
settings.setLayers([n.layer() for n in project.layerTreeRoot().findLayers() if n.itemVisibilityChecked()])
settings.setDestinationCrs(project.crs())
settings.setTransformContext(project.transformContext())
settings.setOutputSize(QSize(1000, 800))
settings.setBackgroundColor(QColor("white"))
view = project.viewSettings().defaultViewExtent()
settings.setExtent(QgsCoordinateTransform(view.crs(), project.crs(), project).transformBoundingBox(view))
job = QgsMapRendererSequentialJob(settings)
loop = QEventLoop()
job.finished.connect(loop.quit)
job.start()
loop.exec_()
image = job.renderedImage()
image.save(picture)
colours = {image.pixelColor(x, y).name() for y in range(0, 800, 5) for x in range(0, 1000, 5)}
seen["colours"] = len(colours)
layout = project.layoutManager().layouts()[0]
seen["layout"] = layout.name()
export = QgsLayoutExporter.ImageExportSettings()
export.dpi = 100
seen["exported"] = QgsLayoutExporter(layout).exportToImage(page, export) == QgsLayoutExporter.Success
print(json.dumps(seen))
sys.stdout.flush()
os._exit(0)
