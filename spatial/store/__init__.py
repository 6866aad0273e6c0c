"""The store of a city: live tables, immutable versions, and the GeoPackage files that both are kept in."""
