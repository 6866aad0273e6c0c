"""Inputs of a city, read and checked once: reports, taxonomy, roads, elevation, lamps, areas."""
