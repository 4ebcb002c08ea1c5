#!/usr/bin/env bash
# Compiles src/portal.scss with npm's sass, takes out what no screen uses (purge.mjs), mirrors it with rtlcss, and writes src/portal.css and
# src/portal-rtl.css. Wants node and npm; `go build` does not. Then run go generate.
set -euo pipefail
cd "$(dirname "$0")"
[ -d node_modules/sass ] && [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --ignore-scripts --no-audit --no-fund --silent
npx --no-install sass --no-source-map --style=compressed --no-charset --quiet-deps -I node_modules src/portal.scss src/portal.css
node purge.mjs
npx --no-install rtlcss --silent src/portal.css src/portal-rtl.css 2>/dev/null
# The decoder of codes for browsers without one: its single file as a module, and its WebAssembly.
{ echo '/*! zxing-wasm 3.1.4, MIT, (c) 2023 Ze-Zheng Wu; zxing-cpp, Apache-2.0 */'; cat node_modules/zxing-wasm/dist/iife/reader/index.js; echo; echo 'export default ZXingWASM;'; } > src/zxing.js
cp node_modules/zxing-wasm/dist/reader/zxing_reader.wasm src/zxing.wasm
# What the law of the package asks us not to carry.
! grep -qiE 'crest|crown|GDS Transport|govuk-footer' src/portal.css
