"""Run every notebook from its first cell to its last; none keeps what it put out.

    python notebooks/run.py [--smoke] [name ...]

`--smoke` trains for a few steps only, to see that every cell runs. A notebook whose dataset cannot be
downloaded is skipped, with the reason.
"""

import gzip
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from lstm_apps.data import sources
from lstm_apps.errors import InputError

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow tells what it does not find
AT_ONCE = 2
# Of the cores each notebook has its share: with more threads than cores they wait for each other.
threads = str(max(1, (os.cpu_count() or 1) // AT_ONCE))
for variable in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT"):
    os.environ.setdefault(variable, threads)
FOLDER = Path(__file__).parent
DATA = {"speech": ["fsdd"], "nlp": ["vader-sentences", "food-reviews"], "healthcare": ["mitdb", "clif-demo"]}
LONG = (*DATA, "forecasting")
HOURS = 2500  # of the household's, in a smoke run
# What follows the cell of parameters in a smoke run: a few steps, on data on which baselines are soon fitted.
FEW_STEPS = 'settings |= {"epochs": 1, "steps_per_epoch": 4}'
SMOKE = {
    "healthcare": f'{FEW_STEPS}\necg_settings = {{"data": "synthetic-hearts"}}',
    **dict.fromkeys(("deployment", "forecasting", "gates"), f'{FEW_STEPS}\nsettings["data"] = "hours.csv"'),
}
FETCHED = {**DATA, "healthcare": ["clif-demo"]}  # in a smoke run


def run(path: Path, smoke: bool) -> str:
    """Run one; what there is to say of it."""
    try:
        for name in (FETCHED if smoke else DATA).get(path.stem, []):
            sources.get(name)
    except InputError as error:
        return f"skipped: {error}"
    begun = time.monotonic()
    notebook = nbformat.read(path, as_version=4)
    if any(cell.get("outputs") for cell in notebook.cells):
        raise SystemExit(f"{path} is stored with outputs; clear them.")
    with tempfile.TemporaryDirectory() as folder:
        if smoke:
            (place,) = (i for i, c in enumerate(notebook.cells) if "parameters" in c.metadata.get("tags", ()))
            notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(SMOKE.get(path.stem, FEW_STEPS)))
            with gzip.open(sources.get("household-power"), "rt") as hours:
                (Path(folder) / "hours.csv").write_text("".join(islice(hours, HOURS)))
        resources = {"metadata": {"path": folder}}  # where the notebook runs, and leaves its runs
        NotebookClient(notebook, timeout=900, kernel_name="python3", resources=resources).execute()
    return f"{time.monotonic() - begun:.0f} s"


if __name__ == "__main__":
    smoke, names = "--smoke" in sys.argv, [name for name in sys.argv[1:] if name != "--smoke"]
    chosen = [FOLDER / f"{name}.ipynb" for name in names]
    # The longest come first, so that no process ends up alone.
    chosen = chosen or sorted(FOLDER.glob("*.ipynb"), key=lambda path: (path.stem not in LONG, path.stem))
    with ThreadPoolExecutor(AT_ONCE) as two:  # each in a process of its own
        running = {path: two.submit(run, path, smoke) for path in chosen}
        for path, answer in running.items():
            try:
                print(f"{path.name}: {answer.result()}", flush=True)
            except CellExecutionError as error:
                two.shutdown(cancel_futures=True)
                raise SystemExit(f"{path.name}: {error}") from None
