// The map of a page: a client of the public API only. What to draw is in the page, as data of #map.
const place = document.getElementById("map");
const told = document.getElementById("map-told");
const settings = JSON.parse(place.dataset.map);
const numbers = new Intl.NumberFormat(settings.lang, { maximumSignificantDigits: 4 });
const counts = new Intl.NumberFormat(settings.lang);
const partial = new Map(); // layer → [shown, matched] where not all could be loaded
const running = new Map(); // layer → the request under way

function say() {
  const lines = [...partial].map(([layer, [shown, matched]]) =>
    `${layer}: ${settings.texts.more.replace("{shown}", counts.format(shown)).replace("{matched}", counts.format(matched))}`);
  told.textContent = lines.join(" ");
}

function fail(reason) {
  place.classList.add("failed");
  const picture = document.createElement("img");
  picture.src = new URL("../map.png", import.meta.url).pathname;
  picture.alt = "";
  place.replaceChildren(picture);
  told.textContent = `${settings.texts.failed}: ${reason}`;
}

function colour(paint) {
  const { attribute, classes } = paint;
  if (!attribute) return classes[0].colour;
  const value = ["get", attribute];
  if ("value" in classes[0]) return ["match", value, ...classes.flatMap((c) => [c.value, c.colour]), "#888888"];
  const steps = classes.slice(1).flatMap((c) => [c.from, c.colour]);
  return ["case", ["==", ["typeof", value], "number"], ["step", value, classes[0].colour, ...steps], "#eeeeee"];
}

function styled(layer) {
  const common = { source: layer.name, ...(layer.tiles ? { "source-layer": layer.name } : {}) };
  const { kind, opacity } = layer.paint;
  const paint = colour(layer.paint);
  if (layer.under && kind === "fill")
    return [{ ...common, id: layer.name, type: "line", paint: { "line-color": "#7a7a7a", "line-dasharray": [3, 2] } }];
  if (layer.under)
    return [{ ...common, id: layer.name, type: "line", paint: { "line-color": "#b4bac0", "line-width": 1 } }];
  if (kind === "line")
    return [{ ...common, id: layer.name, type: "line", paint: { "line-color": paint, "line-width": 2.5 } }];
  if (kind === "circle") {
    const size = ["interpolate", ["linear"], ["zoom"], 10, 2.5, 16, 7];
    const circle = { "circle-color": paint, "circle-radius": size, "circle-opacity": 0.9, "circle-stroke-width": 0.5 };
    return [{ ...common, id: layer.name, type: "circle", paint: circle }];
  }
  return [
    { ...common, id: layer.name, type: "fill", paint: { "fill-color": paint, "fill-opacity": opacity } },
    { ...common, id: `${layer.name}-rim`, type: "line",
      paint: { "line-color": layer.paint.rim || paint, "line-width": layer.paint.rim ? 0.4 : 2 } },
  ];
}

function style() {
  const sources = {};
  const layers = [{ id: "background", type: "background", paint: { "background-color": "#f4f6f8" } }];
  if (settings.basemap) {
    sources.basemap = { type: "raster", tiles: [settings.basemap.url], tileSize: 256 };
    layers.push({ id: "basemap", type: "raster", source: "basemap" });
  }
  for (const layer of settings.layers) {
    sources[layer.name] = layer.tiles
      ? { type: "vector", ...layer.tiles }
      : { type: "geojson", data: { type: "FeatureCollection", features: [] } };
    layers.push(...styled(layer));
  }
  if (settings.feature) {
    sources.feature = { type: "geojson", data: settings.feature };
    const line = { "line-color": "#d81b60", "line-width": 4 };
    layers.push({ id: "feature", type: "line", source: "feature", paint: line });
    layers.push({ id: "feature-point", type: "circle", source: "feature", filter: ["==", ["geometry-type"], "Point"],
      paint: { "circle-color": "#d81b60", "circle-radius": 8, "circle-stroke-width": 2, "circle-stroke-color": "#fff" } });
  }
  return { version: 8, sources, layers };
}

// The tile set of a layer as a source, or null where this version has none: then features are loaded.
async function tileset(layer) {
  if (!layer.tiles) return null;
  const answer = await fetch(`${layer.tiles}?${new URLSearchParams({ version: layer.version, f: "tilejson" })}`);
  if (!answer.ok) return null;
  const { tiles, minzoom = 0, maxzoom = 22, bounds = [-180, -85, 180, 85] } = await answer.json();
  // the server may be reached by another name than its own: the address counts, not the host
  return { tiles: tiles.map((one) => location.origin + one.replace(/^https?:..[^/]+/, "")), minzoom, maxzoom, bounds };
}

