"""Flood risk of a city: terrain, susceptibility from terrain, evidence from reports, zones from both."""
