"""Hexakota's services: the command line and the OGC API server over a city's store."""

import sys

if sys.version_info < (3, 12):  # noqa: UP036  (an older interpreter that finds the source must get one clear line)
    found = ".".join(map(str, sys.version_info[:2]))
    sys.stderr.write("hexakota: Python %s is too old; expected 3.12 or newer; run `make install`\n" % found)  # noqa: UP031
    sys.exit(2)
