"""What is known of a data set before it is prepared; needs no torch."""

from __future__ import annotations

from typing import Any

from datasets.readers import READERS
from datasets.spec import SPLITS


def image_counts(data: dict[str, Any]) -> dict[str, int]:
    """Images per split that a data set will have; none for a data set that is not known.

    Parameters
    ----------
    data
        From `workflow.config.Config.data_settings`.

    Raises
    ------
    InputError
        If the options give no numbers.
    """
    reader = READERS.get(data["reader"])
    if reader is None:
        return dict.fromkeys(SPLITS, 0)
    return reader.expected_counts(data["options"])
