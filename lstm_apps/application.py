"""The contract every application fulfils.

An application is one object that says everything about a task. `training`, `export`, the report and
the CLI work from it and know no task by name. It imports no TensorFlow before it builds a model.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from lstm_apps.errors import InputError, unknown_name
from lstm_apps.features import Arrays, Features, ModelFunction
from lstm_apps.features.tables.dialect import PLAIN, Dialect
from lstm_apps.metrics.bootstrap import Metric, Scores
from lstm_apps.runtime.metadata import MAIN

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

MODEL = "LSTM"  # what our model is called beside its baselines
RESEARCH_ONLY = "For research, not a medical device."


class Examples(Protocol):
    """Training or evaluation examples, encoded when asked for. Those of different lengths may have
    `lengths`, an array: batches then hold examples of like lengths."""

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
    settings: Any = None  # what `Application.fit_features` must know of how they were loaded


@dataclass(frozen=True)
class Request:
    """Which data to load: by default the application's own."""

    path: str | None = None  # the user's file or folder, or the name of a dataset
    columns: Mapping[str, str] = field(default_factory=dict)  # role -> column of the user's table
    step: str | None = None  # resample a time series to this step
    fold: str | None = None  # which part to test on instead of the usual one, see `Application.folds`
    dialect: Dialect = PLAIN  # how the user's table is written, where it must be said


class Fold(NamedTuple):
    """What cross-validation has of one fold."""

    features: Any
    data: Data
    run: ModelFunction  # the model
    baselines: Mapping[str, Any]  # of each the predictions for the test part


