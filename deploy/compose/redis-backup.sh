#!/bin/sh
# Saves what docker-compose.yml's Redis holds, and puts it back. Run it where
# docker-compose.yml is.
#
#   deploy/compose/redis-backup.sh save longhaul.rdb      while all runs
#   deploy/compose/redis-backup.sh restore longhaul.rdb   stops all, and REPLACES what is there
set -eu
file=${2:?"which file? longhaul.rdb"}
case ${1:-} in
save)
  # A snapshot over the replication protocol: of one moment, and in no way of the writers.
  docker compose exec -T redis redis-cli --rdb - >"$file.part"
  [ "$(head -c 5 "$file.part")" = REDIS ] || { echo "that is no snapshot: $file.part" >&2; exit 1; }
  mv "$file.part" "$file"
  ;;
restore)
  [ "$(head -c 5 "$file")" = REDIS ] || { echo "$file is no snapshot" >&2; exit 1; }
  docker compose stop
  docker compose run --rm -T --no-deps --entrypoint sh redis -c 'rm -rf /data/* && cat >/data/dump.rdb' <"$file"
  # With its append-only file on, Redis would not look at the snapshot. So it reads
  # it with the file off, and then writes the file.
  docker compose run --rm -T --no-deps redis sh -eu -c '
    redis-server --dir /data --appendonly no --bind 127.0.0.1 --daemonize yes >/dev/null
    until redis-cli ping 2>/dev/null | grep -q PONG; do sleep 0.2; done
    redis-cli config set appendonly yes >/dev/null
    sleep 0.5
    while redis-cli info persistence | grep -q -e "aof_rewrite_in_progress:1" -e "aof_rewrite_scheduled:1"; do sleep 0.2; done
    redis-cli info persistence | grep -q "aof_last_bgrewrite_status:ok"
    redis-cli shutdown'
  docker compose up --detach --no-build --wait
  ;;
*) sed -n '2,7p' "$0" >&2; exit 2 ;;
esac
