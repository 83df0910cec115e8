// Package lines makes the log that the benchmarks write and check.
package lines

import "strconv"

const words = "reading the messages of the week, counting topics and weighing each of them against the last"

// Line is the i-th of the benchmarks' lines: 100 bytes with its newline, and no two are alike.
func Line(i int) []byte {
	b := make([]byte, 0, 100)
	b = append(b, "line "...)
	b = strconv.AppendInt(b, int64(i), 10)
	b = append(b, ' ')
	b = strconv.AppendUint(b, uint64(i)*2654435761%1000003, 36)
	b = append(b, ' ')
	b = append(b, words[i%13:]...)
	for len(b) < 99 {
		b = append(b, '.')
	}
	return append(b[:99], '\n')
}
