"""`vitals`: will a patient deteriorate in the next hours? For research, not a medical device."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_apps.application import MODEL, RESEARCH_ONLY, Application, Data, Fold, Plot, Request
from lstm_apps.data import sources
from lstm_apps.errors import InputError, unknown_name
from lstm_apps.features import Arrays, ModelFunction
from lstm_apps.healthcare.vitals import baselines
from lstm_apps.healthcare.vitals.data import LAYOUT, Stay, read_stays
from lstm_apps.healthcare.vitals.deterioration import KINDS, Course, course
from lstm_apps.healthcare.vitals.features import (
    HORIZON,
    WARM_UP,
    WINDOW,
    VitalsFeatures,
    warn_computed,
    windows,
)
from lstm_apps.healthcare.vitals.hours import COLUMNS, NEEDED
from lstm_apps.healthcare.vitals.metrics import (
    ALARM_RATE,
    AUPRC,
    AUROC,
    BRIER,
    CALIBRATION,
    EVENT_RECALL,
    LEAD_TIME,
    Hours,
    alarm_scores,
    alarms,
    hour_scores,
    threshold_for,
)
from lstm_apps.healthcare.vitals.readings import NAMES
from lstm_apps.healthcare.vitals.table import OPTIONS
from lstm_apps.metrics.bootstrap import Scores

if TYPE_CHECKING:
    import keras


FOLDS = 5
MEMBERS = 4
CROP, STRIDE = 48, 24  # hours of a training example, and from one to the next
_PARITY_INPUTS = 16


@dataclass(frozen=True)
class Cohort:
    """The training patients in `MEMBERS` groups, one for each member of the ensemble. A member learns from
    the other groups and is validated on its own (cross-fitting), so every patient serves both ends and no
    member is validated on a patient that it learnt from."""

    courses: list[Course]
    held_out: bool  # True: each member gets its own group, to validate; False: the others, to learn

    def group(self, patient: str) -> int:
        """The group, 0 to `MEMBERS` - 1, of a patient."""
        return self._groups[patient]

    @cached_property
    def _groups(self) -> dict[str, int]:
        patients = sorted({c.stay.patient for c in self.courses}, key=_shuffled)
        return {patient: place % MEMBERS for place, patient in enumerate(patients)}


class Vitals(Application):
    """Risk of deterioration at the end of every hour, of patients outside the training part."""

    name = "vitals"
    domain = "healthcare"
    model_module = "lstm_apps.healthcare.vitals.model"
    summary = f"Warn of deterioration in the next {HORIZON} hours from the vital signs of intensive care"
    dataset = "clif-demo"
    layout = LAYOUT
    roles = {  # noqa: RUF012
        "patient": "patient",
        "time": "time",
        "variable": "variable",
        "value": "value",
    }
    metrics = (AUROC, AUPRC, BRIER, CALIBRATION, ALARM_RATE, EVENT_RECALL, LEAD_TIME)
    outputs = ("risk",)
    stream_outputs = ("risk",)
    baselines = (baselines.NEWS2, baselines.LAST_MAP, *baselines.FITTED)
    disclaimer = RESEARCH_ONLY
    presets = {  # noqa: RUF012
        "quick": {
            "units": 16,
            "epochs": 6,
            "batch_size": 16,
            "dropout": 0.3,
            "learning_rate": 4e-3,
            "weight_decay": 1e-2,
        },
        "full": {
            "units": 64,
            "epochs": 16,
            "batch_size": 16,
            "dropout": 0.5,
            "learning_rate": 3e-3,
            "weight_decay": 1e-2,
            "patience": 8,
        },
    }

    def load(self, request: Request) -> Data:
        columns = self.columns(request, fold=True, dialect=tuple(OPTIONS))
        fold = request.fold or "1"
        if fold not in self.folds(request):
            raise unknown_name("fold", fold, self.folds(request))
        found = sources.find(request.path or self.dataset)
        if request.columns and found.path.is_dir():
            raise InputError(
                "--column names columns of a CSV file; the tables of CLIF have those that CLIF defines."
            )
        if found.path.is_dir() and (said := request.dialect.said()):
            raise InputError(f"--{said[0]} is for a table such as a CSV file, not for those of CLIF.")
        stays, left_out = read_stays(found.path, columns, request.dialect)
        all_courses = [course(stay) for stay in stays]
        if computed := sum(int(c.computed.sum()) for c in all_courses):
            warn_computed(computed, sum(len(c.ends) for c in all_courses))
        courses = [c for c in all_courses if c.eligible.any()]
        if not courses:
            there = {NAMES[i] for stay in stays for i in stay.readings.vitals}
            missing = [name for name in NEEDED if name not in there and not (name == "map" and computed)]
            raise InputError(
                f"{found.path}: no hour is eligible. It takes {', '.join(NEEDED)}"
                f"{' (there is no ' + ', '.join(missing) + ')' if missing else ''}, and some hours of a stay."
            )
        patients = sorted({c.stay.patient for c in courses}, key=_shuffled)
        tested = set(patients[int(fold) - 1 :: FOLDS])
        parts = [[c for c in courses if (c.stay.patient in tested) == wanted] for wanted in (False, True)]
        for part, least in zip(parts, (MEMBERS, 1), strict=True):
            ill = {c.stay.patient for c in part if (c.eligible & c.label).any()}
            if len(ill) < least:
                raise InputError(
                    f"Of {len(patients)} patients, {len(ill)} to {'test' if least == 1 else 'learn from'} "
                    f"deteriorate after an eligible hour; it takes {least} at least."
                )
            if all(c.label[c.eligible].all() for c in part):
                raise InputError("An event follows every eligible hour: a model needs hours without one too.")
        train, test = parts
        return Data(
            Cohort(train, held_out=False),
            Cohort(train, held_out=True),
            test,
            provenance={
                **found.provenance(),
                "unit": "",
                "columns": columns,
                "label": f"does an event begin within {HORIZON} h: {', '.join(KINDS)}",
                "split": f"by patient: fifth {fold} of {FOLDS} to test; each member of "
                f"the ensemble is validated on the others that it did not learn from",
                "readings_left_out_as_impossible": left_out,
                "hours_of_computed_mean_pressure": computed,
                "train": _counts(train),
                "test": _counts(test),
            },
            settings={"columns": columns, "dialect": request.dialect},
        )

    def folds(self, request: Request) -> tuple[str, ...]:
        """Fifths of the patients; each is the test part once."""
        return tuple(str(i + 1) for i in range(FOLDS))

    def fit_features(self, data: Data) -> VitalsFeatures:
        return VitalsFeatures.fit(
            data.settings["columns"], [c.rows for c in data.train.courses], data.settings["dialect"]
        )

    def examples(self, features: VitalsFeatures, records: Cohort) -> "HourExamples":
        return HourExamples(features, records)

    def build(self, features: VitalsFeatures, *, units: int, layers: int, dropout: float) -> "keras.Model":
        from lstm_apps.healthcare.vitals.model import early_warning

        # Whether a value was measured stays 0 or 1; hours since are divided by 24.
        others = [1.0] * len(NAMES) + [24.0] * len(NAMES)
        return early_warning(
            columns=COLUMNS,
            mean=[*features.mean, *[0.0] * len(others)],
            std=[*features.std, *others],
            units=units,
            layers=layers,
            dropout=dropout,
            members=MEMBERS,
        )

    def loss(self, features: VitalsFeatures) -> Any:
        import keras

        return {"member_logits": keras.losses.BinaryCrossentropy(from_logits=True)}

    def calibrate(self, model: "keras.Model", features: VitalsFeatures, data: Data) -> VitalsFeatures:
        """Fit the calibration and the alarm threshold on the logits that each member gives for the patients
        that it did not learn from."""
        from scipy.special import expit
        from sklearn.linear_model import LogisticRegression

        cohort: Cohort = data.validation

        def held_out(c: Course) -> np.ndarray:
            own = cohort.group(c.stay.patient)
            # `risks` of one member instead of the mean.
            return features.risks(
                lambda inputs: {"risk": model.predict(inputs, verbose=0)["member_logits"][..., own, :]},
                c.rows,
            )

        hours = _hours(cohort.courses)
        logits = np.concatenate([held_out(c)[c.stable] for c in cohort.courses])
        fitted = LogisticRegression(C=1e3).fit(logits[hours.eligible, None], hours.label[hours.eligible])
        slope, shift = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
        model.get_layer("calibrated").set_weights([np.float32(slope), np.float32(shift)])
        return replace(features, threshold=threshold_for(hours, expit(slope * logits + shift)))

    def score(self, features: VitalsFeatures, data: Data, run: ModelFunction) -> Scores:
        return hour_scores(_hours(data.test), self._risks(features, data, run))

    def score_stream(self, features: VitalsFeatures, data: Data, run: ModelFunction) -> Scores:
        """The alarms of the test patients; `run` gets each stay from beginning to end."""
        risks = []
        for c in data.test:
            length = -(-len(c.rows) // WINDOW) * WINDOW  # few different lengths, because each compiles
            hours = np.zeros((1, length, COLUMNS), np.float32)
            hours[0, : len(c.rows)] = features.encode(c.rows)
            risks.append(run({"hours": hours})["risk"][0, : len(c.rows), 0][c.stable])
        stable = _hours(data.test)
        return alarm_scores(stable, alarms(stable, np.concatenate(risks), features.threshold))

    def baseline_predictions(
        self, features: VitalsFeatures, data: Data
    ) -> Iterator[tuple[str, tuple[np.ndarray, float]]]:
        """Risks of the stable test hours (hours,), and the alarm threshold, chosen on training patients left
        out."""
        train: list[Course] = data.train.courses
        known = _hours(train)
        parts = [(c.stay.patient, c.rows, c.stable, c.eligible, c.label) for c in train]
        for name, held_out, risk in baselines.risks(parts, [(c.rows, c.stable) for c in data.test]):
            yield name, (risk, threshold_for(known, held_out))

    def score_baseline(
        self, features: VitalsFeatures, data: Data, name: str, predictions: tuple[np.ndarray, float]
    ) -> Scores:
        hours, (risk, threshold) = _hours(data.test), predictions
        scores = hour_scores(hours, risk, name not in baselines.SCORES_ONLY)
        return {**scores, **alarm_scores(hours, alarms(hours, risk, threshold))}

    def score_folds(self, folds: Sequence[Fold]) -> Iterator[tuple[str, Scores]]:
        hours = _hours([c for fold in folds for c in fold.data.test])
        for name, risk, alarm in self._pooled_folds(folds):
            scores = hour_scores(hours, risk, name not in baselines.SCORES_ONLY)
            yield name, {**scores, **alarm_scores(hours, alarm)}

    def plots_of_folds(self, folds: Sequence[Fold]) -> list[Plot]:
        courses = [c for fold in folds for c in fold.data.test]
        hours, risks = _hours(courses), {name: risk for name, risk, _ in self._pooled_folds(folds)}
        return _risk_plots(courses, hours, risks)

    def _pooled_folds(self, folds: Sequence[Fold]) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Of the model and of each baseline: risks and alarms of the stable hours of all test patients, each
        at the threshold of its own fold."""

        def joined(parts: list[tuple[np.ndarray, float]]) -> tuple[np.ndarray, np.ndarray]:
            raised = [
                alarms(_hours(fold.data.test), risk, threshold)
                for fold, (risk, threshold) in zip(folds, parts, strict=True)
            ]
            return np.concatenate([risk for risk, _ in parts]), np.concatenate(raised)

        yield MODEL, *joined([(self._risks(f.features, f.data, f.run), f.features.threshold) for f in folds])
        for name in folds[0].baselines:
            yield name, *joined([fold.baselines[name] for fold in folds])

    def _risks(self, features: VitalsFeatures, data: Data, run: ModelFunction) -> np.ndarray:
        """(hours,) of all stable test hours."""
        return np.concatenate([features.risks(run, c.rows)[c.stable] for c in data.test])

    def plots(self, features: VitalsFeatures, data: Data, run: ModelFunction) -> list[Plot]:
        from lstm_apps.healthcare.vitals.plots import monitor

        hours = _hours(data.test)
        simple = {
            name: np.concatenate([score(c.rows)[c.stable] for c in data.test])
            for name, score in ((baselines.NEWS2, baselines.news2), (baselines.LAST_MAP, baselines.last_map))
        }
        risks = [features.risks(run, c.rows) for c in data.test]
        stable = np.concatenate([r[c.stable] for r, c in zip(risks, data.test, strict=True)])
        return [
            monitor(data.test, risks, features.threshold),
            *_risk_plots(data.test, hours, {MODEL: stable, **simple}),
        ]

    def parity_inputs(self, features: VitalsFeatures, data: Data) -> Arrays:
        parts = [p for c in data.test for p in windows(c.rows)]
        chosen = sorted(parts, key=len, reverse=True)[:_PARITY_INPUTS]
        hours = np.zeros((len(chosen), WINDOW, COLUMNS), np.float32)
        for row, part in zip(hours, chosen, strict=True):
            row[: len(part)] = features.encode(part)
        return {"hours": hours}

    def sample_input(self, features: VitalsFeatures, data: Data) -> dict[str, list]:
        stay: Stay = data.test[0].stay
        seconds, vitals, values = (a[:200] for a in stay.readings)
        cells = {
            "patient": [stay.patient] * len(seconds),
            "time": seconds.astype("datetime64[s]").astype(str).tolist(),
            "variable": [NAMES[v] for v in vitals],
            "value": values.tolist(),
        }
        return {features.columns[role]: column for role, column in cells.items()}


