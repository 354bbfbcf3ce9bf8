"""Sample from a model of this clone: held-out photographs become clothing, and the energy falls on the way.

python examples/sample.py [PICTURE]
"""

import sys

import atebm

model = atebm.load("demo/cifar10")
print(model)
sources = model.sources(32)
samples = model.sample(sources)
print(f"mean energy {model.energy(sources).mean():.2f} before, {model.energy(samples).mean():.2f} after")
picture = sys.argv[1] if len(sys.argv) > 1 else "samples.png"
model.show(sources, samples, "Photographs, and what 24 steps uphill make of them").save(picture)
print(f"{picture} shows them")
