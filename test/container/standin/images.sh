#!/bin/bash
# Has the images that docker-compose.yml and the Dockerfiles start from at hand:
# pulls what is missing, and where there is no registry makes stand-ins from
# Debian's packages and Go modules, and says so. A stand-in is never an image to
# deploy: its version may be another one.
#
#   images.sh base      what the Dockerfiles start from
#   images.sh compose   what docker-compose.yml runs beside our own
#   images.sh requirements   which libraries the worker's image can have
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The base of all stand-ins: tools/containers.sh of a machine without a registry makes it.
debian=debian:bookworm-slim

at_hand() { docker image inspect "$1" >/dev/null 2>&1 || { [ -z "${no_registry:-}" ] && timeout 300 docker pull -q "$1" >/dev/null 2>&1; }; }

# stand_in IMAGE FUNCTION: the function fills $work/ctx.
stand_in() {
  if at_hand "$1"; then return; fi
  no_registry=1 # one refusal is enough
  if ! docker image inspect "$debian" >/dev/null 2>&1; then
    echo "$1 can neither be pulled nor stood in for: there is no $debian" >&2
    return 1
  fi
  rm -rf "$work/ctx"; mkdir "$work/ctx"
  "$2"
  DOCKER_BUILDKIT=0 docker build -q -t "$1" --label longhaul.standin=true "$work/ctx" >/dev/null 2>"$work/log" || { cat "$work/log" >&2; return 1; }
  echo "STAND-IN, NOT THE REAL IMAGE: $1"
}

python() {
  # Debian's Python is 3.11 and there is no package index: two of the three libraries come from Debian.
  cat >"$work/ctx/Dockerfile" <<D
FROM $debian
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-pip python3-cffi python3-openpyxl && rm -rf /var/lib/apt/lists/* \
    && ln -s /usr/bin/python3 /usr/local/bin/python3 && ln -s /usr/bin/python3 /usr/local/bin/python
ENV PIP_NO_INDEX=1 PIP_BREAK_SYSTEM_PACKAGES=1
D
}

caddy() {
  cat >"$work/ctx/Dockerfile" <<D
FROM $debian
RUN apt-get update && apt-get install -y --no-install-recommends caddy && rm -rf /var/lib/apt/lists/*
CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
D
}

# versitygw itself takes minutes to build; the fake one speaks enough of S3.
s3() {
  (cd "$here/../../.." && CGO_ENABLED=0 go build -trimpath -o "$work/ctx/program" ./test/container/standin/s3)
  printf 'FROM gcr.io/distroless/static-debian12:nonroot\nCOPY program /program\nUSER 0\nENTRYPOINT ["/program"]\n' >"$work/ctx/Dockerfile"
}

case ${1:-} in
base)
  at_hand golang:1.26-bookworm || { echo "golang:1.26-bookworm cannot be had" >&2; exit 1; }
  at_hand gcr.io/distroless/static-debian12:nonroot || { echo "distroless/static-debian12 cannot be had" >&2; exit 1; }
  stand_in python:3.12-slim-bookworm python ;;
compose)
  at_hand redis:7.4-alpine || { echo "redis:7.4-alpine cannot be had" >&2; exit 1; }
  stand_in caddy:2.10-alpine caddy
  stand_in versity/versitygw:v1.8.0 s3 ;;
requirements)
  if [ "$(docker image inspect -f '{{index .Config.Labels "longhaul.standin"}}' python:3.12-slim-bookworm 2>/dev/null)" = true ]; then
    echo test/container/standin/requirements.txt
  else
    echo deploy/python/requirements.txt
  fi ;;
*) sed -n '2,11p' "$0"; exit 2 ;;
esac