async function load(map, layer) {
  running.get(layer.name)?.abort();
  const request = new AbortController();
  running.set(layer.name, request);
  const b = map.getBounds();
  const box = [Math.max(b.getWest(), -180), Math.max(b.getSouth(), -90), Math.min(b.getEast(), 180), Math.min(b.getNorth(), 90)];
  const names = new Set(layer.columns.map((column) => column[0]));
  if (layer.paint.attribute) names.add(layer.paint.attribute);
  const query = new URLSearchParams(layer.query);
  query.set("version", layer.version);
  if (!query.has("bbox")) query.set("bbox", box.map((degree) => degree.toFixed(7)).join(","));
  query.set("f", "json");
  query.set("limit", layer.limit);
  query.set("properties", layer.under ? layer.id : [...names].join(","));
  try {
    const answer = await fetch(`${layer.items}?${query}`, { signal: request.signal });
    const page = await answer.json();
    if (!answer.ok) throw new Error(page.description);
    map.getSource(layer.name).setData(page);
    const more = !layer.under && page.numberMatched > page.numberReturned;
    if (more) partial.set(layer.title, [page.numberReturned, page.numberMatched]);
    else partial.delete(layer.title);
    say();
  } catch (error) {
    if (error.name !== "AbortError") told.textContent = `${settings.texts.failed}: ${error.message}`;
  }
}

function text(value, kind, labelled, unit) {
  if (value === null || value === undefined || value === "") return settings.texts.empty;
  if (kind === "datetime") return new Date(value).toLocaleString(settings.lang);
  if (kind === "integer" || kind === "number") return numbers.format(value) + (unit ? ` ${unit}` : "");
  return labelled ? settings.labels[value] ?? value : String(value);
}

// A tile leaves properties out, so the feature itself is asked; a parent cell of a small scale is in tiles only.
async function feature(layer, properties) {
  const page = `${layer.items}/${encodeURIComponent(properties[layer.id])}?${new URLSearchParams({ version: layer.version })}`;
  const answer = await fetch(`${page}&f=json`);
  return answer.ok ? [page, (await answer.json()).properties] : [null, properties];
}

async function popup(layer, hit) {
  const [page, properties] = await feature(layer, hit);
  const box = document.createElement("div");
  box.className = "popup";
  const head = document.createElement("b");
  head.textContent = layer.title;
  const link = document.createElement(page ? "a" : "span");
  if (page) link.href = page;
  link.textContent = page ? `${settings.texts.open} ${properties[layer.id]}` : properties[layer.id];
  const table = document.createElement("table");
  for (const [name, title, unit, kind, labelled] of layer.columns.slice(1)) {
    if (!(name in properties)) continue;
    const row = table.insertRow();
    const label = document.createElement("th");
    label.textContent = title;
    row.append(label);
    row.insertCell().textContent = text(properties[name], kind, labelled, unit);
  }
  box.append(head, link, table);
  return box;
}

async function framed() {
  const [west, south, east, north] = settings.bbox;
  if (!settings.feature) return [[west, south], [east, north]];
  const answer = await fetch(settings.feature);
  const bounds = new maplibregl.LngLatBounds();
  const walk = (value) => (typeof value[0] === "number" ? bounds.extend(value.slice(0, 2)) : value.forEach(walk));
  walk((await answer.json()).geometry.coordinates);
  return bounds;
}

async function start() {
  const bounds = await framed();
  await Promise.all(settings.layers.map(async (layer) => { layer.tiles = await tileset(layer); }));
  const options = { padding: 40, maxZoom: 16, animate: false };
  const map = new maplibregl.Map({ container: place, style: style(), bounds, fitBoundsOptions: options, attributionControl: false,
    canvasContextAttributes: { preserveDrawingBuffer: true } });
  map.addControl(new maplibregl.NavigationControl({ showCompass: false }));
  map.addControl(new maplibregl.ScaleControl());
  const drawn = settings.layers.filter((layer) => !layer.under);
  const loaded = settings.layers.filter((layer) => !layer.tiles);
  const loadAll = () => Promise.all(loaded.map((layer) => load(map, layer)));
  map.once("load", async () => {
    await loadAll();
    map.on("moveend", loadAll);
    map.once("idle", () => { place.dataset.ready = "true"; });
    map.triggerRepaint();
  });
  const ids = drawn.map((layer) => layer.name);
  map.on("click", async (event) => {
    const [hit] = map.queryRenderedFeatures(event.point, { layers: ids });
    const layer = hit && drawn.find((one) => one.name === hit.layer.id);
    if (!layer) return;
    const content = await popup(layer, hit.properties);
    new maplibregl.Popup({ maxWidth: "320px" }).setLngLat(event.lngLat).setDOMContent(content).addTo(map);
  });
  map.on("mousemove", (event) => {
    map.getCanvas().style.cursor = map.queryRenderedFeatures(event.point, { layers: ids }).length ? "pointer" : "";
  });
}

start().catch((error) => fail(error.message));
