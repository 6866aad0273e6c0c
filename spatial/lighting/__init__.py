"""Street lighting: which lamps are reported dark, and the zones that they form."""
