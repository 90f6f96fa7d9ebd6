#!/usr/bin/env bash
# The released files do what the checkout does: sdist and wheel are built, the wheel is installed where nothing
# else is, and the default flow runs there. PYTHON names the interpreter, TORCH the torch it takes (the
# Makefile's), TORCH_ARGS where from; SEARCH_ARGS makes the search shorter, e.g. "--trials 2".
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
: "${TORCH:?run make wheel-check, which names the torch}"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"$python" -m venv "$folder/build"
"$folder/build/bin/pip" install -qq build
"$folder/build/bin/python" -m build --outdir "$folder/dist" . >"$folder/build.log" || { cat "$folder/build.log"; exit 1; }
ls -l "$folder"/dist

"$python" -m venv "$folder/venv"
# torch first and pinned, so that no later requirement chooses another build.
# shellcheck disable=SC2086
"$folder/venv/bin/pip" install -qq ${TORCH_ARGS:-} "$TORCH"
"$folder/venv/bin/pip" install -qq "$(echo "$folder"/dist/*.whl)[search,sim,csim]"
mkdir "$folder/empty" && cd "$folder/empty"
hotnas="$folder/venv/bin/hotnas"
"$hotnas" --version
# shellcheck disable=SC2086
"$hotnas" search digits --output runs/digits ${SEARCH_ARGS:-}
"$hotnas" hls runs/digits --name digits
"$hotnas" sim hls_out/digits
"$hotnas" report hls_out/digits
"$hotnas" verify hls_out/digits
