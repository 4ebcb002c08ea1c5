#!/usr/bin/env bash
# Pictures of every screen of the portal in every state and language, 360 and 1280 pixels wide, light and dark, for people to look at.
# Wants Chromium. Fails where a screen scrolls sideways.
# Usage: test/chromium/pictures.sh FOLDER [PART-OF-A-SCREEN'S-NAME]
set -euo pipefail
mkdir -p "${1:?usage: pictures.sh FOLDER [PART-OF-A-SCREEN\'S-NAME]}"
dir=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
for dark in 0 1; do
  TIKAKOSH_CHROMIUM=1 TIKAKOSH_SHOTS="$dir" TIKAKOSH_DARK=$dark TIKAKOSH_STORY="${2:-}" go test -count=1 -timeout 30m -run ChromiumPortalShots ./test/chromium
done
echo "$(find "$dir" -name '*.png' | wc -l) pictures in $dir"
