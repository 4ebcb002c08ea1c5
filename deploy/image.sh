#!/usr/bin/env bash
# Builds the container image with buildah, without a daemon and without running anything in it.
# Usage: deploy/image.sh [TAG]            default: localhost/tikakosh:latest
set -euo pipefail
cd "$(dirname "$0")/.."
tag="${1:-localhost/tikakosh:latest}"
context=$(mktemp -d); trap 'rm -rf "$context"' EXIT
CGO_ENABLED=0 go build -trimpath -tags release -o "$context/tikakosh" ./cmd/tikakosh
cp /etc/ssl/certs/ca-certificates.crt "$context/"
cp deploy/Containerfile "$context/"
buildah --storage-driver "${STORAGE_DRIVER:-vfs}" build --isolation chroot --tag "$tag" "$context"
