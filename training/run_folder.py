"""A run folder: what one training leaves behind, and how the rest finds it."""

import json
import os
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from lstm_apps import registry
from lstm_apps.application import Application, Data
from lstm_apps.errors import InputError, first_line
from lstm_apps.features import Features, from_json, parts, to_json
from training.config import Config

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class RunFolder:
    """The folder of one training.

    config.json      what was asked for, where the data came from, on what machine
    features.json    the fitted features, and features.*.bin what of them is bytes
    model.keras      the model of the best epoch
    history.csv      losses by epoch
    metrics.json     metric -> model, baselines (test part)
    report.html      plots and tables
    model.onnx, model.tflite, export.json    after an export: the files, and what was measured of them
    checkpoint/      where an interrupted training goes on
    tensorboard/     logs for TensorBoard
    data.parquet     the table, where it was a DataFrame
    """

    folder: Path
    TABLE: ClassVar[str] = "data.parquet"  # of a training on a DataFrame
    _loaded: dict[str, Data] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def config_file(self) -> Path:
        return self.folder / "config.json"

    @property
    def model_file(self) -> Path:
        return self.folder / "model.keras"

    @property
    def history_file(self) -> Path:
        return self.folder / "history.csv"

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint"

    @property
    def state_file(self) -> Path:
        return self.checkpoint / "state.json"

    @classmethod
    def open(cls, folder: Path) -> Self:
        """An existing run; a folder that is none is an InputError."""
        if not isinstance(folder, str | Path):
            raise InputError(f"{folder!r} is no run folder: expected its path.")
        run = cls(Path(folder))
        if not run.config_file.is_file():
            raise InputError(f"{folder} is no run folder: it has no config.json.")
        return run

    def claim(self) -> None:
        """Make the folder this run's, before another process does: InputError where one has."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self.config_file.open("x").close()
        except FileExistsError as error:
            raise InputError(f"{self.folder} holds another run since a moment ago.") from error

    @property
    def config(self) -> Config:
        try:
            return Config.from_dict(read_json(self.config_file)["config"])
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{self.folder} is no run folder: its config.json is not of lstm-apps."
            ) from error

    @property
    def application(self) -> Application:
        return registry.application(self.config.application)

    @property
    def features(self) -> Features:
        files = self.folder.glob("features.*.bin")
        binary = {file.name.split(".")[1]: file.read_bytes() for file in files}
        return from_json(read_json(self.folder / "features.json"), binary)

    @property
    def provenance(self) -> dict[str, Any]:
        return read_json(self.config_file)["provenance"]

    @property
    def environment(self) -> dict[str, str]:
        return read_json(self.config_file)["environment"]

    @property
    def metrics(self) -> dict[str, Any]:
        """metrics.json, or nothing where the run was not evaluated yet."""
        file = self.folder / "metrics.json"
        return read_json(file) if file.is_file() else {}

    @property
    def exports(self) -> list[dict[str, Any]]:
        """The rows of export.json, none where the run was not exported yet."""
        file = self.folder / "export.json"
        return read_json(file) if file.is_file() else []

    def check_goes_on(self, config: Config) -> None:
        """InputError unless the run was begun with this configuration."""
        begun = self.config.to_dict()
        if changed := [k for k, v in config.to_dict().items() if begun[k] != v]:
            raise InputError(
                f"{self.folder} was begun with another {', '.join(changed)}; it cannot go on with these."
            )

    def load_data(self) -> Data:
        """The run's data, split as in training, read once; InputError if the file has changed since."""
        if "data" not in self._loaded:
            data = self.application.load(self.config.request)
            self.check_data(data.provenance["sha256"])
            self._loaded["data"] = data
        return self._loaded["data"]

    def check_data(self, sha256: str) -> None:
        """InputError unless the run was trained on data of this fingerprint."""
        if sha256 != self.provenance["sha256"]:
            raise InputError(
                f"{self.provenance['source']} is not what {self.folder} was trained on: its content changed."
            )

    def load_model(self) -> "keras.Model":
        """The trained Keras model, with the outputs that an answer needs, at once or in a stream; of a
        generator the whole one."""
        import keras

        if not self.model_file.is_file():
            raise InputError(f"{self.folder} has no model.keras: its training has not finished an epoch.")
        if self.state_file.is_file() and not read_json(self.state_file).get("complete"):
            raise InputError(
                "The training was interrupted. Go on with: "
                f"lstm-apps train {self.config.application} --resume --out {self.folder}"
            )
        self.application.register_layers()
        try:
            model = keras.models.load_model(self.model_file, compile=False)
        except (ValueError, OSError, zipfile.BadZipFile) as error:
            raise InputError(f"{self.model_file} is damaged: {first_line(error)}") from error
        wanted = {*self.application.outputs, *self.application.stream_outputs}
        if not wanted:  # a generator, whose graphs are made of all of it
            return model
        if missing := sorted(wanted - model.output.keys()):
            raise InputError(
                f"{self.folder} is of an older version, its model lacks {', '.join(missing)}: train it anew."
            )
        return with_outputs(model, wanted)

    def write_config(self, config: Config, features: Features, data: Data, environment: dict) -> None:
        write_json(
            self.config_file,
            {"config": config.to_dict(), "provenance": data.provenance, "environment": environment},
        )
        self._loaded["data"] = data
        self.write_features(features)

    def write_features(self, features: Features) -> None:
        for name, part in parts(features).items():
            _write_bytes(self.folder / f"features.{name}.bin", part)
        write_json(self.folder / "features.json", to_json(features))


def with_outputs(model: "keras.Model", names: Iterable[str]) -> "keras.Model":
    """The model with these of its outputs only."""
    import keras

    return keras.Model(model.input, {name: model.output[name] for name in sorted(names)})


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path} is not readable JSON: {error}.") from error


def write_json(path: Path, data: Any) -> None:
    """Write beside and rename, so that a crash leaves the old file or the new one. Strict JSON: NaN and
    infinity are a ValueError."""
    text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
    _write_bytes(path, (text + "\n").encode())


def _write_bytes(path: Path, content: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    os.replace(partial, path)
