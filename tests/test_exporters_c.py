"""The C file is the golden model, bit for bit, on every machine, compiled without a warning or a fault."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from bnnedge.data.fetch import FETCHABLE, fetch
from bnnedge.data.registry import load_dataset
from bnnedge.errors import FileError, UnsupportedError, VerificationError
from bnnedge.exporters import export, verify
from bnnedge.exporters.c import to_c, to_c_test
from bnnedge.exporters.c_names import c_name
from bnnedge.exporters.c_verification import build_c_test, check_c, run_c_test
from bnnedge.packed.encoding import InputEncoding
from bnnedge.packed.file import digest, load_packed
from bnnedge.packed.fold import Affine, Thresholds
from bnnedge.packed.layer import PackedLayer
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.packed.model import PackedModel
from bnnedge.share import share
from tests.networks import (
    Filters,
    conv_models,
    packed_models,
    random_conv_model,
    random_inputs,
    random_model,
)

STRICT = (
    "-std=c99",
    "-pedantic",
    "-Werror",
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Wshadow",
    "-Wcast-qual",
    "-Wstrict-prototypes",
)
FAST = (*STRICT, "-O3", "-march=native")
SANITIZED = (*STRICT, "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
# What scripts/test installs; the processor of a PYNQ, and one without a popcount instruction.
CROSS = {
    "arm": ("arm-linux-gnueabihf-gcc", "qemu-arm-static"),
    "riscv64": ("riscv64-linux-gnu-gcc", "qemu-riscv64-static"),
}
CNV = (Filters(64), Filters(64, pool=2), Filters(70, stride=2), Filters(9, kernel=2, padding=1, pool=2))

UInt8 = NDArray[np.uint8]


def preset(name: str) -> tuple[PackedModel, UInt8]:
    """A trained network and the test images of its data set."""
    model, data = load_packed(share("models") / name / "model.safetensors"), name.partition("-")[0]
    if data in FETCHABLE:
        fetch(data)
    return model, load_dataset(data).test.inputs


def write(folder: Path, model: PackedModel, inputs: UInt8) -> str:
    """The three files, as an export writes them; gives back the network's name."""
    for file, text in (to_c(model) | to_c_test(model, inputs)).items():
        (folder / file).write_text(text, encoding="utf-8")
    return c_name(model)


def compiled(folder: Path, model: PackedModel, inputs: UInt8, flags: tuple[str, ...], *compiler: str) -> str:
    """A program of the network and of a test on a few of the inputs."""
    program = folder / "program"
    build_c_test(folder, write(folder, model, inputs[:5]), program, compiler, flags)
    return str(program)


def golden(model: PackedModel, inputs: UInt8) -> NDArray[np.int64]:
    prediction = model.predict(inputs)
    return np.column_stack((prediction.labels, prediction.scores))


def check(model: PackedModel, inputs: UInt8, flags: tuple[str, ...]) -> None:
    """Compile, run on all inputs, and run the test on its own samples."""
    with tempfile.TemporaryDirectory() as scratch:
        program = compiled(Path(scratch), model, inputs, flags)
        assert np.array_equal(run_c_test([program], inputs, model.classes), golden(model, inputs))
        assert subprocess.run([program], capture_output=True, check=True).stdout.startswith(b"5 of 5 ")


# It computes what the golden model does.


@pytest.mark.parametrize("flags", [(*STRICT, "-Os"), FAST], ids=["small", "fast"])
@pytest.mark.parametrize("name", ["digits-tfc", "mnist-tfc"])
def test_trained_networks_on_every_test_image(name: str, flags: tuple[str, ...]) -> None:
    check(*preset(name), flags)


@settings(max_examples=15, deadline=None)
@given(model=packed_models(140))
def test_dense_networks(model: PackedModel) -> None:
    check(model, random_inputs(model, 20), SANITIZED)


@settings(max_examples=15, deadline=None)
@given(model=conv_models())
def test_convolutional_networks(model: PackedModel) -> None:
    check(model, random_inputs(model, 20), SANITIZED)


@pytest.mark.parametrize("kind", ["bipolar", "thermometer", "integer"])
def test_a_cnv_compiled_for_speed(kind: str) -> None:
    model = random_conv_model(3, (3, 20, 18), CNV, (70, 10), kind=kind)  # type: ignore[arg-type]
    check(model, random_inputs(model, 40), FAST)


