#!/bin/sh
# Sees to it that there is a Chromium for the browser tests, installing Debian's package where it is missing.
set -eu
for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
if [ "$(id -u)" = 0 ]; then as_root=""
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then as_root="sudo"
else
    echo "setup: the browser tests need Chromium. Install Debian's package chromium, then try again." >&2
    exit 1
fi
echo "setup: installing Debian's package chromium for the browser tests (a minute or two)"
$as_root apt-get update -qq >/dev/null
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends chromium >/dev/null
