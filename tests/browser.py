"""A real browser for the tests of pages: Debian's Chromium without a window, told what to do over its DevTools protocol.

page.html -> Chromium -> Tab: what it logged and fetched, what a script finds in it, keys pressed, a picture of it
"""

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

from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHECKS = Path(__file__).with_name("page_checks.js")
WAIT_S = 60.0  # for a browser on a busy machine
_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--mute-audio", "--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-port=0",
)  # fmt: skip
_FOCUSED = "((one) => one.matches('a, summary') ? one.textContent : one.tagName)(document.activeElement)"


def installed() -> str | None:
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Tab:
    """One tab. What its page says and asks for is kept from when it is opened."""

    def __init__(self, socket: ClientConnection) -> None:
        self.said: list[str] = []  # warnings and errors of the console, exceptions
        self.fetched: list[str] = []  # addresses that are not in the page itself
        self._socket, self._number, self._session = socket, 0, ""
        self._loaded = False
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **given: Any) -> dict[str, Any]:
        """One command of the protocol and its answer; events that come before it are noted."""
        self._number += 1
        known = {"sessionId": self._session} if self._session else {}
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": given, **known}))
        while (message := self._next()).get("id") != self._number:
            pass
        assert "error" not in message, f"{method}: {message['error']}"
        return message["result"]

    def open(self, page: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Loaded when this returns."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.said, self.fetched, self._loaded = [], [], False
        address = page.resolve().as_uri()
        self.ask("Page.navigate", url=address)
        while not self._loaded:
            self._next()
        self.fetched.remove(address)

    def run(self, script: str) -> Any:
        """What the script's value, or that of the promise it is, is."""
        found = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def press(self, key: str, code: int, text: str = "") -> None:
        """One key down and up, as a keyboard does it; `code`: Windows' virtual key code."""
        for kind in ("keyDown", "keyUp"):
            self.ask(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code,
                text=text if kind == "keyDown" else "",
            )  # fmt: skip

    def faults(self) -> list[str]:
        """What is wrong with the page as it is shown now, of what page_checks.js looks for, and of what it said and fetched."""
        found = self.run(f"({CHECKS.read_text(encoding='utf-8')})()")
        return [*found, *(f"said: {one}" for one in self.said), *(f"fetched: {one}" for one in self.fetched)]

    def click(self, selector: str) -> None:
        """In the middle of the first that is found, as a mouse does it."""
        x, y = self.run(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)}); one.scrollIntoView({{block: 'center'}});"
            "const box = one.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2] })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def reached(self, steps: int) -> list[str]:
        """What has the focus after each of so many presses of the tab key: the words in it or its kind."""
        found = []
        for _ in range(steps):
            self.press("Tab", 9)
            found.append(self.run(_FOCUSED))
        return found

    def picture(self, path: Path) -> None:
        """The whole page as a PNG."""
        found = self.ask("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))

    def _next(self) -> dict[str, Any]:
        message = json.loads(self._socket.recv(timeout=WAIT_S))
        given = message.get("params", {})
        match message.get("method"):
            case "Page.loadEventFired":
                self._loaded = True
            case "Runtime.exceptionThrown":
                self.said.append(json.dumps(given["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if given["type"] in ("error", "warning", "assert"):
                self.said.append(json.dumps(given["args"]))
            case "Log.entryAdded" if given["entry"]["level"] in ("error", "warning"):
                self.said.append(f"{given['entry']['text']} {given['entry'].get('url', '')}")
            case "Network.requestWillBeSent" if not given["request"]["url"].startswith("data:"):
                self.fetched.append(given["request"]["url"])
        return message


@contextmanager
def chromium(program: str, folder: Path) -> Iterator[Tab]:
    """`folder`: a fresh one for its profile."""
    log = folder / "chromium.txt"
    with log.open("wb") as lines:
        process = subprocess.Popen(
            [program, *_FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=lines, stderr=lines,
        )  # fmt: skip
    try:
        with connect(_address(process, folder, log), max_size=None, proxy=None, open_timeout=WAIT_S) as socket:
            yield Tab(socket)
    finally:
        process.terminate()
        process.wait(WAIT_S)


def _address(process: subprocess.Popen[bytes], folder: Path, log: Path) -> str:
    """Chromium writes its port and its path into its profile as soon as it listens."""
    port, end = folder / "profile" / "DevToolsActivePort", time.monotonic() + WAIT_S
    while time.monotonic() < end and process.poll() is None:
        if port.exists() and len(words := port.read_text().split()) == 2:
            return f"ws://127.0.0.1:{words[0]}{words[1]}"
        time.sleep(0.05)
    raise AssertionError(f"Chromium did not begin:\n{log.read_text()[-2000:]}")
