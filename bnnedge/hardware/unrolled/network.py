"""The top module: comparison of the inputs, a register after each layer, and the label."""

from __future__ import annotations

from dataclasses import dataclass

from bnnedge.hardware.unrolled.modules import at_least, score_bits
from bnnedge.packed.encoding import InputEncoding
from bnnedge.packed.model import PackedModel

__all__ = ["Ports", "network_module"]


@dataclass(frozen=True)
class Ports:
    """Bits of what goes in and out.

    Attributes:
        feature: of a feature.
        score: of a score, signed.
        label: of the label.
    """

    feature: int
    score: int
    label: int

    @classmethod
    def of(cls, model: PackedModel) -> Ports:
        """Those of a model."""
        label = max(1, (model.classes - 1).bit_length())
        return cls(model.encoding.maximum.bit_length(), score_bits(model.lattices[-1]), label)


def network_module(model: PackedModel, layers: list[str]) -> str:
    """SystemVerilog of ``network``, of the layers' modules and ``labels``; ports are said in the package."""
    ports = Ports.of(model)
    scores, stages = model.classes * ports.score, len(layers) + 2
    lines = [
        "// One bit a stage, oldest in front: which samples of the pipeline are valid.",
        f"reg [{stages - 1}:0] valid;",
        f"always @(posedge clk) valid <= rst ? {stages}'b0 : {{valid[{stages - 2}:0], in_valid}};",
        f"assign out_valid = valid[{stages - 1}];",
        "",
        *_encoded(model.encoding),
    ]
    reaches = "encoded"
    for name, layer in zip(layers, model.layers, strict=True):
        width = layer.outputs if layer.thresholds is not None else scores
        lines += [
            "",
            f"wire [{width - 1}:0] {name}_y;",
            f"reg [{width - 1}:0] {name}_bits;",
            f"{name} {name}_of (.x({reaches}), .y({name}_y));",
            f"always @(posedge clk) {name}_bits <= {name}_y;",
        ]
        reaches = f"{name}_bits"
    lines += [
        "",
        f"wire [{ports.label - 1}:0] label;",
        f"labels labels_of (.scores({reaches}), .label(label));",
        "always @(posedge clk) begin",
        "  out_label <= label;",
        f"  out_scores <= {reaches};",
        "end",
    ]
    body = "\n".join(f"  {line}".rstrip() for line in lines)
    return (
        "module network (\n    input wire clk,\n    input wire rst,\n    input wire in_valid,\n"
        f"    input wire [{model.encoding.features * ports.feature - 1}:0] in_sample,\n"
        f"    output wire out_valid,\n    output reg [{ports.label - 1}:0] out_label,\n"
        f"    output reg [{scores - 1}:0] out_scores\n);\n{body}\nendmodule\n"
    )


def _encoded(encoding: InputEncoding) -> list[str]:
    """The register that the first layer reads: a bit a comparison, or the numbers as they are."""
    width = encoding.maximum.bit_length()
    if encoding.thresholds is None:
        whole = f"[{encoding.features * width - 1}:0]"
        return [f"reg {whole} encoded;", "always @(posedge clk) encoded <= in_sample;"]
    channels, bits = encoding.shape[0], encoding.bits * encoding.features
    lines = [f"wire [{bits - 1}:0] compared;", f"reg [{bits - 1}:0] encoded;"]
    for bit, limits in enumerate(encoding.thresholds):
        for feature in range(encoding.features):
            channel = feature * channels // encoding.features if limits.size > 1 else 0
            wires = [f"in_sample[{feature * width + place}]" for place in range(width)]
            least = int(limits[channel])
            lines.append(
                f"assign compared[{bit * encoding.features + feature}] = {at_least(wires, least)};"
                f"  // feature {feature} >= {least}"
            )
    return [*lines, "always @(posedge clk) encoded <= compared;"]