@pytest.mark.parametrize("shape", [(784,), (1, 28, 28), (3, 10, 7)])
@pytest.mark.parametrize("limit", [0, 1, 127, 128, 129, 255])
def test_every_value_against_a_limit_of_the_input(shape: tuple[int, ...], limit: int) -> None:
    """A weight of each class sees one feature: its score is what became of it."""
    features = int(np.prod(shape))
    encoding = InputEncoding.thermometer(shape, 255, [[limit], [200]])
    weights = PackedMatrix.from_bits(np.random.default_rng(limit).random((7, 2 * features)) < 0.5)
    one = np.ones(1, dtype=np.float32)
    model = PackedModel(encoding, (PackedLayer("fc1", weights),), Affine(one, one))
    every = np.arange(256 * features).reshape(256, features) % 256
    check(model, np.roll(every, 3, axis=0).astype(np.uint8), FAST)


def test_heads_whose_rounding_makes_equals_of_scores() -> None:
    """Of logits that float32 cannot tell apart the first is meant, which need not have the largest score."""
    model = random_model(5, (40, 12, 6))
    head = Affine(np.full(1, 1e-7, dtype=np.float32), np.full(1, 8, dtype=np.float32))
    inputs = random_inputs(model, 400)
    prediction = replace(model, head=head).predict(inputs)
    assert (prediction.labels != prediction.scores.argmax(axis=1)).any()
    check(replace(model, head=head), inputs, FAST)


def test_limits_beyond_sixteen_bits(tmp_path: Path) -> None:
    model = random_model(6, (700, 30, 10), kind="integer")
    assert "static const uint32_t fc1_limits[32]" in to_c(model)["network.c"]
    check(model, random_inputs(model, 50), SANITIZED)


def test_sums_beyond_32_bits_are_refused() -> None:
    wide = PackedMatrix.from_bits(np.zeros((2, 2**23 + 2**16), dtype=bool))
    one = np.ones(1, dtype=np.float32)
    encoding = InputEncoding.integer((wide.columns,), 255)
    with pytest.raises(UnsupportedError, match="layer fc1: sums over 8,454,144 inputs of 8 bits"):
        to_c(PackedModel(encoding, (PackedLayer("fc1", wide),), Affine(one, one)))


# On other machines.


@pytest.mark.parametrize("machine", CROSS)
def test_other_machines(tmp_path: Path, machine: str) -> None:
    compiler, emulator = CROSS[machine]
    digits, images = preset("digits-tfc")
    cnv = random_conv_model(3, (3, 20, 18), CNV, (70, 10), head="per-class")
    for place, (model, inputs) in enumerate(((digits, images), (cnv, random_inputs(cnv, 20)))):
        folder = tmp_path / str(place)
        folder.mkdir()
        program = compiled(folder, model, inputs, (*STRICT, "-O2", "-static"), compiler)
        ran = run_c_test([emulator, program], inputs, model.classes)
        assert np.array_equal(ran, golden(model, inputs))


def test_code_and_weights_of_tfc_fit_in_24_kib_on_arm(tmp_path: Path) -> None:
    model, inputs = preset("mnist-tfc")
    source = tmp_path / f"{write(tmp_path, model, inputs[:1])}.c"
    for level in ("-Os", "-O2", "-O3"):
        command = [
            "arm-linux-gnueabihf-gcc",
            *STRICT,
            level,
            "-c",
            str(source),
            "-o",
            str(tmp_path / "object"),
        ]
        subprocess.run(command, check=True)
        sizes = ["arm-linux-gnueabihf-size", str(tmp_path / "object")]
        table = subprocess.run(sizes, capture_output=True, text=True, check=True).stdout
        code, data, zeros = map(int, table.splitlines()[1].split()[:3])
        assert code + data < 24 * 1024
        assert zeros == 0


# What the files are.


