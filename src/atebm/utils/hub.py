"""Name the files that list the shards of a Hugging Face data set at a revision.

The name alone says what to fetch, because jobs that download do not read the configuration.
"""

import re

REPOSITORY = r"^[\w.-]+/[\w.-]+$"
REVISION = r"^[0-9a-f]{40}$"  # a git commit, which fixes all contents; a branch would move
LISTING = re.compile(r"([\w.-]+?)--([\w.-]+)--([0-9a-f]{40})\.json")  # the Hub does not allow "--" in names


def listing_of(repository: str, revision: str) -> str:
    """Return the name in data/archives/ of the list of a repository's shards; the folder of that name holds them."""
    return f"{repository.replace('/', '--')}--{revision}.json"


def hub_of(file: str) -> tuple[str, str] | None:
    """Return the repository and revision in the name of a list of shards; None for any other file."""
    found = LISTING.fullmatch(file)
    return (f"{found[1]}/{found[2]}", found[3]) if found else None
