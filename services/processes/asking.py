"""An execution request (18-062r2, clause 7.11.2): parsed, links resolved, inputs checked; errors name the input.

Links are read without the network: `data:` URLs, and features of this server's own polygon collections.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, unquote_to_bytes, urlsplit

import orjson
from jsonschema import Draft202012Validator, ValidationError

from services.processes.errors import invalid
from services.processes.model import Process

MAX_BODY_BYTES = 10_000_000
_MEMBERS = ("inputs", "outputs", "response", "subscriber")
_QUALIFIED = {"value", "mediaType", "encoding", "schema", "format"}
_LINK = {"href", "rel", "type", "hreflang", "title", "length"}
URIS = ("successUri", "inProgressUri", "failedUri")
_DATA = re.compile(r"data:([\w.+-]+/[\w.+-]+)?((?:;[\w-]+=[^;,]*)*)(;base64)?,(.*)", re.DOTALL)
Feature = Callable[[str, str], Any]
"""Of a collection and an id, the GeoJSON geometry of that feature; raises ProcessError."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that can be run.

    Attributes
    ----------
    inputs : with their defaults.
    outputs : transmission mode (None: not said) by output, those that were asked for; all by default.
    response : `raw` or `document`.
    subscriber : addresses to call, by their name in the standard.
    """

    inputs: Mapping[str, Any]
    outputs: Mapping[str, str | None]
    response: str
    subscriber: Mapping[str, str]


def asked_of(process: Process, body: bytes, base_url: str, feature: Feature) -> Asked:
    """Parse the body of an execution request. Raises ProcessError (400) that names the member at fault."""
    request = _object(body)
    unknown = sorted(set(request) - set(_MEMBERS))
    if unknown:
        raise invalid(f"{unknown[0]}: not a member of an execution request; expected {', '.join(_MEMBERS)}")
    given = request.get("inputs", {})
    if not isinstance(given, dict):
        raise invalid("inputs: expected an object of inputs by name")
    inputs = {
        name: _inline(f"inputs.{name}", value, base_url, feature) if isinstance(value, dict) else value
        for name, value in given.items()
    }
    check_inputs(process, inputs)
    defaults = {one.name: one.schema["default"] for one in process.inputs if "default" in one.schema}
    response = request.get("response", "raw")
    if response not in ("raw", "document"):
        raise invalid("response: expected raw or document")
    outputs = _outputs(process, request.get("outputs", {name: {} for name in process.output_by_name}))
    subscriber = _subscriber(request["subscriber"]) if "subscriber" in request else {}
    return Asked(defaults | _whole(process, inputs), outputs, response, subscriber)


def _object(body: bytes) -> dict[str, Any]:
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise invalid(f"the body is not JSON ({error}); expected an object with `inputs`") from error
    if not isinstance(request, dict):
        raise invalid("the body is not a JSON object; expected one with `inputs`")
    return request


def _inline(name: str, value: dict[str, Any], base_url: str, feature: Feature) -> Any:
    """Return the value itself: of a qualified value, of a link, of a GeoJSON feature its geometry."""
    if "href" in value and set(value) <= _LINK:
        value = _linked(name, value["href"], base_url, feature)
    elif "value" in value and set(value) <= _QUALIFIED:
        if value.get("encoding", "utf-8") not in ("utf-8", "utf8"):
            raise invalid(f"{name}.encoding={value['encoding']}: expected utf-8; no input is binary")
        value = value["value"]
    if isinstance(value, dict) and value.get("type") == "Feature" and "geometry" in value:
        return value["geometry"]
    return value


def _linked(name: str, href: Any, base_url: str, feature: Feature) -> Any:
    if not isinstance(href, str):
        raise invalid(f"{name}.href: expected a string")
    data = _DATA.fullmatch(href)
    if data:
        try:
            content = base64.b64decode(data[4], validate=True) if data[3] else unquote_to_bytes(data[4])
            return orjson.loads(content)
        except ValueError as error:
            raise invalid(f"{name}.href: the data URL holds no JSON") from error
    item = re.fullmatch(r"/collections/([^/?#]+)/items/([^?#]+)", href.removeprefix(base_url))
    if href.startswith(f"{base_url}/") and item:
        return feature(unquote(item[1]), unquote(item[2]))
    raise invalid(
        f"{name}.href: {urlsplit(href).netloc or 'this'} is not read; expected a data: URL, or "
        f"{base_url}/collections/…/items/… without a query"
    )


def check_inputs(process: Process, inputs: Mapping[str, Any]) -> None:
    """Check inputs by their schemas. Raises ProcessError (400) that names the input and says what was expected."""
    names = [one.name for one in process.inputs]
    for name in inputs:
        if name not in names:
            raise invalid(f"inputs.{name}: not an input of {process.id}; expected {', '.join(names)}")
    for one in process.inputs:
        if one.required and one.name not in inputs:
            raise invalid(f"inputs.{one.name}: is missing; expected {_expected(one.schema, one.unit)}")
        if one.name in inputs:
            error = next(Draft202012Validator(one.schema).iter_errors(inputs[one.name]), None)
            if error is not None:
                raise invalid(_told(one.name, error, one.unit))


def _whole(process: Process, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs with integers as such: a schema takes 3.0 for one."""
    whole = {one.name for one in process.inputs if one.schema.get("type") == "integer"}
    return {name: int(value) if name in whole else value for name, value in inputs.items()}


