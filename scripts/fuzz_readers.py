"""Every reader of files, with the place that its file lies in, its seeds and its mutations."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, replace
from typing import Any

import fuzz_archives as archives
import fuzz_reading as reading
from fuzz_bytes import Mutation, bytewise, gunzipped, lines, tokens
from fuzz_json import json_text, metadata, safetensors_header
from fuzz_onnx import onnx_graph
from fuzz_reading import Prepare, Read

__all__ = ["READERS", "Reader"]


@dataclass(frozen=True)
class Reader:
    """One kind of file.

    Attributes:
        file: where it lies in the folder of the material.
        seeds: makes what must lie around it, and says what whole files look like.
        read: reads it there.
        mutations: of its content.
        quick: whether its seeds are made without training or exporting anything.
        share: of the inputs that others get; slow readers get fewer.
    """

    file: str
    seeds: Prepare
    read: Read
    mutations: tuple[Mutation, ...]
    quick: bool = True
    share: float = 1.0


_SHARES = {
    "IDX": 2.0,
    "IDX gz": 2.0,
    "CIFAR pickle": 2.0,
    "packed metadata": 2.0,
    "synthesis JSON": 2.0,
    "weights npz": 0.4,
    "samples npz": 0.4,
    "series npz": 0.4,
    "vectors npy": 0.4,
    "study TOML": 0.4,
    "ONNX": 0.4,
    "QONNX": 0.4,
    "FINN-ONNX": 0.4,
    "package tgz": 0.2,
    "package wheel": 0.2,
    "PyTorch zip": 0.05,
    "PyTorch legacy": 0.05,
    "state": 0.05,
    "run.json": 0.1,
    "metrics.jsonl": 0.1,
    "run config": 0.1,
    "steps": 0.1,
    "attempts.json": 0.02,
    "costs.json": 0.02,
    "job's run.json": 0.02,
    "design.json": 0.01,
    "SystemVerilog": 0.01,
    "C": 0.01,
}
"""Of inputs, for readers that are quicker or slower than most."""


def _table(entries: dict[str, tuple[Any, ...]]) -> dict[str, Reader]:
    return {name: replace(Reader(*entry), share=_SHARES.get(name, 1.0)) for name, entry in entries.items()}


_NPZ = (archives.zipped(archives.numpy_array), archives.zipped(archives.numpy_array), bytewise)
_STATE = (
    archives.zipped(archives.pickled),
    archives.zipped(archives.pickled),
    archives.zipped(bytewise),
    bytewise,
)
_JSON = (json_text, json_text, json_text, tokens, bytewise)
_TENSORS = (safetensors_header, safetensors_header, bytewise)

READERS = _table(
    {
        "packed safetensors": (
            "model",
            lambda m: [m.checkpoint()],
            reading.weights,
            (*_TENSORS, metadata("bnnedge")),
        ),
        "packed metadata": (
            "model",
            lambda m: [m.checkpoint()],
            reading.forged,
            (metadata("bnnedge"), *_TENSORS),
        ),
        "foreign safetensors": ("model", lambda m: [m.foreign()], reading.weights, _TENSORS),
        "weights npz": ("model", lambda m: [m.arrays()], reading.weights, _NPZ),
        "PyTorch zip": ("model", lambda m: [m.state_dict()], reading.weights, _STATE),
        "PyTorch legacy": (
            "model",
            lambda m: [m.state_dict(zipped=False)],
            reading.weights,
            (archives.pickled, bytewise),
        ),
        "ONNX": ("model", lambda m: [m.graph("onnx")], reading.weights, (onnx_graph,)),
        "QONNX": ("model", lambda m: [m.graph("qonnx")], reading.weights, (onnx_graph,)),
        "FINN-ONNX": ("model", lambda m: [m.graph("finn")], reading.weights, (onnx_graph,)),
        "own graphs": (
            "g",
            lambda m: [m.graph(t) for t in ("onnx", "qonnx", "finn")],
            reading.graph,
            (onnx_graph,),
        ),
        "IDX": ("images", lambda m: [m.idx()], reading.idx, (bytewise,)),
        "IDX gz": (
            "images",
            lambda m: [gzip.compress(m.idx())],
            reading.idx,
            (gunzipped(bytewise), bytewise),
        ),
        "CIFAR pickle": ("data_batch_1", lambda m: [m.batch()], reading.cifar, (archives.pickled, bytewise)),
        "samples npz": ("own.npz", lambda m: [m.samples()], reading.dataset("npz"), _NPZ),
        "CSV": ("own.csv", lambda m: [m.table()], reading.dataset("csv"), (tokens, tokens, bytewise)),
        "config TOML": (
            "c.toml",
            lambda _: [reading.preset()],
            reading.config,
            (tokens, tokens, tokens, bytewise),
        ),
        "study TOML": ("s.toml", lambda m: [m.study()], reading.study, (tokens, tokens, tokens, bytewise)),
        "series npz": ("r.npz", reading.series_seeds, reading.series, _NPZ),
        "state": ("state", reading.state_seeds, reading.state, (*_TENSORS, metadata("bnnedge.state"))),
        "synthesis JSON": ("s.json", lambda m: [m.synthesis()], reading.luts, _JSON),
        "package tgz": (
            "p",
            lambda m: [m.package(".tgz")],
            reading.package(".tgz"),
            (archives.tarred, bytewise),
        ),
        "package wheel": (
            "p",
            lambda m: [m.package(".whl")],
            reading.package(".whl"),
            (archives.zipped(bytewise), bytewise),
        ),
        "run.json": ("run/run.json", reading.of_run("run.json"), reading.run, _JSON, False),
        "metrics.jsonl": (
            "run/metrics.jsonl",
            reading.of_run("metrics.jsonl"),
            reading.run,
            (lines(json_text), tokens),
            False,
        ),
        "run config": (
            "run/config.toml",
            reading.of_run("config.toml"),
            reading.run,
            (tokens, bytewise),
            False,
        ),
        "steps": (
            "run/trajectory/epoch-000001.safetensors",
            reading.of_run("trajectory/epoch-000001.safetensors"),
            reading.run,
            (*_TENSORS, metadata("bnnedge.steps")),
            False,
        ),
        "attempts.json": (*reading.job_file("attempts.json"), reading.job, _JSON, False),
        "costs.json": (
            *reading.job_file("costs.json", b'{"costs": {"luts": 12}}'),
            reading.job,
            _JSON,
            False,
        ),
        "job's run.json": (*reading.job_file("run.json"), reading.job, _JSON, False),
        "manifest.json": (*reading.exported("onnx", "manifest.json"), reading.manifest, _JSON, False),
        "vectors npy": (
            *reading.exported("pynq", "input.npy"),
            reading.vectors,
            (archives.numpy_array,),
            False,
        ),
        "design.json": (*reading.exported("rtl", "design.json"), reading.rtl, _JSON, False),
        "SystemVerilog": (*reading.exported("rtl", "network.sv"), reading.rtl, (tokens, bytewise), False),
        "C": (*reading.exported("c", "digits_tfc.c"), reading.c, (tokens, bytewise), False),
    }
)
"""By name."""
