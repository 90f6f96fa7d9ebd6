"""Packages of the wheel: ``templates/`` and ``sim/`` stay at the top of the checkout and ship inside.

Everything else is in pyproject.toml; this mapping is what it cannot say beside automatic discovery.
"""

from setuptools import find_packages, setup

DATA = ["**/*.yaml", "**/*.json", "**/*.safetensors", "**/*.j2", "**/*.css", "**/*.js", "py.typed"]

setup(
    packages=[*find_packages(include=["hotnas_hls*"]), "hotnas_hls.templates", "hotnas_hls.sim"],
    package_dir={"hotnas_hls.templates": "templates", "hotnas_hls.sim": "sim"},
    package_data={
        "hotnas_hls": DATA,
        "hotnas_hls.templates": ["**/*", "**/.clang-format"],
        "hotnas_hls.sim": ["**/*"],
    },
    exclude_package_data={"": ["**/__pycache__/*", "**/*.pyc", "**/sim_build/**"]},
)
