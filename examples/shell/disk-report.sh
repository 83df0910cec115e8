#!/bin/sh
# Which folders take the most space below a directory. An engine in plain POSIX sh, to show that
# the contract needs no SDK: progress on fd 3, a file as artifact, JSON as result, TERM honoured.
#
#   sh disk-report.sh [DIRECTORY]        (default: the current directory)

set -u

usage() {
	echo "error: $1" >&2
	echo "usage: disk-report.sh [DIRECTORY]" >&2
	exit 2
}

[ $# -le 1 ] || usage "give one directory, not $#."
root=${1:-.}
[ -d "$root" ] || usage "$root is not a directory: name one that exists."

out=${EXECUTION_OUTPUT_DIR:-./outputs}
result=${EXECUTION_RESULT_FILE:-$out/result.json}
mkdir -p "$out" || usage "EXECUTION_OUTPUT_DIR: $out can't be made; name a directory that can be written."

# Events go to fd 3. Without a runner nobody listens there, so they go nowhere.
if [ "${EXECUTION_EVENTS_FD:-}" != 3 ] || ! { : >&3; } 2>/dev/null; then
	exec 3>/dev/null
fi
event() { printf '%s\n' "$1" >&3; }

# A JSON string must not break on a quote, a backslash or a control character in a folder's name.
json() { printf '%s' "$1" | tr '\001-\037\177' '?' | sed 's/\\/\\\\/g; s/"/\\"/g'; }

list=$out/.sizes
report=$out/disk-report.txt
: >"$list"
busy=

write_report() { # $1: complete or partial
	sort -rn "$list" | awk -v state="$1" '
		{ size = $1; sub(/^[0-9]+\t/, ""); printf "%12.1f MiB  %s\n", size / 1024, $0 }
		END { if (state == "partial") print "(partial: stopped before the end)" }' >"$report"
	total=$(awk '{ sum += $1 } END { printf "%d", sum }' "$list")
	biggest=$(sort -rn "$list" | sed -n '1s/^[0-9]*	//p')
	rm -f "$list"
	printf '{"status":"%s","directory":"%s","folders":%d,"kilobytes":%d,"largest":"%s"}\n' \
		"$1" "$(json "$root")" "$done_" "$total" "$(json "$biggest")" >"$result"
	event '{"type":"artifact","path":"disk-report.txt"}'
}

# A trap runs only between commands, so the slow command runs in the background and we wait for it:
# wait ends at once when a signal comes.
stop() {
	trap '' TERM INT
	# KILL, since a child that has just been forked may not hear TERM yet; du has nothing to tidy up.
	child=${!:-}
	if [ -n "$busy" ] && [ -n "$child" ]; then
		kill -KILL "$child" 2>/dev/null
		wait "$child" 2>/dev/null
	fi
	rm -f "$list.one"
	echo "warning: stopped; the report holds what was measured so far" >&2
	write_report partial
	exit "$1"
}
done_=0
trap 'stop 143' TERM
trap 'stop 130' INT

# The folders one level down become the arguments: safe for blanks and stars in their names.
set --
for folder in "$root"/* "$root"/.[!.]*; do
	if [ -d "$folder" ] && [ ! -L "$folder" ]; then set -- "$@" "$folder"; fi
done
count=$#
echo "measuring $count folders in $root"

for folder in "$@"; do
	busy=yes
	du -skx "$folder" >"$list.one" 2>/dev/null &
	wait "$!" # du fails for folders it may not read; what it could count still counts
	busy=
	kilobytes=$(sed -n '1s/[^0-9].*//p' "$list.one") # the first line only: a name may hold line breaks
	rm -f "$list.one"
	name=${folder##*/}
	printf '%s\t%s\n' "${kilobytes:-0}" "$(printf '%s' "$name" | tr '\n\t' '??')" >>"$list"
	done_=$((done_ + 1))
	echo "$done_/$count  ${kilobytes:-0} KiB  $name"
	event "{\"type\":\"progress\",\"percent\":$((done_ * 100 / count)),\"message\":\"$(json "$name")\"}"
done

trap '' TERM INT
write_report complete
echo "done: $report"
