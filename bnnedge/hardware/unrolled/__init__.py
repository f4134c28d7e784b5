"""A network as wiring: every weight is a wire, a layer is a pipeline stage, a sample enters every cycle.

::

    from bnnedge.hardware.unrolled import generate
    design = generate(model)                  # the least logic that the optimiser finds
    design = generate(model, max_depth=12)    # at most 12 adders, one after another, in a stage
    design = generate(model, plain=True)      # a private compressor tree for each neuron: the baseline

``design.files`` are SystemVerilog sources by name (``network.sv`` holds the top module, ``network``, and one
more file, ``<module>.sv``, each layer); ``design.latency`` cycles pass from a sample to its label; one sample
enters every ``design.interval`` = 1 cycle; ``design.layers`` tells what each layer was made of.

The top module::

    module network (
        input  wire clk,
        input  wire rst,                               // synchronous, high: forgets samples under way
        input  wire in_valid,
        input  wire [FEATURES * FEATURE_BITS - 1:0] in_sample,  // feature 0 in the lowest bits
        output wire out_valid,                         // in_valid, `latency` cycles ago
        output wire [LABEL_BITS - 1:0] out_label,      // class of the largest score, the first of equals
        output wire [CLASSES * SCORE_BITS - 1:0] out_scores     // signed, class 0 in the lowest bits
    );

``FEATURE_BITS`` is ``encoding.maximum.bit_length()``, features are whole numbers as the model takes them:
comparison with the encoding's thresholds is inside. The same numbers are fields of the design
(``ports.feature``, ``ports.score``, ``ports.label``). Scores are the golden model's pre-activations of the
last layer, ``Prediction.scores``. There is no back-pressure: a stage never waits.
"""

from bnnedge.hardware.unrolled.design import Design, LayerPlan, generate

__all__ = ["Design", "LayerPlan", "generate"]
