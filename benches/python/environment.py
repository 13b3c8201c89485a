"""Runs a script where what it needs is installed: in a virtual environment in `target/python`, made once."""

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / "target" / "python"


def run_in_environment(script, *requirements):
    """Gives the exit code of the script. Where PyPI cannot be reached, says so; that is no failure."""
    python = ENVIRONMENT / "bin" / "python"
    if Path(sys.prefix) == ENVIRONMENT:
        print(f"{requirements} are not there although they were installed")
        return 1
    try:
        if not python.exists():
            venv.create(ENVIRONMENT, with_pip=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
        subprocess.run(install, check=True, timeout=300)
    except (subprocess.SubprocessError, OSError) as error:
        print(f"Skipped: {requirements} cannot be installed ({error}).")
        return 0
    return subprocess.run([python, script], check=False).returncode
