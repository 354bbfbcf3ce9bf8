"""Read results of out-of-distribution detection for tables, figures and claims."""

from collections.abc import Iterable, Mapping

import pandas as pd

from .needs import Needs, Result
from .published import published

# The approaches of Table 4, by their published names where there are any, and the run that is measured here, if any.
APPROACHES = {
    "OE": "cifar10_ood_oe",
    "JEM": None,
    "EBM with a buffer of samples": "cifar10_ebm",
    "RATIO": "cifar10_ood_ratio",
    "Binary classifier": "cifar10_ood_plain",
    "Binary classifier, trained longer": "cifar10_ood_plain_long",
    "Ours": "cifar10_ood",
}
LABELS = {run: approach for approach, run in APPROACHES.items() if run} | {"cifar10_ood": "Adversarial training"}


def rows_of(needs: Needs) -> dict[str, str]:
    """Return the rows of Table 4 in its order, each with a label: the images here and which set they stand in for."""
    labels = needs.rows("cifar10")
    theirs = list(published("table4")["dataset"])
    return {row: labels[row] for row in sorted(labels, key=lambda row: theirs.index(row) if row in theirs else 99)}


def detections(results: Iterable[Result]) -> pd.DataFrame:
    """Return all rows of detection steps, with the run, the seed, and the settings of Auto-PGD."""
    frames = []
    for result in results:
        record = result.record
        how = record["settings"]
        own = {"run": record["run"], "seed": record["seed"], "steps": how["auto_pgd"]["steps"]}
        own |= {"all_attacks": how["square"] is not None, "transferred": "surrogate" in record}
        frames.append(result.table("detection.csv").assign(**own))
    frame = pd.concat(frames, ignore_index=True)
    measures = ("auroc", "low", "high", "aupr", "fpr95")  # absent where nothing was finite
    return frame.reindex(columns=list(dict.fromkeys([*frame, *measures])))


def budget(auto_pgd: Mapping[str, int]) -> str:
    """Return the steps and restarts of Auto-PGD, and the paper's where they differ."""
    paper = published("auto_pgd").set_index("setting")["value"].astype(int)
    used = f"{auto_pgd['steps']} steps and {auto_pgd['restarts']} restart{'s' * (auto_pgd['restarts'] != 1)}"
    if (auto_pgd["steps"], auto_pgd["restarts"]) == (paper["steps"], paper["restarts"]):
        return f"{used}, as published"
    return (
        f"{used} (published: {paper['steps']} and {paper['restarts']}; a shorter attack is at most as strong, so these "
        "AUROCs can only be too high)"
    )
