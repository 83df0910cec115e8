#!/bin/sh
# Replaces the replicas of the API one after the other, each by one of the image
# that is there now, so that one always answers. Run it where docker-compose.yml is.
set -eu
for id in $(docker compose ps --quiet api); do
  docker stop "$id" >/dev/null # waits for its stop_grace_period
  docker rm "$id" >/dev/null
  docker compose up --detach --no-deps --no-recreate --no-build --wait api
done
