"""Hexakota's spatial half: citizen reports, roads and elevation into flood-risk and lighting-outage zones."""

__version__ = "0.1.0"
