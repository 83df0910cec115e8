#!/bin/bash
# What each service of docker-compose.yml takes: memory (resident; a page that two of
# its processes share counts twice)
# and CPU while nothing runs, and CPU for short executions. Run it where
# docker-compose.yml is, once all is up and quiet:
#
#   deploy/compose/cost.sh [seconds of idling = 300] [executions = 1000] [engine = disk-report]
set -euo pipefail
idle=${1:-300} executions=${2:-1000} engine=${3:-disk-report}
url=${LONGHAUL_URL:-http://127.0.0.1:8080} token=${LONGHAUL_TOKEN:-longhaul-on-this-machine}
socket=${DOCKER_HOST:-unix:///var/run/docker.sock}
services=$(docker compose ps --services | sort)

# cpu SERVICE: nanoseconds of all its containers, engines included, by the engine's own count.
cpu() {
  for id in $(docker compose ps --quiet "$1"); do
    curl -s --unix-socket "${socket#unix://}" "http://docker/containers/$id/stats?stream=false&one-shot=true" | jq .cpu_stats.cpu_usage.total_usage
  done | jq -s add
}

# memory SERVICE: kilobytes.
memory() {
  for id in $(docker compose ps --quiet "$1"); do
    docker top "$id" -o pid,rss | tail -n +2
  done | awk '{n += $2} END {print n}'
}

all() { for s in $services; do echo "$s $(cpu "$s")"; done; }

# left is how many executions wait or run.
left() { curl -sf -H "Authorization: Bearer $token" "$url/queue/stats" | jq '.depth + .running'; }

before=$(all); sleep "$idle"; idled=$(all)
rss=$(for s in $services; do echo "$s $(memory "$s")"; done)
seq "$executions" | xargs -P 4 -I{} curl -sf -o /dev/null -X POST -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -d "{\"engine\":\"$engine\"}" "$url/execute/start"
while [ "$(left)" != 0 ]; do sleep 1; done
ran=$(all)

echo "service  containers  MB resident  CPU s per idle hour  CPU s per 1,000 executions of $engine"
for s in $services; do
  of() { awk -v s="$s" '$1 == s {print $2}' <<<"$1"; }
  awk -v s="$s" -v n="$(docker compose ps --quiet "$s" | wc -l)" -v kb="$(of "$rss")" -v a="$(of "$before")" -v b="$(of "$idled")" -v c="$(of "$ran")" -v idle="$idle" -v x="$executions" \
    'BEGIN {printf "%-10s %2d %8.1f %10.1f %10.1f\n", s, n, kb/1024, (b-a)/1e9*3600/idle, ((c-b)/1e9)*1000/x}'
done
