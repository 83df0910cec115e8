# Counts on file 3 and on stdout: many small events.
i=0
while [ "$i" -lt "${1:-10}" ]; do
  i=$((i + 1))
  printf '{"type":"step","n":%d,"pad":"ä%040d"}\n' "$i" "$i" >&3
  echo "line $i $GREETING"
  [ $((i % 20)) -ne 0 ] || sleep 0.05
done
cp -r "${EXECUTION_INPUT_DIR:-/nonexistent}/." "$EXECUTION_OUTPUT_DIR" 2>/dev/null
echo "the end" > "$EXECUTION_OUTPUT_DIR/the end.txt"
printf '{"counted":%d}' "$i" > "$EXECUTION_RESULT_FILE"
