"""What a FINN's build settings may say, read off its source unexecuted: scripts/with_finn --freeze."""

from __future__ import annotations

import ast
from pathlib import Path

ENUMS = {
    "generate_outputs": "DataflowOutputType",
    "verify_steps": "VerificationStepType",
    "shell_flow_type": "ShellFlowType",
}
STEPS = ("default_build_dataflow_steps", "estimate_only_dataflow_steps")


def settings_of(source: Path, boards: set[str]) -> dict[str, object]:
    """Settings, their values, steps, and the parts of ``boards``, of the package ``finn`` in ``source``."""
    config = _tree(source / "finn" / "builder" / "build_dataflow_config.py")
    classes = {node.name: node for node in config.body if isinstance(node, ast.ClassDef)}
    fields = [
        node.target.id
        for node in classes["DataflowBuildConfig"].body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    ]
    values = {
        setting: [ast.literal_eval(node.value) for node in classes[name].body if isinstance(node, ast.Assign)]
        for setting, name in ENUMS.items()
    }
    basic = _tree(source / "finn" / "util" / "basic.py")
    return {
        "fields": sorted(fields),
        "values": values,
        "steps": {name: _assigned(config, name) for name in STEPS},
        "boards": {name: part for name, part in _boards(basic).items() if name in boards},
        "retired": sorted(_assigned(basic, "retired_pynq_boards")),
    }


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _assigned(tree: ast.Module, name: str) -> list[str]:
    """The strings in a list or set that a module gives a name; none where it has no such name."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return [str(value) for value in ast.literal_eval(node.value)]
    return []


def _boards(tree: ast.Module) -> dict[str, str]:
    """Part by board, of the lines ``pynq_part_map["Pynq-Z1"] = "xc7z020clg400-1"``."""
    return {
        ast.literal_eval(node.targets[0].slice): ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Subscript)
        and ast.unparse(node.targets[0].value) == "pynq_part_map"
    }
