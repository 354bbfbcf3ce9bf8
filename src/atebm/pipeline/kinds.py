"""The kinds of step. Apart from plan.py, so that a job need not import the configuration's types."""

# What a step of each kind leaves in its folder; the record (.json) is written last and lists the others' sha256.
FILES: dict[str, tuple[str, ...]] = {
    "data": ("images.npy", "labels.npy", "set.json"),
    "index": ("entries.npy", "labels.npy", "set.json"),  # a set that is too large for an array
    "extractor": ("model.safetensors", "extractor.json"),
    "pretrain": ("model.safetensors", "pretrain.json"),
    "toy": ("toy.csv", "fields.npz", "toy.json"),
    "minimax": ("minimax.csv", "energy.csv", "fields.npz", "minimax.json"),
    "train": ("best.safetensors", "last.safetensors", "log.csv", "monitor.csv", "run.json"),
    "sample": ("images.npy", "paths.csv", "samples.json"),
    "ascent": ("frames.npy", "motion.npy", "path.csv", "distances.csv", "ascent.json"),
    "features": ("features.npy", "logits.npy", "features.json"),
    "metric": ("metric.json",),
    "neighbours": ("neighbours.csv", "neighbours.json"),
    "attack": ("scores.csv", "images.npy", "attack.json"),
    "detection": ("detection.csv", "detection.json"),
    "network": ("layers.csv", "network.json"),
    "timing": ("timing.json",),
    "check": ("check.json",),
    "overview": ("samples.png", "overview.json"),
}

# +1 when a change of code changes what a step of that kind computes; everything downstream then runs again.
REVISION: dict[str, int] = dict.fromkeys(FILES, 1) | {
    "extractor": 2,
    "pretrain": 2,
    "train": 5,
    "sample": 2,
    "features": 2,
    "metric": 2,
}

# What the targets `models` and `numbers` of the workflow ask for, with all behind it.
MODELS = ("data", "index", "train")
NUMBERS = ("metric", "detection", "ascent", "neighbours", "toy", "minimax", "network", "check", "timing")
