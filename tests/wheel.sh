#!/bin/sh
# The wheel, as a user gets it: built, installed in a clean environment outside the checkout, and used.
set -eu
python=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" -m build --wheel --no-isolation --outdir "$folder" . >"$folder/build.log" 2>&1 || { cat "$folder/build.log"; exit 1; }
"$python" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --constraint requirements.lock "$folder"/*.whl
cd "$folder"
export HOME="$folder/home" SECTUNE__PATHS__STATE_DIR="$folder/state"
mkdir -p "$HOME"
venv/bin/sectune --version
venv/bin/sectune config check
data=$(venv/bin/python -c 'from daemon.demo.scene import DATA; print(DATA)')
venv/bin/sectune parse "$data/reports"
venv/bin/sectune agent >"$folder/agent.plist" 2>/dev/null
grep -q "venv/bin/sectune" "$folder/agent.plist"
venv/bin/python -c 'import jobs.mlx.training.train, jobs.datasets.child'
echo "the wheel installs and works"
