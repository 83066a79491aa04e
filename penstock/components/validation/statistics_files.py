"""What statistics need from files beside the examples: the user's classes, and vocabularies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from penstock.components.validation.custom_statistics import CustomClasses
from penstock.components.validation.dataset_statistics import More
from penstock.components.validation.language_statistics import Vocabulary
from penstock.components.validation.stats_options import StatsOptions
from penstock.pipeline import DataError, ModuleFile, ParameterError
from penstock.pipeline.errors import listing


def more_of(options: StatsOptions, module_file: ModuleFile | None, vocabularies: Sequence[str]) -> More:
    """Read what the options refer to.

    Args:
        options: Name the user's classes.
        module_file: The file that defines them.
        vocabularies: Files of tokens; the name without its ending is the vocabulary's.

    Raises:
        ParameterError: Classes are named, and there is no file of them.
        UserCodeError: There is no such class, or it isn't as described.
        DataError: A vocabulary is no text, has a token twice, or two have one name.
    """
    names = tuple(options.custom_statistics or ())
    if names and module_file is None:
        raise ParameterError(
            f"StatsOptions(custom_statistics=...) names {listing(names)}, and there is no file of them. Name it: "
            f'StatisticsGen(module_file="statistics.py").'
        )
    custom = CustomClasses(module_file, names) if names and module_file is not None else None
    if custom is not None:
        custom.check()
    read = {Path(file).stem: _vocabulary(file) for file in vocabularies}
    if len(read) < len(vocabularies):
        raise DataError(f"StatisticsGen(vocabularies=...) has two files of one name among {listing(vocabularies)}.")
    return More(custom, read)


def _vocabulary(file: str) -> Vocabulary:
    try:
        tokens = tuple(Path(file).read_text(encoding="utf-8").splitlines())
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is no vocabulary: it is no UTF-8 text (byte {error.start + 1}).") from error
    twice = next((token for token, times in Counter(tokens).items() if times > 1), None)
    if twice is not None:
        raise DataError(f"{file} is no vocabulary: it has the token {twice!r} twice. It holds one token a line.")
    return tokens
