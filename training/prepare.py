"""What needs no TensorFlow, done before it is imported, which takes a while: so bad input is told at once."""

from dataclasses import dataclass
from pathlib import Path

from lstm_apps import registry
from lstm_apps.application import Data
from lstm_apps.errors import InputError
from lstm_apps.features import Features
from training.config import Config
from training.run_folder import RunFolder


@dataclass(frozen=True)
class Prepared:
    """The data of a training and the features fitted on them."""

    data: Data
    features: Features


def prepare(config: Config, folder: Path, resume: bool) -> Prepared:
    """Load the data and fit the features.

    Raises:
        InputError: The data cannot be used; the folder holds another run, or none to resume.
    """
    run = RunFolder(Path(folder))
    _check_folder(run, config, resume)
    app = registry.application(config.application)
    app.check_declared()
    data = run.load_data() if resume else app.load(config.request)
    return Prepared(data, app.fit_features(data))


def _check_folder(run: RunFolder, config: Config, resume: bool) -> None:
    if run.folder.is_file():
        raise InputError(f"{run.folder} is a file, expected a folder for the run.")
    if not run.config_file.is_file():
        if resume:
            raise InputError(f"There is no run to resume in {run.folder}.")
        if run.folder.is_dir() and any(run.folder.iterdir()):
            raise InputError(f"{run.folder} is not empty and holds no run; name another folder with --out.")
        return
    if not resume:
        raise InputError(f"{run.folder} holds a run already; --resume goes on with it, --out names another.")
    run.check_goes_on(config)
