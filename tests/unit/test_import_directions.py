"""The import contracts hold, and each kind of violation is seen."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

PLANTED = [
    pytest.param("models/coronary/calcium/__init__.py", "import agatha.store", id="science-knows-plumbing"),
    pytest.param("models/coronary/calcium/__init__.py", "import skimage", id="calcium-uses-a-framework"),
    pytest.param("models/coronary/ct_volume.py", "import torch", id="torch-outside-training"),
    pytest.param("services/agatha/receive/__init__.py", "import celery", id="receive-knows-the-queue"),
    pytest.param("services/agatha/serve/__init__.py", "import agatha.infer", id="serve-reaches-a-stage"),
    pytest.param("services/agatha/route/__init__.py", "import agatha.report", id="stage-calls-a-stage"),
    pytest.param("services/agatha/pipeline/__init__.py", "import sqlalchemy", id="sqlalchemy-outside-store"),
    pytest.param("services/agatha/store/__init__.py", "import agatha.pipeline", id="store-knows-the-pipeline"),
    pytest.param("services/agatha/deliver/__init__.py", "import highdicom", id="highdicom-outside-report"),
]


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the checkout at `root`, with its own source folders first on the path."""
    code = (
        f"import sys; sys.path[:0] = [{str(root / 'services')!r}, {str(root / 'models')!r}];"
        "from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    )
    return subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)


def test_import_contracts_hold():
    result = lint_imports(REPOSITORY)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(("module", "statement"), PLANTED)
def test_planted_violation_is_seen(tmp_path, module, statement):
    for folder in ("services", "models"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder, ignore=shutil.ignore_patterns("*.onnx", "__pycache__"))
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    with (tmp_path / module).open("a") as file:
        file.write(f"\n{statement}\n")
    result = lint_imports(tmp_path)
    assert result.returncode != 0, result.stdout
    assert "BROKEN" in result.stdout