def _told(name: str, error: ValidationError, unit: str | None) -> str:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path)
    schema = error.schema if isinstance(error.schema, dict) else {}
    plain = error.instance if not isinstance(error.instance, dict | list) else type(error.instance).__name__
    if error.validator in ("required", "additionalProperties", "not"):
        return f"inputs.{name}{path}: {error.message[:200]}" if error.validator != "not" else _no_crs(name)
    return f"inputs.{name}{path}={str(plain)[:100]}: expected {_expected(schema, unit)}"


def _no_crs(name: str) -> str:
    return f"inputs.{name}.crs: not taken; expected longitude and latitude in degrees, CRS84 (RFC 7946)"


def _expected(schema: Mapping[str, Any], unit: str | None) -> str:
    """Return what a schema wants, as words."""
    if "enum" in schema:
        return " or ".join(str(value) for value in schema["enum"])
    if "oneOf" in schema:
        return " or ".join(_expected(one, None) for one in schema["oneOf"])
    words = [str(schema.get("type", "another value"))]
    if schema.get("format", "").startswith("geojson"):
        kinds = schema["properties"]["type"]["enum"]
        words = [f"a GeoJSON {' or '.join(kinds)}"]
    if "minimum" in schema:
        words.append(f"from {schema['minimum']:g} to {schema['maximum']:g}")
    if "pattern" in schema:
        words.append(f"like {schema['pattern']}")
    for key, what in (("maxItems", "at most {} items"), ("minItems", "at least {}"), ("maxLength", "up to {} signs")):
        if key in schema:
            words.append(what.format(schema[key]))
    return ", ".join(words) + (f" ({unit})" if unit and unit != "1" else "")


def _outputs(process: Process, asked: Any) -> dict[str, str | None]:
    """Return the outputs that are asked for, with their transmission mode."""
    known = process.output_by_name
    if not isinstance(asked, dict):
        raise invalid("outputs: expected an object of outputs by name")
    modes: dict[str, str | None] = {}
    for name, how in asked.items():
        if name not in known:
            raise invalid(f"outputs.{name}: not an output of {process.id}; expected {', '.join(known)}")
        if not isinstance(how, dict) or set(how) - {"transmissionMode", "format"}:
            raise invalid(f"outputs.{name}: expected an object of transmissionMode and format")
        mode, form = how.get("transmissionMode"), how.get("format", {})
        if mode not in (None, "value", "reference"):
            raise invalid(f"outputs.{name}.transmissionMode: expected value or reference")
        media = form.get("mediaType", known[name].media_type) if isinstance(form, dict) else None
        if media != known[name].media_type:
            raise invalid(f"outputs.{name}.format.mediaType: expected {known[name].media_type}")
        modes[name] = mode
    return modes


def _subscriber(asked: Any) -> dict[str, str]:
    if not isinstance(asked, dict) or set(asked) - set(URIS) or not all(isinstance(v, str) for v in asked.values()):
        raise invalid(f"subscriber: expected an object of {', '.join(URIS)}")
    if "successUri" not in asked:
        raise invalid("subscriber.successUri: is missing; expected an address")
    return asked
