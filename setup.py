"""Package locations: ``processors/`` is next to ``grafx/``, and is installed as ``grafx.processors``.

The link ``grafx/processors`` makes it visible to editors, type checkers and editable installs. In checkouts without
symbolic links, such as on Windows without developer mode, the folder is named instead.
"""

from pathlib import Path

from setuptools import find_packages, setup

if (Path(__file__).parent / "grafx" / "processors" / "__init__.py").exists():
    # With a named root, an editable install is an ordinary search path; without, a folder that
    # happens to be called grafx takes precedence if Python runs next to it.
    setup(packages=find_packages(include=["grafx", "grafx.*"]), package_dir={"": "."})
else:
    families = [f"grafx.processors.{name}" for name in find_packages("processors")]
    setup(
        packages=[*find_packages(include=["grafx", "grafx.*"]), "grafx.processors", *families],
        package_dir={"grafx.processors": "processors"},
    )
