"""The result of an `agreement` metric in words, for its log and for captions."""

from typing import Any


def agreement_in_words(record: dict[str, Any]) -> str:
    """Return a sentence on the result of an `agreement` metric."""
    (file,) = record["archive"]
    distance = (
        f"The Frechet distance between our features of {record['images']['set']} and the published statistics in "
        f"{file} is {record['value']:.4g}"
    )
    if record["within"]:
        return f"{distance}, below {record['max_distance']:g}: images and features are prepared as in the original."
    return (
        f"{distance}, not below {record['max_distance']:g}: images or features were prepared differently there, so "
        "distances to this set may not be comparable with published FIDs."
    )
