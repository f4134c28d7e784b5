"""What an export's model card says of a network besides: how good it is, and how complex its bits are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bnnedge.analysis.audit import audit
from bnnedge.packed.model import PackedModel
from bnnedge.report.views import audit_table

__all__ = ["card_sections"]


def card_sections(
    model: PackedModel, data: str, inputs: NDArray[np.uint8], labels: NDArray[np.int64]
) -> dict[str, str]:
    """Sections in Markdown, by their headings; the same network and samples always give the same.

    Args:
        model: the network.
        data: name of the data set.
        inputs: (samples, features) of its test split.
        labels: (samples,) what they are.
    """
    right, samples = int((model.predict(inputs).labels == labels).sum()), len(labels)
    audited = audit(model)
    return {
        "Accuracy": f"{right:,} of {samples:,} test samples of {data} right, {right / samples:.2%}, by the "
        "golden model.",
        "Complexity of the weight bits": f"{audit_table(audited).markdown().rstrip()}\n\n"
        f"{len(audited.findings)} findings: `bnnedge audit checkpoint.safetensors` prints them.",
    }
