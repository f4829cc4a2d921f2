"""Sentences of reviews, tweets and editorials that people scored for VADER."""

import csv
import html
import io
import tarfile
from pathlib import Path

from lstm_apps.data.sources.download import source_archive
from lstm_apps.data.sources.source import Source


def _fetch_vader_sentences(path: Path) -> None:
    """All sentences that people scored for VADER, then its lexicon and the sentences of editorials, which
    are there to learn from, with less weight."""
    collections = {"movieReviewSnippets": 1.0, "tweets": 1.0, "amazonReviewSnippets": 1.0,
                   "nytEditorialSnippets": 0.5}  # fmt: skip
    with (
        source_archive(
            "vaderSentiment==3.3.2",
            "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
        ) as archive,
        path.open("w", newline="", encoding="utf-8") as out,
    ):

        def member(of: tarfile.TarFile, name: str) -> bytes:
            (found,) = (m for m in of.getmembers() if m.name.endswith(name))
            file = of.extractfile(found)
            assert file is not None
            return file.read()

        table = csv.writer(out)
        table.writerow(["text", "score", "document", "source", "weight"])
        inner = io.BytesIO(member(archive, "additional_resources/hutto_ICWSM_2014.tar.gz"))
        with tarfile.open(fileobj=inner) as sentences:
            for name, weight in collections.items():
                lines = member(sentences, f"{name}_GroundTruth.txt").decode("utf-8").split("\r\n")
                for number, score, text in (line.split("\t") for line in lines if line):
                    document = f"{name} {number.split('_')[0]}" if "_" in number else ""
                    # Some were escaped twice.
                    table.writerow([html.unescape(html.unescape(text)), score, document, name, weight])
        for line in member(archive, "vaderSentiment/vader_lexicon.txt").decode("utf-8").splitlines():
            word, score, *_ = line.split("\t")
            table.writerow([word, score, f"lexicon {word}", "lexicon", 0.3])


SOURCE = Source(
    name="vader-sentences",
    summary="18,513 sentences of reviews and tweets with scores by people, 5,190 of editorials, and "
    "VADER's lexicon (2 MB download)",
    origin="https://pypi.org/project/vaderSentiment/3.3.2",
    licence="MIT",
    citation="C. Hutto and E. Gilbert (2014). VADER: A Parsimonious Rule-based Model for Sentiment "
    "Analysis of Social Media Text. ICWSM.",
    file="vader_sentences.csv",
    fetch=_fetch_vader_sentences,
    sha256="0f8b4184ec4c1d10d1a2325310f19634771256682a9244b42e820a42e0d3cdd1",
)
