"""Tests of spatial.sources."""
