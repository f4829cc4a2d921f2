"""Exported files in a browser: headless Chromium with onnxruntime-web or LiteRT.js, served from localhost."""

import base64
import os
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from lstm_apps.errors import ModelFileError, first_line
from lstm_apps.features import Arrays
from lstm_apps.runtime.engines import open_engine
from lstm_apps.runtime.inputs import check_inputs
from lstm_apps.runtime.metadata import MAIN, NEXT
from lstm_apps.runtime.stream import Stream

PATIENCE_MS = 180_000  # a browser on a busy machine takes a while to start
PAGE, ANSWER = (Path(__file__).with_name(name) for name in ("browser.html", "answer.mjs"))
TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".wasm": "application/wasm",
}


def missing(package: str) -> str:
    """Why a package of JavaScript cannot be run in a browser here; empty if it can."""
    if not find_spec("playwright"):
        return "pip install playwright to measure it"
    if not _chromium():
        return "Chromium is not installed"
    return "" if _modules(package) else f"npm install {package} (and set NODE_PATH) to measure it"


def _chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def _modules(package: str) -> Path | None:
    """The node_modules folder that holds a package."""
    folders = [*os.environ.get("NODE_PATH", "").split(os.pathsep), "node_modules"]
    return next((Path(f) for f in folders if f and (Path(f) / package).is_dir()), None)


def new_page(playwright):
    """A page of a headless Chromium."""
    browser = playwright.chromium.launch(
        executable_path=_chromium(), args=["--no-sandbox"], timeout=PATIENCE_MS
    )
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    return page


class BrowserEngine:
    """A model file in a page.

    Args:
        path: The file.
        package: "onnxruntime-web" for .onnx, "@litertjs/core" for .tflite.
    """

    def __init__(self, path: Path, package: str):
        from playwright.sync_api import Error, sync_playwright

        self._error = Error
        known = open_engine(path)
        self.graphs, self.metadata, self.attachments = known.graphs, known.metadata, known.attachments
        self.inputs, self.outputs = known.inputs, known.outputs
        self._package = package
        self._server = _server(path.read_bytes(), _modules(package) or Path("node_modules"))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self._playwright = sync_playwright().start()
        try:
            self._page = new_page(self._playwright)
            self._page.goto(f"http://localhost:{self._server.server_port}/")
            self._page.evaluate("package => open(package)", package)
        except Error as error:
            self.close()
            raise ModelFileError(f"{package} refuses the file: {first_line(error)}") from error

    def close(self) -> None:
        """End the browser and the server."""
        self._playwright.stop()
        self._server.shutdown()
        self._server.server_close()

    def run(self, inputs: Arrays, graph: str = MAIN) -> Arrays:
        checked = check_inputs(inputs, self.inputs)
        batch = len(next(iter(checked.values())))  # one at a time: a .tflite file has a batch of one
        rows = [
            self._ask(question({n: a[i : i + 1] for n, a in checked.items()}))["outputs"]
            for i in range(batch)
        ]
        return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}

    def latencies(self, inputs: Arrays, calls: int = 200) -> list[float]:
        """Milliseconds of calls with one example, measured there."""
        return self._ask(question({name: a[:1] for name, a in inputs.items()}, calls))["ms"]

    def stream(self, inputs: Arrays, chunk: int) -> Arrays:
        """As `Stream.run`, of one sequence, without a way between chunks."""
        return self._ask(stream_question(self, inputs, chunk))["outputs"]

    def _ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = self._page.evaluate("(question) => ask(question)", asked)
        except self._error as error:
            raise ModelFileError(f"{self._package} cannot run the file: {first_line(error)}") from error
        return {**answer, "outputs": from_json(answer["outputs"])}


def question(inputs: Arrays, repeat: int = 1) -> dict[str, Any]:
    """To run a model, as answer.mjs has it."""
    return {"feeds": to_json(inputs), "repeat": repeat}


def stream_question(engine: Any, inputs: Arrays, chunk: int) -> dict[str, Any]:
    """To run a step model through a sequence from the beginning, as answer.mjs has it."""
    stream = Stream(engine)
    states = {"states": to_json(stream.state), "next": NEXT, "chunk": stream.chunk or chunk}
    return {"feeds": to_json(inputs), "stream": states}


def plain(array: np.ndarray) -> np.ndarray:
    """As model files have their inputs: whole numbers as int32, others as float32."""
    return array.astype(np.int32 if array.dtype.kind in "iu" else np.float32)


def to_json(arrays: Arrays) -> dict[str, Any]:
    """Arrays for JavaScript."""
    return {
        name: {
            "type": a.dtype.name,
            "dims": list(a.shape),
            "data": base64.b64encode(a.astype(a.dtype.newbyteorder("<")).tobytes()).decode(),
        }
        for name, a in ((name, plain(array)) for name, array in arrays.items())
    }


def from_json(tensors: dict[str, Any]) -> Arrays:
    """Arrays of float32 from JavaScript."""
    return {
        name: np.frombuffer(base64.b64decode(t["data"]), "<f4").reshape(t["dims"])
        for name, t in tensors.items()
    }


def _server(model: bytes, modules: Path) -> ThreadingHTTPServer:
    """The page, the model and what npm installed, on a free port of localhost."""
    root = modules.resolve()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content, kind = self._content()
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(content or b"")

        def _content(self) -> tuple[bytes | None, str]:
            if self.path == "/":
                return PAGE.read_bytes(), TYPES[".html"]
            if self.path == "/answer.mjs":
                return ANSWER.read_bytes(), TYPES[".mjs"]
            if self.path == "/model":
                return model, "application/octet-stream"
            path = (root / self.path.removeprefix("/node_modules/").partition("?")[0]).resolve()
            kind = TYPES.get(path.suffix, "application/octet-stream")
            return (path.read_bytes() if path.is_relative_to(root) and path.is_file() else None), kind

        def log_message(self, *_) -> None:
            pass

    return ThreadingHTTPServer(("localhost", 0), Handler)
