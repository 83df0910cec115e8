// Package lines makes the logs that the benchmarks write, and checks what of them arrives.
package lines

import "strconv"

const words = "reading the messages of the week, counting topics and weighing each of them against the last"

// Append appends the i-th of the benchmarks' lines, with its newline in its size; no two are alike.
func Append(b []byte, i, size int) []byte {
	from := len(b)
	b = append(b, "line "...)
	b = strconv.AppendInt(b, int64(i), 10)
	b = append(b, ' ')
	b = strconv.AppendUint(b, uint64(i)*2654435761%1000003, 36)
	b = append(b, ' ')
	b = append(b, words[i%13:]...)
	for len(b)-from < size-1 {
		b = append(b, '.')
	}
	return append(b[:from+size-1], '\n')
}

// Size is that of a line where nothing else is said.
const Size = 100

// All are the first n lines.
func All(n int) []byte {
	b := make([]byte, 0, n*Size)
	for i := range n {
		b = Append(b, i, Size)
	}
	return b
}