def test_nothing_is_linked_but_what_every_compiler_brings(tmp_path: Path) -> None:
    """No heap, no mathematics, no output: GCC may call these four even in a program without a library."""
    model = random_conv_model(3, (3, 20, 18), CNV, (70, 10), kind="thermometer")
    name = write(tmp_path, model, random_inputs(model, 1))
    subprocess.run(["cc", *STRICT, "-O2", "-c", f"{name}.c", "-o", "object"], cwd=tmp_path, check=True)
    needed = subprocess.run(["nm", "-u", "object"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert {line.split()[-1] for line in needed.stdout.splitlines()} <= {
        "memset",
        "memcpy",
        "memmove",
        "memcmp",
    }
    assert ("float" in (tmp_path / f"{name}.c").read_text()) is False


def test_the_header_says_what_it_is_and_serves_cpp(tmp_path: Path) -> None:
    model, inputs = preset("digits-tfc")
    assert write(tmp_path, model, inputs[:1]) == "digits_tfc"
    header = (tmp_path / "digits_tfc.h").read_text()
    for part in (
        "digits_tfc: a 1-bit neural network, 64-64-64-64-10.",
        "A sample is 1 x 8 x 8 whole numbers 0 to 16; each becomes +1 if it is at least 8, else -1.",
        f'#define DIGITS_TFC_DIGEST "{digest(model)}"',
        "#define DIGITS_TFC_FEATURES 64\n",
        "#define DIGITS_TFC_CLASSES 10\n",
        "void digits_tfc_scores(const uint8_t *sample, int32_t *scores);",
        "int digits_tfc_classify(const uint8_t *sample);",
    ):
        assert part in header
    source = (tmp_path / "digits_tfc.c").read_text()
    assert "/* fc1: 64 neurons of 64 inputs */" in source
    assert "/* neurons 56 to 63 */" in source
    assert max(map(len, source.splitlines())) <= 115
    (tmp_path / "use.cpp").write_text(
        '#include "digits_tfc.h"\nint main() { return digits_tfc_classify(0); }\n'
    )
    subprocess.run(["g++", "-Wall", "-Werror", "-fsyntax-only", "use.cpp"], cwd=tmp_path, check=True)


@pytest.mark.parametrize(
    "model",
    [
        random_conv_model(3, (3, 20, 18), CNV, (70, 10), kind="thermometer"),
        random_model(3, (9, 5, 2000)),  # the scores of all its classes
    ],
    ids=["words", "scores"],
)
def test_the_stack_that_the_header_states_suffices(tmp_path: Path, model: PackedModel) -> None:
    name = write(tmp_path, model, random_inputs(model, 1))
    stated = int(re.findall(r"STACK_BYTES (\d+)", (tmp_path / f"{name}.h").read_text())[0])
    command = ["cc", *STRICT, "-O2", "-fstack-usage", "-c", f"{name}.c"]
    subprocess.run(command, cwd=tmp_path, check=True)
    used = [int(line.split("\t")[1]) for line in (tmp_path / f"{name}.su").read_text().splitlines()]
    assert stated / 2 < sum(used) <= stated


def test_the_same_model_gives_the_same_text() -> None:
    model, again = (random_conv_model(1, kind="thermometer") for _ in range(2))
    assert to_c(model) == to_c(again)
    assert sorted(to_c(model)) == ["network.c", "network.h"]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("digits-tfc", "digits_tfc"),
        ("Größe/../*Ω* 3", "gr_e_3"),
        ("2 layers", "network_2_layers"),
        ("*/ int main(void) { /*", "int_main_void"),
        ("", "network"),
        ("__int", "int"),
        ("a" * 300, "a" * 40),
        (None, "none"),
        ({"a": "\n#error"}, "a_n_error"),
    ],
)
def test_names_from_files(given: object, name: str) -> None:
    model = replace(random_model(1, (20, 9, 3)), provenance={"name": given, "note": "*/ #error"})
    assert c_name(model) == name
    check(model, random_inputs(model, 10), STRICT)


def test_layers_called_like_words_of_c_and_like_one_another() -> None:
    names = ("int", "INT", "7.-_", "-7", "encoding", "network", "x" * 200, "x" * 201)
    model = random_model(1, (20, 9, 8, 7, 6, 5, 4, 4, 3), names=names)
    check(model, random_inputs(model, 30), STRICT)


# The test program.


