"""`adapt`: an account's table from files, without the service."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from services.sentiment.adapters.comment_files import (
    UnreadableFileError,
    read_labelled,
    read_stream,
)
from services.sentiment.adapters.table_file import save_table
from services.sentiment.domain.adapting.learn import learn
from services.sentiment.domain.scorer import CommentScorer
from services.sentiment.malformed_lines import Complaints, usable


def adapt_files(
    scorer: CommentScorer, stream: Path, labels: Path, output: Path, *, as_json: bool
) -> int:
    """Learn from a stream and labels, write the table, print the report; 0, whatever came out.

    Raises:
        UnreadableFileError: a file cannot be read, or the table cannot be written.
    """
    if output.resolve() in (stream.resolve(), labels.resolve()):
        raise UnreadableFileError(f"{output.name} is an input: name another file with -o")
    complaints = Complaints(stream.name)
    texts = [comment.text for comment in usable(read_stream(stream), complaints)]
    complaints.close()
    complaints = Complaints(labels.name)
    labelled = [(row.label, row.text) for row in usable(read_labelled(labels), complaints)]
    complaints.close()
    table, report = learn(scorer, texts, labelled)
    told = report.as_json()
    try:
        save_table(output, table, told)
    except OSError as error:
        raise UnreadableFileError(
            f"{output.name}: {error.strerror or error}; name a file that can be written with -o"
        ) from error
    sys.stdout.write(json.dumps(told, ensure_ascii=False) if as_json else report.in_words())
    sys.stdout.write("\n")
    return 0
