"""Runs a script in a virtual environment in `target/python`, which has the packages that the script needs."""

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / "target" / "python"


def run_in_environment(script, *requirements):
    """Gives the exit code of the script. Without access to PyPI, it says so and gives 0."""
    python = ENVIRONMENT / "bin" / "python"
    if Path(sys.prefix) == ENVIRONMENT:
        print(f"{requirements} are installed, but cannot be imported")
        return 1
    try:
        if not python.exists():
            venv.create(ENVIRONMENT, with_pip=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
        subprocess.run(install, check=True, timeout=300)
    except (subprocess.SubprocessError, OSError) as error:
        print(f"Skipped: {requirements} cannot be installed ({error}).")
        return 0
    return subprocess.run([python, script, *sys.argv[1:]], check=False).returncode
