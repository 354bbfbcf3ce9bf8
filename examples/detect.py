"""Tell images that are unlike the training data, and see how far an attack can change the answer.

python examples/detect.py [IMAGE ...]
"""

import sys
from pathlib import Path

import atebm

model = atebm.load("demo/cifar10_ood", fit="crop")
images = sys.argv[1:] or sorted(Path("data/embedded/photographs").glob("*.jpg"))
energy, threshold = model.energy(images), model.threshold(0.95)
print(f"95 % of in-distribution images have an energy of at most {threshold:.2f}")
print(f"{(energy > threshold).sum()} of {len(energy)} images are out of distribution: {energy.min():.2f} and more")

# The lowest energy that an attacker reaches by changing each image by at most 1, in L2.
attacked = model.energy(model.attack(images, radius=1.0, steps=20))
print(f"attacked: {(attacked > threshold).sum()} of {len(energy)} still are: {attacked.min():.2f} and more")
