# The set-up of `make demo` in a container: the same Python packages, from the same requirements.lock.
#   docker build --tag atebm . && docker run --rm --interactive --tty atebm
# `make lint` checks this file. No image was ever built of it here.
FROM python:3.11-slim-bookworm

# make for the Makefile, git for DVC; of whatever version the image's Debian has.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/*

RUN useradd --create-home --uid 1000 reviewer \
    && install --directory --owner=1000 /home/reviewer/atebm
USER 1000
WORKDIR /home/reviewer/atebm

# Before the rest of the checkout, so that packages are installed again only where they change.
COPY --chown=1000 Makefile requirements.lock pyproject.toml README.md LICENSE ./
COPY --chown=1000 src src
RUN make .venv/.installed

COPY --chown=1000 . .
ENV PATH=/home/reviewer/atebm/.venv/bin:$PATH
CMD ["make", "demo"]
