"""The H3 grid of a city: cells, joins of points, lines and rasters to cells, statistics over neighbours."""