def test_files_of_samples_that_are_none(tmp_path: Path) -> None:
    model = random_model(1, (20, 9, 3))
    program = compiled(tmp_path, model, random_inputs(model, 5), STRICT)
    assert run_c_test([program], random_inputs(model, 5)[:0], 3).shape == (0, 4)
    (tmp_path / "short").write_bytes(bytes(39))
    for name, complaint in (("short", "ends within a sample"), ("missing", "No such file")):
        done = subprocess.run([program, name], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert complaint in done.stderr
    with pytest.raises(
        FileError, match=r"exited with 2 after 4 numbers: .* ends within a sample of 20 bytes"
    ):
        run_c_test([program], np.zeros((1, 39), dtype=np.uint8), 3)


# Verification.


MODEL = replace(random_model(1, (70, 33, 20, 5), kind="thermometer", maximum=16), provenance={"name": "m"})
INPUTS = random_inputs(MODEL, 200)


def other_digit(text: str, pattern: str) -> str:
    """The number that follows a pattern, one more."""
    found = re.search(f"({pattern})(0x[0-9a-f]+|[0-9]+)", text)
    assert found
    wrong = int(found[2], 0) + 1
    return (
        text[: found.start(2)] + (f"0x{wrong:016x}" if "x" in found[2] else str(wrong)) + text[found.end(2) :]
    )


MUTATIONS: dict[str, tuple[str, Callable[[str], str], str]] = {
    "a weight": (
        "m.c",
        lambda text: other_digit(text, r"fc2_weights\[\w+\] = \{\s*/\* neurons 0 to 7 \*/\s*0x\w+, "),
        r"layer fc2, neuron 1: weights 0x\w+, but the model has 0x\w+",
    ),
    "a limit": (
        "m.c",
        lambda text: other_digit(text, r"fc1_limits\[\w+\] = \{\s*\d+, \d+, "),
        r"layer fc1, neuron 2: limits \d+, but the model has \d+",
    ),
    "a limit in octal": (
        "m.c",
        lambda text: re.sub(r"(fc2_limits\[[^}]*?\s)([1-7][0-7],)", r"\g<1>0\2", text, count=1),
        r"layer fc2, neuron \d+: limits 0\d+, but the model has \d+",
    ),
    "a limit of the input": (
        "m.c",
        lambda text: other_digit(text, r"encoding_limits\[\w+\] = \{\s*"),
        r"encoding_limits, entry 0 \d+, but the model has \d+",
    ),
    "a missing number": (
        "m.c",
        lambda text: re.sub(r"\d+,(\s*\};\nstatic const struct layer fc1)", r"\1", text),
        r"layer fc1, neuron 39: limits nothing, but the model has 0",
    ),
    "a size": ("m.c", lambda text: other_digit(text, r"\.neurons = "), r"a line is '\.neurons = 34,', but"),
    "code": (
        "m.c",
        lambda text: text.replace("counts[lane] <", "counts[lane] <="),
        r"a line is 'bits \|= .*<=.*', but",
    ),
    "code in a table": (
        "m.c",
        lambda text: re.sub(r"(fc1_limits\[\w+\] = \{\s*)", r"\1 sizeof(int),", text),
        r"a line is 'static const uint16_t fc1_limits\[40\] = \{', but",
    ),
    "more code": ("m.c", lambda text: text + "int main(void);\n", r"is of \d+ lines, but"),
    "the header": ("m.h", lambda text: other_digit(text, "FEATURES "), r"a line is '#define M_FEATURES 71'"),
    "an expected score": (
        "m_test.c",
        lambda text: other_digit(text, r"expected_scores.* = \{\s*\{-?"),
        r"m_test.c: a line is '\{.*\},', but",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("file", "change", "complaint"), MUTATIONS.values(), ids=MUTATIONS)
def test_mutations(tmp_path: Path, file: str, change: Callable[[str], str], complaint: str) -> None:
    write(tmp_path, MODEL, INPUTS[:5])
    check_c(tmp_path, MODEL, INPUTS)
    before = (tmp_path / file).read_text()
    after = change(before)
    assert after != before
    (tmp_path / file).write_text(after)
    with pytest.raises(VerificationError, match=complaint) as caught:
        check_c(tmp_path, MODEL, INPUTS)
    assert "the file was changed" in caught.value.hint


def test_a_flipped_bit_is_named_by_the_score_that_it_changes(tmp_path: Path) -> None:
    last = MODEL.layers[-1]
    bits = last.weights.to_bits()
    bits[3] ^= True
    other = replace(MODEL, layers=(*MODEL.layers[:-1], replace(last, weights=PackedMatrix.from_bits(bits))))
    write(tmp_path, other, INPUTS[:5])
    with pytest.raises(
        VerificationError, match=r"score of class 3, sample 0, .*; layer fc3, neuron 3"
    ) as caught:
        check_c(tmp_path, MODEL, INPUTS)
    assert (
        caught.value.hint
        == f"the file was made from model {digest(other)[:12]}, this one is {digest(MODEL)[:12]}"
    )


def test_what_no_sample_shows_is_found(tmp_path: Path) -> None:
    limits = MODEL.layers[1].thresholds
    assert limits is not None
    values = limits.values.copy()
    values[0] = 10**6  # never, as one more than the largest sum is
    never = replace(MODEL.layers[1], thresholds=Thresholds(values, limits.directions))
    model = replace(MODEL, layers=(MODEL.layers[0], never, MODEL.layers[2]))
    write(tmp_path, model, INPUTS[:5])
    source = tmp_path / "m.c"
    source.write_text(re.sub(r"(fc2_limits\[\w+\] = \{\s*)0,", r"\g<1>1,", source.read_text()))
    with pytest.raises(VerificationError, match="no sample shows it; layer fc2, neuron 0: limits 1"):
        check_c(tmp_path, model, INPUTS)


@pytest.mark.parametrize("missing", ["m.c", "m.h", "m_test.c"])
def test_missing_files(tmp_path: Path, missing: str) -> None:
    write(tmp_path, MODEL, INPUTS[:5])
    (tmp_path / missing).unlink()
    with pytest.raises(FileError, match=r"cannot read|0 files"):
        check_c(tmp_path, MODEL, INPUTS)


def test_a_name_that_no_export_gives(tmp_path: Path) -> None:
    write(tmp_path, MODEL, INPUTS[:5])
    for path in sorted(tmp_path.iterdir()):
        path.rename(path.with_name(path.name.replace("m", "M m", 1)))
    with pytest.raises(FileError, match="not called as an export would be"):
        check_c(tmp_path, MODEL, INPUTS)


def test_samples_of_another_network(tmp_path: Path) -> None:
    write(tmp_path, MODEL, INPUTS[:5])
    path = tmp_path / "m_test.c"
    for pattern, other in (
        (r"    \d+,", "    17,"),
        (r"    \d+,", "    "),
        ("uint8_t samples", "uint8_t others"),
    ):
        write(tmp_path, MODEL, INPUTS[:5])
        path.write_text(re.sub(pattern, other, path.read_text(), count=1))
        with pytest.raises(FileError, match="holds no samples of this model"):
            check_c(tmp_path, MODEL, INPUTS)


@pytest.mark.parametrize("name", ["digits-tfc", "mnist-tfc"])
def test_the_whole_export(tmp_path: Path, name: str) -> None:
    model, inputs = preset(name)
    report = export(model, "c", tmp_path / "out", inputs=inputs[:1000])
    plain = c_name(model)
    assert report.files == (f"{plain}.c", f"{plain}.h", f"{plain}_test.c", "manifest.json")
    assert "(c) equals the golden model" in str(report)
    assert "4 layers and the output" in str(report)
    assert verify(report.out, model, inputs).samples == len(inputs)
    again = export(model, "c", tmp_path / "again", inputs=inputs[:20])
    for file in report.files[:-1]:
        assert (again.out / file).read_bytes() == (report.out / file).read_bytes()


def test_an_export_that_cannot_be_verified_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(VerificationError, match="no C compiler") as caught:
        export(MODEL, "c", tmp_path / "out", inputs=INPUTS)
    assert "variable CC" in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_without_a_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, MODEL, INPUTS[:5])
    monkeypatch.setenv("CC", "gcc -fno-such-option")
    with pytest.raises(FileError, match=r"does not compile: .*fno-such-option"):
        check_c(tmp_path, MODEL, INPUTS)
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(VerificationError, match="cannot run the C compiler no-such-compiler"):
        check_c(tmp_path, MODEL, INPUTS)
    monkeypatch.delenv("CC")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(VerificationError, match="no C compiler to verify the export with"):
        check_c(tmp_path, MODEL, INPUTS)
