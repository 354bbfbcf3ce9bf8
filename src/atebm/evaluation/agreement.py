"""What an `agreement` metric found, in words: for the log of its step, and for captions."""

from typing import Any


def agreement_in_words(record: dict[str, Any]) -> str:
    """Return a sentence on what an `agreement` metric found, for logs and captions."""
    (file,) = record["archive"]
    distance = (
        f"Our features of {record['images']['set']} have a Frechet distance of {record['value']:.4g} to the published "
        f"statistics in {file}"
    )
    if record["within"]:
        return f"{distance}, less than {record['max_distance']:g}: images are prepared and seen as they were there."
    return (
        f"{distance}, not less than {record['max_distance']:g}: images were prepared or seen in another way there, so "
        "that distances to this set need not compare with published FID."
    )
