"""Move images of your own uphill on two models, as in Figure 7: the same images become tops, and footwear.

python examples/own_images.py [FOLDER [PICTURE]]
"""

import sys
from pathlib import Path

import numpy as np

import atebm

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "data/embedded/photographs")
picture = sys.argv[2] if len(sys.argv) > 2 else "translated.png"
images = sorted(folder.glob("*.jpg"))[:8]
rows = []
for name in ("demo/celebahq256", "demo/afhqcat256"):
    model = atebm.load(name, fit="crop")
    made = model.sample(images)
    rows.append(made)
    print(f"{name}: mean energy {model.energy(images).mean():.2f} before, {model.energy(made).mean():.2f} after")
model.show(np.concatenate([rows[0], rows[1]]), title="The same images as tops, and as footwear").save(picture)
print(f"{picture} shows them")