class HourExamples:
    """Windows of one stay: in training `CROP` hours with a random shift; otherwise the windows that the
    exported model reads. Hours that are not eligible have weight 0, and so has each patient for the members
    that must not get them."""

    def __init__(self, features: VitalsFeatures, cohort: Cohort):
        self._features, self._held_out = features, cohort.held_out
        self._size = WINDOW if cohort.held_out else CROP
        step = WINDOW - WARM_UP if cohort.held_out else STRIDE
        self._places = [
            (c, start)
            for c in cohort.courses
            for start in range(0, max(1, len(c.rows) - WARM_UP), step)
            if c.eligible[start : start + self._size].any()
        ]
        groups = {c.stay.patient: cohort.group(c.stay.patient) for c in cohort.courses}
        own = np.eye(MEMBERS, dtype=np.float32)
        self._members = {p: own[g] if cohort.held_out else 1 - own[g] for p, g in groups.items()}
        # Weights have a mean of one, or losses of training and validation could not be compared.
        total = sum(self._weights(c, start).sum() for c, start in self._places)
        self._scale = np.float32(len(self) * self._size * MEMBERS / total)

    def __len__(self) -> int:
        return len(self._places)

    def batch(self, indices: np.ndarray, rng: np.random.Generator | None) -> tuple[Arrays, Arrays, Arrays]:
        """Hours (batch, time, COLUMNS), labels (batch, time, members, 1), weights (batch, time, members)."""
        shape = (len(indices), self._size)
        hours = np.zeros((*shape, COLUMNS), np.float32)
        labels = np.zeros((*shape, MEMBERS), np.float32)
        weights = np.zeros((*shape, MEMBERS), np.float32)
        for row, i in enumerate(indices):
            c, start = self._places[i]
            if rng is not None:
                start += int(rng.integers(-STRIDE // 2, STRIDE // 2 + 1))
                start = max(0, min(start, len(c.rows) - self._size))
            part = slice(start, start + self._size)
            count = len(c.rows[part])
            hours[row, :count] = self._features.encode(c.rows[part])
            labels[row, :count] = c.label[part, None]
            weights[row, :count] = self._scale * self._weights(c, start)
        return {"hours": hours}, {"member_logits": labels[..., None]}, {"member_logits": weights}

    def _weights(self, c: Course, start: int) -> np.ndarray:
        """(hours, members) of a window."""
        weights = c.eligible[start : start + self._size].astype(np.float32)
        if self._held_out and start:
            weights[:WARM_UP] = 0  # the window before has scored them
        return weights[:, None] * self._members[c.stay.patient]


def _shuffled(patient: str) -> bytes:
    """A sort key of patients that depends on their names alone."""
    return hashlib.sha256(patient.encode()).digest()


def _risk_plots(courses: Sequence[Course], hours: Hours, risks: Mapping[str, np.ndarray]) -> list[Plot]:
    """The plots that risks (hours,) of stable hours allow."""
    from lstm_apps.healthcare.vitals.plots import alarm_curves, reliability_plot, subgroups

    return [
        reliability_plot(hours, risks[MODEL]),
        alarm_curves(hours, risks),
        subgroups({c.stay.patient: c.stay for c in courses}, hours, risks[MODEL]),
    ]


def _hours(courses: Sequence[Course]) -> Hours:
    """Their stable hours."""
    monitored: Counter[str] = Counter()
    for c in courses:
        monitored[c.stay.patient] += len(c.rows)
    return Hours(
        patient=np.concatenate([[c.stay.patient] * int(c.stable.sum()) for c in courses]),
        stay=np.concatenate([np.full(int(c.stable.sum()), i) for i, c in enumerate(courses)]),
        end=np.concatenate([c.ends[c.stable] for c in courses]),
        label=np.concatenate([c.label[c.stable] for c in courses]),
        onset=np.concatenate([c.onset[c.stable] for c in courses]),
        eligible=np.concatenate([c.eligible[c.stable] for c in courses]),
        monitored=monitored,
    )


def _counts(courses: list[Course]) -> dict[str, Any]:
    hours = _hours(courses)
    eligible = hours.where(hours.eligible)
    kinds = Counter(k for c in courses for k in c.kind[c.eligible].tolist() if k)
    return {
        "patients": len(set(eligible.patient.tolist())),
        "stays": len(courses),
        "hours monitored": sum(hours.monitored.values()),
        "eligible hours": len(eligible),
        "hours before an event": {**{k: kinds[k] for k in KINDS}, "all": int(eligible.label.sum())},
    }


VITALS = Vitals()
