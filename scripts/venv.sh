#!/bin/sh
# Makes the virtual environment named by $1, installing Debian's python3-venv where it is missing.
set -eu
venv=$1
python=${PYTHON:-python3}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "setup: Placet needs Python 3.11 or later; '$python' is $("$python" -V 2>&1). Say which one with: make PYTHON=python3.12 ..." >&2
    exit 1
}
[ -x "$venv/bin/python" ] && "$venv/bin/python" -m pip --version >/dev/null 2>&1 && exit 0

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" = 0 ]; then as_root=""
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then as_root="sudo"
    else
        echo "setup: this Python cannot make virtual environments. Install Debian's package python3-venv, then try again." >&2
        exit 1
    fi
    echo "setup: installing Debian's package python3-venv"
    $as_root apt-get update -qq >/dev/null
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
fi
"$python" -m venv "$venv"
