"""Headless Chromium through its DevTools protocol: open a page, wait until it says that it is ready, look at it."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--no-first-run",
    "--remote-debugging-port=0",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # nothing outside this machine is reached
)
PATIENCE_S = 60


class Tab:
    """One page of the browser. `requested` are the addresses it asked for, `complaints` what its console said."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket, self.number = socket, 0
        self.requested: list[str] = []
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result; events that come before it are kept."""
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv(timeout=PATIENCE_S))
            if message.get("id") == self.number:
                assert "error" not in message, message
                return dict(message["result"])
            self._keep(message)

    def _keep(self, message: dict[str, Any]) -> None:
        told = message.get("params", {})
        if message.get("method") == "Network.requestWillBeSent":
            self.requested.append(told["request"]["url"])
        if message.get("method") == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.complaints.append(told["entry"]["text"])
        if message.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(told["exceptionDetails"])[:500])

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression in the page; promises are awaited."""
        told = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def open(self, url: str, ready: str, width: int = 1200, height: int = 1000, lang: str = "id") -> None:
        """Open a page and wait until the expression `ready` is true."""
        self.requested.clear()
        self.complaints.clear()
        self.send("Network.setExtraHTTPHeaders", headers={"Accept-Language": lang})
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.send("Emulation.setDeviceMetricsOverride", **size)
        self.send("Page.navigate", url=url)
        end = time.monotonic() + PATIENCE_S
        while not self.run(
            f"document.readyState === 'complete' && location.href !== 'about:blank' && Boolean({ready})"
        ):
            assert time.monotonic() < end, (url, self.complaints)
            time.sleep(0.1)

    def screenshot(self, path: Path, whole: bool = False) -> Path:
        """Write what the page looks like, or all of its length, as a PNG."""
        told = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(told["data"]))
        return path

    def pdf(self, path: Path) -> Path:
        """Write the page as it would be printed."""
        told = self.send("Page.printToPDF", preferCSSPageSize=True)
        path.write_bytes(base64.b64decode(told["data"]))
        return path


@contextmanager
def browser(folder: Path) -> Iterator[Tab]:
    """Run Chromium with a profile in `folder` and yield its tab; skip the test where there is none."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium: `make test-system`")
    command = [chromium, *FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with connect(_address(folder / "profile" / "DevToolsActivePort"), max_size=None, compression=None) as socket:
            yield Tab(socket)
    finally:
        process.terminate()
        process.wait(30)


def _address(port_file: Path) -> str:
    import urllib.request

    end = time.monotonic() + PATIENCE_S
    while not port_file.exists() or "\n" not in port_file.read_text("utf-8"):
        assert time.monotonic() < end, "Chromium did not start"
        time.sleep(0.1)
    port = port_file.read_text("utf-8").split("\n")[0]
    while True:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=10) as answer:
            pages = [page for page in json.load(answer) if page["type"] == "page"]
        if pages:
            return str(pages[0]["webSocketDebuggerUrl"])
        time.sleep(0.1)
