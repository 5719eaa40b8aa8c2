#!/bin/sh
# Makes the virtual environment VENV with python PYTHON and installs the package in it with EXTRAS.
# usage: tools/make_venv.sh VENV PYTHON TORCH [EXTRAS]     TORCH: cpu or cuda; EXTRAS: e.g. [train,dev]
set -eu
venv=$1 python=$2 torch=$3 extras=${4:-}

if ! command -v "$python" >/dev/null; then
    echo "error: $python is not installed; install Python 3.10 or newer, or name one: make PYTHON=/path/to/python3" >&2
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
    echo "error: $("$python" --version) is too old; Python 3.10 or newer is needed: make PYTHON=/path/to/python3" >&2
    exit 1
fi
if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    echo "error: $python cannot make virtual environments; on Debian and Ubuntu: sudo apt install python3-venv" >&2
    exit 1
fi

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
sh "$(dirname "$0")/install_torch.sh" "$venv/bin/python" "$torch"
echo "Installing bottomup$extras with the versions of constraints.txt ..."
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".$extras"
