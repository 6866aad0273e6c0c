"""A collection as ISO 19115 metadata in the XML of ISO 19139, in Indonesian with English beside it."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from services.catalogue.entries import Entry, Words, as_text

_SPACES = {
    "gmd": "http://www.isotc211.org/2005/gmd",
    "gco": "http://www.isotc211.org/2005/gco",
    "gml": "http://www.opengis.net/gml",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
}
_CODES = "http://standards.iso.org/iso/19139/resources/gmxCodelists.xml"
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, production 2
for _prefix, _uri in _SPACES.items():
    ET.register_namespace(_prefix, _uri)


def metadata(entry: Entry) -> bytes:
    """Return the document; characters that XML cannot hold are U+FFFD."""
    root = _node("gmd:MD_Metadata")
    root.extend(
        [
            _text("gmd:fileIdentifier", f"{entry.name}@{entry.version}"),
            _code("gmd:language", "gmd:LanguageCode", "ind"),
            _code("gmd:characterSet", "gmd:MD_CharacterSetCode", "utf8"),
            _code("gmd:hierarchyLevel", "gmd:MD_ScopeCode", "dataset"),
            _party("gmd:contact", entry),
            _node("gmd:dateStamp", _leaf("gco:DateTime", entry.updated[:19])),
            _text("gmd:metadataStandardName", "ISO 19115:2003/19139"),
            _text("gmd:metadataStandardVersion", "1.0"),
            _text("gmd:dataSetURI", entry.address),
            _locale(),
            *_systems(entry),
            _identification(entry),
            _distribution(entry),
            _quality(entry),
        ]
    )
    content: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return content


def _node(tag: str, *children: ET.Element, **attributes: str) -> ET.Element:
    prefix, name = tag.split(":")
    element = ET.Element(f"{{{_SPACES[prefix]}}}{name}", attributes)
    element.extend(children)
    return element


def _leaf(tag: str, text: str, **attributes: str) -> ET.Element:
    element = _node(tag, **attributes)
    element.text = _NOT_XML.sub("\ufffd", text)
    return element


def _text(tag: str, text: str) -> ET.Element:
    return _node(tag, _leaf("gco:CharacterString", text))


def _words(tag: str, words: Words) -> ET.Element:
    """Return a text in Indonesian, with its English as ISO 19139 has translations."""
    english = _leaf("gmd:LocalisedCharacterString", words["en"], locale="#en")
    element = _text(tag, words["id"])
    element.append(_node("gmd:PT_FreeText", _node("gmd:textGroup", english)))
    element.set(f"{{{_SPACES['xsi']}}}type", "gmd:PT_FreeText_PropertyType")
    return element


def _code(tag: str, kind: str, value: str) -> ET.Element:
    return _node(tag, _leaf(kind, value, codeList=f"{_CODES}#{kind[4:]}", codeListValue=value))


def _locale() -> ET.Element:
    return _node(
        "gmd:locale",
        _node(
            "gmd:PT_Locale",
            _code("gmd:languageCode", "gmd:LanguageCode", "eng"),
            _code("gmd:characterEncoding", "gmd:MD_CharacterSetCode", "utf8"),
            id="en",
        ),
    )


def _party(tag: str, entry: Entry) -> ET.Element:
    address = _node("gmd:CI_Address", _text("gmd:electronicMailAddress", entry.contact["email"]))
    return _node(
        tag,
        _node(
            "gmd:CI_ResponsibleParty",
            _text("gmd:organisationName", entry.contact["name"]),
            _node("gmd:contactInfo", _node("gmd:CI_Contact", _node("gmd:address", address))),
            _code("gmd:role", "gmd:CI_RoleCode", "pointOfContact"),
        ),
    )


def _systems(entry: Entry) -> list[ET.Element]:
    """Return the CRS, and the vertical datum where the city states one."""
    codes = [entry.crs] + [entry.vertical_datum] * (entry.vertical_datum is not None)
    return [
        _node(
            "gmd:referenceSystemInfo",
            _node(
                "gmd:MD_ReferenceSystem",
                _node("gmd:referenceSystemIdentifier", _node("gmd:RS_Identifier", _text("gmd:code", str(code)))),
            ),
        )
        for code in codes
    ]


def _identification(entry: Entry) -> ET.Element:
    date = _node(
        "gmd:CI_Date",
        _node("gmd:date", _leaf("gco:DateTime", entry.updated[:19])),
        _code("gmd:dateType", "gmd:CI_DateTypeCode", "revision"),
    )
    citation = _node(
        "gmd:CI_Citation",
        _words("gmd:title", entry.title),
        _node("gmd:date", date),
        _text("gmd:edition", entry.version),
        _node("gmd:identifier", _node("gmd:MD_Identifier", _text("gmd:code", entry.address))),
    )
    return _node(
        "gmd:identificationInfo",
        _node(
            "gmd:MD_DataIdentification",
            _node("gmd:citation", citation),
            _words("gmd:abstract", entry.abstract),
            *(_text("gmd:credit", text) for text in entry.credits),
            _party("gmd:pointOfContact", entry),
            _node(
                "gmd:descriptiveKeywords", _node("gmd:MD_Keywords", *(_text("gmd:keyword", k) for k in entry.keywords))
            ),
            _constraints(entry),
            _code("gmd:spatialRepresentationType", "gmd:MD_SpatialRepresentationTypeCode", entry.kind),
            _code("gmd:language", "gmd:LanguageCode", "ind"),
            _code("gmd:language", "gmd:LanguageCode", "eng"),
            _node("gmd:topicCategory", _leaf("gmd:MD_TopicCategoryCode", "geoscientificInformation")),
            _extent(entry),
        ),
    )


def _constraints(entry: Entry) -> ET.Element:
    name, address = entry.licence
    return _node(
        "gmd:resourceConstraints",
        _node(
            "gmd:MD_LegalConstraints",
            *(_text("gmd:useLimitation", text) for text in entry.credits),
            _code("gmd:useConstraints", "gmd:MD_RestrictionCode", "otherRestrictions"),
            _text("gmd:otherConstraints", f"{name} {address}"),
        ),
    )


def _extent(entry: Entry) -> ET.Element:
    sides = ("westBoundLongitude", "eastBoundLongitude", "southBoundLatitude", "northBoundLatitude")
    west, south, east, north = entry.box
    values = zip(sides, (west, east, south, north), strict=True)
    box = _node("gmd:EX_GeographicBoundingBox", *(_node(f"gmd:{s}", _leaf("gco:Decimal", repr(v))) for s, v in values))
    extent = _node("gmd:EX_Extent", _node("gmd:geographicElement", box))
    if entry.interval is not None and any(entry.interval):
        period = _node("gml:TimePeriod")
        period.set(f"{{{_SPACES['gml']}}}id", "period")
        for tag, end in zip(("gml:beginPosition", "gml:endPosition"), entry.interval, strict=True):
            period.append(_leaf(tag, end) if end else _leaf(tag, "", indeterminatePosition="unknown"))
        temporal = _node("gmd:EX_TemporalExtent", _node("gmd:extent", period))
        extent.append(_node("gmd:temporalElement", temporal))
    return _node("gmd:extent", extent)


def _distribution(entry: Entry) -> ET.Element:
    resources = [
        _node(
            "gmd:onLine",
            _node(
                "gmd:CI_OnlineResource",
                _node("gmd:linkage", _leaf("gmd:URL", link["href"])),
                _text("gmd:protocol", link["type"]),
                _text("gmd:name", link["title"]),
                _code("gmd:function", "gmd:CI_OnLineFunctionCode", "download"),
            ),
        )
        for link in entry.links
    ]
    options = _node("gmd:MD_DigitalTransferOptions", *resources)
    return _node("gmd:distributionInfo", _node("gmd:MD_Distribution", _node("gmd:transferOptions", options)))


def _quality(entry: Entry) -> ET.Element:
    scope = _node("gmd:DQ_Scope", _code("gmd:level", "gmd:MD_ScopeCode", "dataset"))
    step = _node("gmd:LI_ProcessStep", _text("gmd:description", f"parameters: {as_text(entry.parameters)}"))
    sources = [
        _node("gmd:source", _node("gmd:LI_Source", _text("gmd:description", as_text(row)))) for row in entry.sources
    ]
    lineage = _node("gmd:LI_Lineage", _words("gmd:statement", entry.lineage), _node("gmd:processStep", step), *sources)
    return _node(
        "gmd:dataQualityInfo",
        _node(
            "gmd:DQ_DataQuality",
            _node("gmd:scope", scope),
            *(_report(name, as_text(value)) for name, value in entry.quality.items()),
            _node("gmd:lineage", lineage),
        ),
    )


def _report(name: str, value: str) -> ET.Element:
    unit = _node("gmd:valueUnit")
    unit.set(f"{{{_SPACES['gco']}}}nilReason", "inapplicable")
    result = _node("gmd:DQ_QuantitativeResult", unit, _node("gmd:value", _leaf("gco:Record", value)))
    return _node(
        "gmd:report",
        _node("gmd:DQ_CompletenessOmission", _text("gmd:nameOfMeasure", name), _node("gmd:result", result)),
    )