@dataclass(frozen=True)
class Plot:
    """A figure of the report."""

    name: str  # by which a run plots it: words with hyphens
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
    outputs: tuple[
        str, ...
    ]  # of the finished model; one in training may have more, for its loss; see `graphs`
    stream_outputs: tuple[str, ...] = ()  # of a step of a stream; none: it cannot be streamed
    right_padded: bool = False  # its inputs are masked at the end, and nowhere else
    baselines: tuple[str, ...]  # names of the honest baselines
    presets: Mapping[str, Mapping[str, Any]]  # preset -> training.Config fields
    model_module: str = "lstm_apps.layers"  # its import registers the layers that a saved model names
    disclaimer: str = ""  # what a user must be told, e.g. RESEARCH_ONLY

    def check_declared(self) -> None:
        """TypeError that names what the application should say of itself and does not."""
        needed = (
            "name",
            "domain",
            "summary",
            "dataset",
            "layout",
            "roles",
            "metrics",
            "outputs",
            "baselines",
        )
        for name in (*needed, "presets"):
            if not hasattr(self, name):
                raise TypeError(f"The application {type(self).__name__} has no {name!r}; see its docstring.")

    def check_outputs(self, model: "keras.Model") -> None:
        """TypeError where a model that was built lacks declared outputs."""
        built = sorted(model.output) if isinstance(model.output, dict) else None
        wanted = {*self.outputs, *self.stream_outputs}
        if built is None or not wanted <= set(built):
            raise TypeError(
                f"{self.name} declares the outputs {sorted(wanted)}, its model has "
                f"{built or 'no dict of outputs'}: the names must agree."
            )

    def columns(
        self, request: Request, *, step: bool = False, fold: bool = False, dialect: Sequence[str] = ()
    ) -> dict[str, str]:
        """The names of the user's columns by role. What this application cannot be asked for, a role it has
        not or, unless they are allowed here, a step, a fold or what is said of a table (fields of `Dialect`),
        is an InputError."""
        for role in request.columns:
            if role not in self.roles:
                raise unknown_name(f"column role of {self.name}", role, self.roles)
        if request.step is not None and not step:
            raise InputError(f"{self.name} has no time series that could be resampled to {request.step}.")
        if request.fold is not None and not fold:
            raise InputError(f"{self.name} has no folds to test on.")
        for name in request.dialect.said():
            if name not in dialect:
                raise InputError(f"{self.name} takes no --{name}.")
        return {**self.roles, **request.columns}

    @abstractmethod
    def load(self, request: Request) -> Data:
        """Read and split the records. Bad input is an `InputError` here, not later."""

    def folds(self, request: Request) -> tuple[str, ...]:
        """Names for `Request.fold`, each holding out other people: cross-validation trains one model
        for each. By default there are none."""
        return ()

    @abstractmethod
    def fit_features(self, data: Data) -> Features:
        """Fit scalers, vocabularies and the like, on `data.train` only."""

    def describe(self, features: Any) -> str:
        """What a model with these features does, in a sentence."""
        return self.summary

    @abstractmethod
    def examples(self, features: Any, records: Any) -> Examples:
        """The examples of one part."""

    @abstractmethod
    def build(self, features: Any, *, units: int, layers: int, dropout: float) -> "keras.Model":
        """The untrained model, from raw units to raw units."""

    def register_layers(self) -> None:
        """Make Keras know the layers that a saved model of this application names."""
        import_module(self.model_module)

    @abstractmethod
    def loss(self, features: Any) -> Any:
        """The Keras loss, or losses by output name."""

    def calibrate(self, model: "keras.Model", features: Any, data: Data) -> Any:
        """Set what no gradient finds, such as calibration and thresholds, on `data.validation`, in the
        best epoch's model or in the features, which are returned. Doing it twice must change nothing.
        By default there is nothing to set."""
        return features

    @abstractmethod
    def score(self, features: Any, data: Data, run: ModelFunction) -> Scores:
        """The metrics on the test part, all that these data allow. `run` may be Keras, ONNX or TFLite."""

    def score_alone(self, features: Any, data: Data, run: ModelFunction) -> Scores:
        """Those of `score` that a file has by itself, where this package is not: in a browser, on a
        microcontroller. By default all."""
        return self.score(features, data, run)

    def score_stream(self, features: Any, data: Data, run: ModelFunction) -> Scores:
        """The metrics of a stream on the test part, if there are any. `run` gives `stream_outputs` for
        whole sequences, be it Keras or a step file that gets them chunk by chunk."""
        return {}

    @abstractmethod
    def baseline_predictions(self, features: Any, data: Data) -> Iterator[tuple[str, Any]]:
        """What every baseline says of the test part, by name, one by one because fitting takes a while."""

    @abstractmethod
    def score_baseline(self, features: Any, data: Data, name: str, predictions: Any) -> Scores:
        """The metrics of a baseline from its predictions. One that means nothing for it is left out."""

    def score_baselines(self, features: Any, data: Data) -> Iterator[tuple[str, Scores]]:
        """Every baseline: name and scores on the test part."""
        for name, predictions in self.baseline_predictions(features, data):
            yield name, self.score_baseline(features, data, name, predictions)

    def score_folds(self, folds: Sequence[Fold]) -> Iterator[tuple[str, Scores]]:
        """Of cross-validation, the scores of all folds' test parts pooled: of `MODEL`, then of every
        baseline. By default there are none."""
        yield from ()

    @abstractmethod
    def plots(self, features: Any, data: Data, run: ModelFunction) -> list[Plot]:
        """What a person should see of the model's answers on the test part."""

    def plots_of_folds(self, folds: Sequence[Fold]) -> list[Plot]:
        """As `plots`, of the folds of cross-validation taken pooled. By default there are none."""
        return []

    def parity_inputs(self, features: Any, data: Data) -> Arrays:
        """A few real test inputs on which an export is compared with Keras, where a model is one graph: by
        default 16, spread over the test part."""
        examples = self.examples(features, data.test)
        spread = np.unique(np.linspace(0, len(examples) - 1, num=min(16, len(examples)), dtype=int))
        return examples.batch(spread, None)[0]

    def preprocessing(self, features: Any, data: Data) -> tuple[Callable[..., Any], Arrays] | None:
        """What a server does before the model's graph, where it is served in TensorFlow: operations from
        raw tensors, by keyword, to the inputs by name, and raw test inputs; None: it takes the inputs."""
        return None

    def lengths(self, features: Any) -> tuple[int, ...]:
        """Lengths of its inputs, shorter than those of `parity_inputs`, for which a file of fixed sizes has a
        form of its own. By default there are none."""
        return ()

    def stream_chunk(self, features: Any) -> int:
        """Steps of its inputs that a step file takes at a time."""
        return 1

    def graphs(self, model: "keras.Model", features: Any) -> dict[str, "keras.Model"]:
        """What is exported of a trained model: by default one graph, `MAIN`, of `outputs`. A generator has
        several, such as an encoder of the input and a decoder of one step, made of the model's layers."""
        import keras

        return {MAIN: keras.Model(model.input, {name: model.output[name] for name in sorted(self.outputs)})}

    def parity_inputs_of_graphs(self, features: Any, data: Data, run: ModelFunction) -> dict[str, Arrays]:
        """Of each graph a few real inputs, as `parity_inputs`. `run` is the Keras model: a decoder reads what
        an encoder puts out."""
        return {MAIN: self.parity_inputs(features, data)}

    def generated(self, features: Any, data: Data, run: ModelFunction, count: int) -> list[list[int]]:
        """Of a generator: the tokens that it writes, the likeliest at each step, for `count` test inputs. An
        exported file must write the same. By default nothing is generated."""
        return []

    def output_scale(self, features: Any) -> float:
        """The natural size of an output, in its unit: an export's error is judged against it; by default 1,
        as of probabilities."""
        return 1.0

    @abstractmethod
    def sample_input(self, features: Any, data: Data) -> Any:
        """A raw input from the test part, in the form a user would give to `predict`."""
