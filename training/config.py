"""The configuration of one training."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from lstm_apps.application import Application, Request
from lstm_apps.errors import InputError, unknown_name
from lstm_apps.features.tables.dialect import Dialect

_WHOLE = ("units", "layers", "epochs", "steps_per_epoch", "batch_size", "patience", "seed")
_NUMBERS = ("dropout", "learning_rate", "weight_decay", "clipnorm")


@dataclass(frozen=True)
class Config:
    """What one training needs to be repeated. Defaults carry their reason beside them."""

    application: str
    preset: str = "quick"
    # data
    data: str | None = None  # the application's own dataset
    columns: Mapping[str, str] = field(default_factory=dict)
    step: str | None = None
    dialect: Mapping[str, Any] = field(default_factory=dict)  # fields of `Dialect` that the user said
    fold: str | None = None  # of a cross-validation; None: the usual test part
    # model
    units: int = 64
    layers: int = 1  # a second layer must show that it helps
    dropout: float = 0.1
    # training
    epochs: int = 20
    steps_per_epoch: int | None = None  # None: every example once an epoch
    batch_size: int = 64
    learning_rate: float = 2e-3  # falls to 2 % of it along a cosine
    weight_decay: float = 1e-4
    clipnorm: float = 1.0  # Pascanu et al. 2013: recurrent gradients explode without
    patience: int = 5  # epochs without a better validation loss before training stops
    mixed_precision: bool = False  # float16 arithmetic; pays on a GPU only
    seed: int = 0

    def __post_init__(self) -> None:
        for name in _WHOLE:
            value = getattr(self, name)
            optional = name == "steps_per_epoch" and value is None
            if not optional and (not isinstance(value, int) or isinstance(value, bool)):
                raise InputError(f"{name} is {value!r}, expected a whole number.")
        for name in _NUMBERS:
            if not isinstance(getattr(self, name), int | float):
                raise InputError(f"{name} is {getattr(self, name)!r}, expected a number.")
        for name in ("units", "layers", "epochs", "batch_size", "patience"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}, expected at least 1.")
        if self.data is not None and not str(self.data).strip():
            raise InputError("data is empty, expected a file, a folder or the name of a dataset.")
        if self.steps_per_epoch is not None and self.steps_per_epoch < 1:
            raise InputError(f"steps_per_epoch is {self.steps_per_epoch}, expected at least 1.")
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout is {self.dropout}, expected 0 up to below 1.")
        if not 0 <= self.seed < 2**32:
            raise InputError(f"seed is {self.seed}, expected 0 up to below 2^32.")
        if not self.learning_rate > 0:
            raise InputError(f"learning_rate is {self.learning_rate}, expected more than 0.")

    @classmethod
    def of(cls, application: Application, preset: str, **chosen: Any) -> "Config":
        """The preset of an application, with what the user chose (None: as the preset has it)."""
        if preset not in application.presets:
            raise unknown_name("preset", preset, application.presets)
        given = {k: v for k, v in chosen.items() if v is not None}
        return cls(application.name, preset, **{**application.presets[preset], **given})

    @property
    def request(self) -> Request:
        """Which data it trains on."""
        return Request(self.data, self.columns, self.step, self.fold, Dialect.of(self.dialect))

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Config":
        known = {f.name for f in fields(cls)}
        for name in data:
            if name not in known:
                raise unknown_name("configuration field", name, known)
        return cls(**data)
