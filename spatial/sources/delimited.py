"""Tables as delimited text: CSV and its kin, with separator and encoding read from the file where nothing is stated."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from spatial.errors import InputError
from spatial.sources.quarantine import BadRow, clean
from spatial.sources.raw import RawTable, ReadOptions

DELIMITERS = (",", ";", "\t", "|")
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "cp1252")
_SIGNS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_SAMPLE, _RECORDS = 65_536, 200
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")


def read_csv(path: Path, options: ReadOptions) -> RawTable:
    """Read delimited text; the first line names the columns.

    A line with another number of fields than the header, broken quotes or bytes that are not of the encoding is a bad
    row. Separator and encoding are the stated ones, else those that the file's own bytes speak for (`notes` say why).

    Raises
    ------
    InputError
        No usable header, a quote that is never closed, a stated encoding or separator that cannot be, or two
        separators that fit equally well.
    """
    text, notes = _text(path, options.encoding)
    delimiter = options.delimiter
    if delimiter is None:
        delimiter, why = _delimiter(path, text)
        notes += (why,)
    records = _records(path, text, delimiter)
    header = _header(path, records)
    rows: dict[int, list[str | None]] = {}
    bad: list[BadRow] = []
    for number, (fields, line, problem) in enumerate(records, 1):
        refused = _refused(number, header, fields, line, problem)
        if refused:
            bad.append(refused)
        else:
            rows[number] = [value if value.strip() else None for value in fields]
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=header, dtype=object)
    return RawTable(frame, None, None, tuple(bad), notes)


def _text(path: Path, stated: str | None) -> tuple[str, tuple[str, ...]]:
    """Return the text and how it was decoded; bytes that do not fit become surrogates, which `_refused` sees."""
    data = path.read_bytes()
    if stated is not None:
        return _decoded(path, data, stated), ()
    encoding, why = _encoding(data)
    note = f"{path.name}: encoding {encoding} ({why})" if encoding != "utf-8" else None
    return _decoded(path, data, encoding), (note,) if note else ()


def _decoded(path: Path, data: bytes, encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
    except LookupError as error:
        problem, hint = f"'{encoding}' is not known", f"known: {', '.join(ENCODINGS)}"
        raise InputError(path, "encoding", problem, hint) from error
    if name == "utf-8":
        name = "utf-8-sig"
    lenient = name in ("utf-8-sig", "ascii", "cp1252")
    try:
        return data.decode(name, errors="surrogateescape" if lenient else "strict").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        problem = f"is not {encoding}: byte {error.start} does not fit"
        raise InputError(path, "encoding", problem, "state the encoding that it was saved in") from error


def _encoding(data: bytes) -> tuple[str, str]:
    """Return the encoding that the bytes speak for, and their evidence."""
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16", "byte order mark"
    if data[:3] == codecs.BOM_UTF8:
        return "utf-8-sig", "byte order mark"
    head = data[:_SAMPLE]
    for name, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if len(head) > 3 and zeros.count(0) > 0.4 * len(zeros):
            return name, f"every second byte is zero in {zeros.count(0)} of {len(zeros)} places"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return _not_utf8(data)
    return "utf-8", "all bytes fit"


def _not_utf8(data: bytes) -> tuple[str, str]:
    """Return UTF-8 with damaged places, or cp1252: whichever more of the non-ASCII characters fit."""
    pairs = _MULTIBYTE.findall(data)
    strays = Counter(byte for byte in _MULTIBYTE.sub(b"", data) if byte > 127)
    undefined = sum(strays[byte] for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D))
    if undefined or len(pairs) >= strays.total():
        return "utf-8", f"{len(pairs)} characters fit, {strays.total()} bytes do not"
    shown = "".join(bytes([byte]).decode("cp1252") for byte, _ in strays.most_common(5))
    return "cp1252", f"{strays.total()} bytes are not UTF-8, all are characters of cp1252, such as {shown}"


def _delimiter(path: Path, text: str) -> tuple[str, str]:
    """Return the separator that most lines agree on with the header, the one of more fields if two do."""
    sample = text[:_SAMPLE]
    if len(sample) < len(text):
        sample = sample[: sample.rfind("\n") + 1] or sample
    fits = sorted(((*_fit(sample, sign), sign) for sign in DELIMITERS), reverse=True)
    share, fields, sign = fits[0]
    if fields < 2:
        return ",", f"{path.name}: one column (no comma, semicolon, tab or bar parts the header)"
    if fits[1][:2] == (share, fields):
        problem = f"{_SIGNS[sign]} and {_SIGNS[fits[1][2]]} part the lines equally well"
        raise InputError(path, "delimiter", problem, 'state it, e.g. delimiter = ";"')
    return (
        sign,
        f"{path.name}: separator {_SIGNS[sign]} ({fields} fields in the header and in {share:.0%} of the lines)",
    )


def _fit(sample: str, sign: str) -> tuple[float, int]:
    """Return the share of the sample's records with as many fields as its header, and that number; (0, 1) if one."""
    counts: list[int] = []
    try:
        for fields in csv.reader(io.StringIO(sample, newline=""), delimiter=sign):
            if fields:
                counts.append(len(fields))
            if len(counts) > _RECORDS:
                break
    except csv.Error:
        pass
    if not counts or counts[0] < 2:
        return 0.0, 1
    rows = counts[1:] or counts[:1]
    return round(sum(count == counts[0] for count in rows) / len(rows), 6), counts[0]


_Record = tuple[list[str], str, str | None]


def _records(path: Path, text: str, delimiter: str) -> Iterator[_Record]:
    """Yield fields, text and problem of each record that is not blank."""
    if len(delimiter) != 1:
        raise InputError(path, "delimiter", f"'{delimiter}' is not one character", 'write delimiter = ";"')
    read: list[str] = []
    reader = csv.reader(_tapped(text, read), delimiter=delimiter, strict=True)
    while True:
        read.clear()
        start = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if len(read) > 1 and "expected after" not in str(error):
                problem = "a quote is opened and not closed"
                raise InputError(path, f"line {start}", problem, "correct the line") from error
            yield [], "".join(read), str(error)
            continue
        if len(fields) > 1 or any(field.strip() for field in fields):
            yield fields, "".join(read), None


def _tapped(text: str, read: list[str]) -> Iterator[str]:
    for line in io.StringIO(text, newline=""):
        read.append(line)
        yield line


def _header(path: Path, records: Iterator[_Record]) -> list[str]:
    fields, line, problem = next(records, ([], "", "no header line"))
    if problem or clean(line) != line:
        damage = "holds bytes that are not of its encoding"
        raise InputError(path, "header", problem or damage, "the first line names the columns; state encoding")
    names = [name.strip() or f"(column {i})" for i, name in enumerate(fields, 1)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(path, twice[0], "names two columns of the header", "name each column once")
    return names


def _refused(number: int, header: list[str], fields: list[str], line: str, problem: str | None) -> BadRow | None:
    if problem:
        return BadRow(number, "row", "broken_line", problem, line)
    if clean(line) != line:
        wrong = next(i for i, value in enumerate(fields) if clean(value) != value)
        return BadRow(number, header[wrong] if wrong < len(header) else "row", "not_utf8", fields[wrong], line)
    if len(fields) != len(header):
        return BadRow(number, "row", "wrong_field_count", f"{len(fields)} fields, {len(header)} expected", line)
    return None
