"""The contract every application fulfils, and the registry of applications.

An application is one object that says everything about a task. `training`, `export`, the report and
the CLI work from it and know no task by name. It imports no TensorFlow before it builds a model.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from lstm_apps.errors import unknown_name
from lstm_apps.features import Arrays, Features, Run

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

RESEARCH_ONLY = "For research, not a medical device."


@dataclass(frozen=True)
class Metric:
    """A number that says how good predictions are."""

    name: str
    better: Literal["lower", "higher"] | float  # a number: the closer to it the better
    meaning: str

    def beats(self, a: float, b: float) -> bool:
        """Whether `a` is strictly better than `b`."""
        if isinstance(self.better, float):
            return abs(a - self.better) < abs(b - self.better)
        return a < b if self.better == "lower" else a > b


@dataclass(frozen=True)
class Estimate:
    """A metric's value and, where people expect one, its 95 % confidence interval."""

    value: float
    interval: tuple[float, float] | None = None


Scores = dict[str, Estimate]  # by metric name


class Examples(Protocol):
    """Training or evaluation examples, encoded when asked for."""

    def __len__(self) -> int: ...

    def batch(self, indices: np.ndarray, rng: np.random.Generator | None) -> tuple[Arrays, Arrays, Arrays]:
        """Inputs, targets and sample weights of the examples at `indices`.

        `rng` is given in training, for augmentation; it is None where examples must stay as they are.
        """


@dataclass(frozen=True)
class Data:
    """Records of a task, split so that no part knows another (by time, speaker, patient, ...)."""

    train: Any
    validation: Any
    test: Any
    provenance: dict[str, Any]  # for people: source, licence, citation, sizes, bounds of the split


@dataclass(frozen=True)
class Request:
    """Which data to load: by default the application's own."""

    path: str | None = None  # the user's file or folder, or the name of a dataset
    columns: Mapping[str, str] = field(default_factory=dict)  # role -> column of the user's table
    step: str | None = None  # resample a time series to this step


@dataclass(frozen=True)
class Picture:
    """A figure of the report."""

    title: str
    caption: str
    figure: "Figure"


class Application(ABC):
    """A task: its data, features, model, metric, baselines, and the answer a person reads."""

    name: str
    domain: str
    summary: str  # one sentence
    dataset: str  # default dataset, see `lstm_apps.data.sources`
    layout: str  # what a user's own data must look like
    roles: Mapping[str, str]  # columns that a user may name -> their default name
    metrics: tuple[Metric, ...]  # the first is the primary one
    outputs: tuple[str, ...]  # of the finished model; one in training may have more, for its loss
    baselines: tuple[str, ...]  # names of the honest baselines
    presets: Mapping[str, Mapping[str, Any]]  # preset -> training.Config fields
    notice: str = ""  # what a user must be told, e.g. RESEARCH_ONLY

    @abstractmethod
    def load(self, request: Request) -> Data:
        """Read and split the records. Bad input is an `InputError` here, not later."""

    @abstractmethod
    def fit_features(self, data: Data) -> Features:
        """Fit scalers, vocabularies and the like, on `data.train` only."""

    @abstractmethod
    def examples(self, features: Any, records: Any) -> Examples:
        """The examples of one part."""

    @abstractmethod
    def build(self, features: Any, *, units: int, layers: int, dropout: float) -> "keras.Model":
        """The untrained model, from raw units to raw units."""

    @abstractmethod
    def loss(self, features: Any) -> Any:
        """The Keras loss, or losses by output name."""

    def finish(self, model: "keras.Model", features: Any, data: Data) -> None:
        """Set what no gradient finds, such as calibration, on `data.validation`: the best epoch's
        model is given. Doing it twice must change nothing. By default there is nothing to set."""
        return None

    @abstractmethod
    def score(self, features: Any, data: Data, run: Run) -> Scores:
        """Every metric on the test part. `run` may be Keras, ONNX or TFLite."""

    @abstractmethod
    def score_baselines(self, features: Any, data: Data) -> Iterator[tuple[str, Scores]]:
        """Every baseline, one by one because some take a while: name and scores on the test part."""

    @abstractmethod
    def pictures(self, features: Any, data: Data, run: Run) -> list[Picture]:
        """What a person should see of the model's answers on the test part."""

    @abstractmethod
    def checks(self, features: Any, data: Data) -> Arrays:
        """A few real test inputs on which an export is compared with Keras."""

    @abstractmethod
    def output_scale(self, features: Any) -> float:
        """The natural size of an output, in its unit: an export's error is judged against it."""

    @abstractmethod
    def sample_input(self, features: Any, data: Data) -> Any:
        """A raw input from the test part, in the form a user would give to `predict`."""


# application name -> module:attribute; modules are imported when asked for
_REGISTRY: dict[str, str] = {"energy": "lstm_apps.forecasting.energy:ENERGY"}


def names() -> list[str]:
    """All application names."""
    return list(_REGISTRY)


def get(name: str) -> Application:
    """The application called `name`; an unknown name is an InputError with the nearest one."""
    if name not in _REGISTRY:
        raise unknown_name("application", name, _REGISTRY)
    module, attribute = _REGISTRY[name].split(":")
    return getattr(import_module(module), attribute)


def register(name: str, location: str) -> None:
    """Add an application of one's own: an `Application` found at "module:attribute"."""
    _REGISTRY[name] = location
