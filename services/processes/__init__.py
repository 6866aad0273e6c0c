"""OGC API Processes 1.0: processes over a durable queue, run by `hexakota worker`. `pages.PART` is the part."""
