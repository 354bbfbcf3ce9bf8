"""Declare every figure and table once: its title, the function that draws it, and the steps it is drawn from.

A new one needs an entry here, a drawing function in `report/`, and a notebook `notebooks/<id>.ipynb`. In a title,
`{cifar10}` stands for the data that a task has at the scale; `{distance}` and `{score}` stand for FID and IS, or for
what the scale measures in their place; `{beside}` stands for the other detectors of Table 4.
"""

from . import needs, table_settings
from .artifact import Artifact
from .tasks import PAPER_TASKS, TASKS_256

ARTIFACTS: dict[str, Artifact] = {
    # --- the main paper
    "fig1": Artifact(
        "Fig. 1: D of Algorithm 1 in 2D, before and after training, for two p_0",
        "maximin.fig1",
        lambda build: {a: build.toy(a) for a in build.config.toy.activations},
    ),
    "fig2": Artifact(
        "Fig. 2: R1 regularization and pre-training on {celebahq256}: {distance} during training",
        "ablations.fig2",
        lambda build: needs.curves(build, *needs.PRETRAINED_OR_NOT),
    ),
    "fig3": Artifact(
        "Fig. 3: {distance} on {cifar10} of models trained with more and less diverse p_0, from the same source images",
        "ablations.fig3",
        needs.fig3,
    ),
    "fig4": Artifact(
        "Fig. 4: {distance} on {cifar10} with Algorithm 1 at several K",
        "ablations.fig4",
        lambda build: needs.qualities(
            build, *(f"cifar10_K_{K}" for K in ("one", "fifth", "two_fifths", "three_fifths", "max"))
        ),
    ),
    "fig5": Artifact(
        "Fig. 5: progressive training and fixed K on {cifar10}: {distance} during training",
        "ablations.fig5",
        lambda build: needs.curves(build, "cifar10", "cifar10_K_max", "cifar10_K_fifth"),
    ),
    "fig6": Artifact(
        "Fig. 6: source images and samples: {celebahq256}; {afhqcat256}; {church256}",
        "pictures.fig6",
        lambda build: needs.sampled(build, *TASKS_256),
    ),
    "fig7": Artifact(
        "Fig. 7: image-to-image translation both ways: {celebahq256}; {afhqcat256}",
        "ascents.fig7",
        lambda build: needs.ascents(build, *needs.TRANSLATIONS[:2]),
    ),
    "stability": Artifact(
        "Sec. 5.3: training stability, the gap between logits of data and of contrastive samples under Eqs. 2 and 11",
        "ablations.stability",
        lambda build: needs.trainings(build, *needs.UNSTABLE_OR_NOT),
    ),
    "table1": Artifact(
        "Table 1: binary adversarial training and maximum likelihood, with a numerical check of each line",
        "theory.table1",
        lambda build: {"check": build.check("cifar10")},
        is_table=True,
    ),
    "table2": Artifact(
        "Table 2: {score} and {distance} on {cifar10}", "generation.table2", needs.table2, is_table=True
    ),
    "table3": Artifact(
        "Table 3: {distance} on {celebahq256}; {afhqcat256}; {church256}, the last at two resolutions",
        "generation.table3",
        needs.table3,
        is_table=True,
    ),
    "table4": Artifact(
        "Table 4: out-of-distribution detection on {cifar10}, standard and worst case{beside}",
        "detection_tables.table4",
        needs.table4,
        is_table=True,
    ),
    # --- the supplement
    "figS1": Artifact(
        "Fig. S1: minimax instead of maximin: Algorithm 3 in 2D, beside D of Algorithm 1", "minimax.figS1", needs.games
    ),
    "figS2": Artifact(
        "Fig. S2: uncurated samples over the source images they started from: {cifar10}",
        "pictures.figS2",
        needs.figS2,
    ),
    "figS3": Artifact(
        "Fig. S3: nearest training images of samples, in pixels and in features: {cifar10}",
        "pictures.neighbours",
        lambda build: needs.neighbours(build, "cifar10"),
    ),
    "figS4": Artifact(
        "Fig. S4: uncurated samples: {celebahq256}",
        "pictures.grid",
        lambda build: needs.uncurated(build, "celebahq256"),
    ),
    "figS5": Artifact(
        "Fig. S5: uncurated samples from blurred source images: {celebahq256}",
        "pictures.grid",
        lambda build: (
            needs.uncurated(build, "celebahq256_blurred") | {"sharp": build.quality("celebahq256", build.config.seed)}
        ),
    ),
    "figS6": Artifact(
        "Fig. S6: uncurated samples: {afhqcat256}",
        "pictures.grid",
        lambda build: needs.uncurated(build, "afhqcat256"),
    ),
    "figS7": Artifact(
        "Fig. S7: uncurated samples: {church256}",
        "pictures.grid",
        lambda build: needs.uncurated(build, "church256"),
    ),
    "figS8": Artifact(
        "Fig. S8: nearest training images of samples: {celebahq256}",
        "pictures.neighbours",
        lambda build: needs.neighbours(build, "celebahq256"),
    ),
    "figS9": Artifact(
        "Fig. S9: nearest training images of samples: {afhqcat256}",
        "pictures.neighbours",
        lambda build: needs.neighbours(build, "afhqcat256"),
    ),
    "figS10": Artifact(
        "Fig. S10: nearest training images of samples: {church256}",
        "pictures.neighbours",
        lambda build: needs.neighbours(build, "church256"),
    ),
    "figS11": Artifact(
        "Fig. S11: interpolation between source images: {celebahq256}",
        "ascents.interpolation",
        lambda build: needs.ascents(build, "celebahq256_interpolation"),
    ),
    "figS12": Artifact(
        "Fig. S12: interpolation between source images: {afhqcat256}",
        "ascents.interpolation",
        lambda build: needs.ascents(build, "afhqcat256_interpolation"),
    ),
    "figS13": Artifact(
        "Fig. S13: interpolation between source images: {church256}",
        "ascents.interpolation",
        lambda build: needs.ascents(build, "church256_interpolation"),
    ),
    "figS14": Artifact(
        "Fig. S14: intermediate results, with the {distance} after each number of steps: {celebahq256}",
        "ascents.trajectory",
        lambda build: needs.ascents(build, "celebahq256_trajectory"),
    ),
    "figS15": Artifact(
        "Fig. S15: intermediate results, with the {distance} after each number of steps: {afhqcat256}",
        "ascents.trajectory",
        lambda build: needs.ascents(build, "afhqcat256_trajectory"),
    ),
    "figS16": Artifact(
        "Fig. S16: intermediate results, with the {distance} after each number of steps: {church256}",
        "ascents.trajectory",
        lambda build: needs.ascents(build, "church256_trajectory"),
    ),
    "figS17": Artifact(
        "Fig. S17: composition, samples of the sum of two models' f: {celebahq256}; {afhqcat256}",
        "ascents.composition",
        needs.figS17,
    ),
    "figS18": Artifact(
        "Fig. S18: denoising and inpainting: {celebahq256}",
        "ascents.restoration",
        lambda build: needs.restored(build, "celebahq256"),
    ),
    "figS19": Artifact(
        "Fig. S19: denoising and inpainting: {afhqcat256}",
        "ascents.restoration",
        lambda build: needs.restored(build, "afhqcat256"),
    ),
    "figS20": Artifact(
        "Fig. S20: uncurated image translation in three directions: {celebahq256}; {afhqcat256}; {church256}",
        "ascents.figS20",
        lambda build: needs.ascents(build, *needs.TRANSLATIONS),
    ),
    "figS21": Artifact(
        "Fig. S21: the source images of Figs. S4 to S7",
        "pictures.figS21",
        lambda build: {"sources": build.data(build.task("celebahq256").sources)},
    ),
    "tableS1": Artifact(
        "Table S1: optimal solutions to the minimax and the maximin problem, in theory and in 2D",
        "theory.tableS1",
        needs.games,
        is_table=True,
    ),
    "tableS2": Artifact(
        "Table S2: architecture of the 256x256 network, with the authors' 3x3 stem and the published 1x1",
        "hyperparameters.tableS2",
        lambda build: {f"stem/{side}": build.network(side) for side in (3, 1)},
        is_table=True,
        settings=table_settings.networks,
    ),
    "tableS3": Artifact(
        "Table S3: training hyperparameters",
        "hyperparameters.tableS3",
        lambda build: {},
        is_table=True,
        settings=table_settings.hyperparameters,
    ),
    "tableS4": Artifact(
        "Table S4: sample generation settings",
        "hyperparameters.tableS4",
        lambda build: needs.selecting(build, PAPER_TASKS),
        is_table=True,
        settings=table_settings.samplers,
    ),
    "tableS5": Artifact(
        "Table S5: number of update steps, in training and sampling",
        "hyperparameters.tableS5",
        lambda build: needs.selecting(build, PAPER_TASKS[:2]),
        is_table=True,
        settings=table_settings.update_steps,
    ),
    "tableS6": Artifact(
        "Table S6: wall-clock time to generate 50 samples with 32 steps: {cifar10}",
        "hyperparameters.tableS6",
        lambda build: {"timing": build.timing("cifar10")},
        is_table=True,
    ),
    "tableS7": Artifact(
        "Table S7: {distance} of one model's samples by steps and step size, with a constant product",
        "generation.tableS7",
        needs.tableS7,
        is_table=True,
    ),
    "tableS8": Artifact(
        "Table S8: out-of-distribution detection by the models of {celebahq256}; {afhqcat256}; {church256}",
        "detection_tables.tableS8",
        lambda build: needs.detections(build, *TASKS_256),
        is_table=True,
    ),
    # --- beyond the paper
    "ood_curves": Artifact(
        "OOD curves: AUROC of each model of Table 4 against the radius of the attack",
        "detection_figures.ood_curves",
        needs.ood_curves,
    ),
    "ood_scores": Artifact(
        "OOD scores: logits in and out of distribution, clean and attacked, with and without adversarial training",
        "detection_figures.ood_scores",
        needs.attacks,
    ),
    "ood_attacked": Artifact(
        "OOD images: out-of-distribution images under attack, with and without adversarial training",
        "detection_figures.ood_attacked",
        needs.ood_attacked,
    ),
    "ood_masking": Artifact(
        "OOD masking: checks that masked gradients do not explain the numbers of Table 4",
        "masking.ood_masking",
        needs.ood_masking,
        is_table=True,
    ),
    "picture_checks": Artifact(
        "Picture checks: restoration, translation and memorisation in numbers, beside trivial baselines",
        "picture_checks.picture_checks",
        needs.picture_checks,
        is_table=True,
    ),
    "claims": Artifact(
        "Claims board: the paper's claims, tested over several seeds",
        "claims.board.claims",
        needs.claims,
        is_table=True,
        settings=table_settings.claims,
        on_request=True,
    ),
    "controls": Artifact(
        "Controls: the tests of the claims board on results that were spoilt on purpose",
        "claims.controls.controls",
        needs.claims,
        is_table=True,
        settings=table_settings.claims,
        on_request=True,
    ),
}
USUAL = tuple(name for name, artifact in ARTIFACTS.items() if not artifact.on_request)  # at every scale


# What titles say where nothing was drawn: the paper's data, as config.yaml titles its tasks, and its measures.
PAPER_WORDS = {
    "cifar10": "CIFAR-10",
    "celebahq256": "CelebA-HQ 256",
    "afhqcat256": "AFHQ-CAT 256",
    "church256": "LSUN-Church 256",
    "distance": "FID",
    "score": "IS",
    "beside": "",
}


def target(name: str, results: str = "results") -> str:
    """Return the file that a user requests: the numbers of a table, or the picture of a figure."""
    return f"{results}/{name}.{ARTIFACTS[name].suffixes[0]}"
