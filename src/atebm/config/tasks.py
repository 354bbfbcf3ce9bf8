"""The settings of tasks."""

from typing import Annotated

from pydantic import BeforeValidator, PositiveInt, model_validator

from .base import ArrayName, Paper, Section, SetName, key, mistake, without_nulls
from .roles import HELD_OUT, IN


class Task(Section):
    """A target distribution and the sets around it, all named in `sets`."""

    paper = Paper("Sec. 5; supplement 3, datasets")
    title: str = key(
        "the paper's name for its data; if p_data has another title, p_data stands in for it", min_length=1
    )
    p_data: ArrayName = key("target distribution: the training images")
    held_out: ArrayName = key("real images that are not used in training")
    p_0: SetName = key("images from which the PGD attack starts in training")
    validation_sources: ArrayName = key("source images for selecting the checkpoint and the sampler's length")
    sources: ArrayName = key("source images of the reported samples")
    out_of_distribution: Annotated[
        dict[str, ArrayName],
        BeforeValidator(without_nulls, json_schema_input_type=dict[str, ArrayName | None] | None),
    ] = key(
        "sets that the model should score lower than p_data, by table row; null leaves a row out",
        source="Tables 4 and S8; authors' script",
        default={},
        in_digest=True,
    )
    also_at: PositiveInt | None = key(
        "side to which images are shrunk (by averaging areas) for a second distance; null: none",
        unit="pixels",
        source="Table 3, 64x64; how images are shrunk: ours",
        default=None,
        in_digest=True,
    )

    @model_validator(mode="after")
    def _rows_are_no_roles(self) -> "Task":
        """Check that no row has the name of another parent of an `attack` step."""
        if taken := {"model", "surrogate", IN, HELD_OUT}.intersection(self.out_of_distribution):
            text = " has a row {}, which is a reserved name: choose another"
            raise mistake(["out_of_distribution"], text, min(taken))
        return self

    @property
    def sets(self) -> list[str]:
        roles = (self.p_data, self.held_out, self.p_0, self.validation_sources, self.sources)
        return list(dict.fromkeys((*roles, *self.out_of_distribution.values())))
