"""Data sets of the Hugging Face Hub: what the file is called that lists the shards of one at a revision.

The name alone says what to fetch, so that a rule can: jobs that download know no configuration.
"""

import re

REPOSITORY = r"^[\w.-]+/[\w.-]+$"
REVISION = r"^[0-9a-f]{40}$"  # of git, which pins all that is in it; a branch would move
LISTING = re.compile(r"([\w.-]+?)--([\w.-]+)--([0-9a-f]{40})\.json")  # the Hub lets no name have "--"


def listing_of(repository: str, revision: str) -> str:
    """Return the name in data/archives/ of the list of a repository's shards; they lie in the folder of that name."""
    return f"{repository.replace('/', '--')}--{revision}.json"


def hub_of(file: str) -> tuple[str, str] | None:
    """Return repository and revision of a list of shards, by its name; None for any other file."""
    found = LISTING.fullmatch(file)
    return (f"{found[1]}/{found[2]}", found[3]) if found else None
