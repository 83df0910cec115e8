package execution

// Metrics is what an attempt's process tree uses at one moment: the data of a
// metrics event.
type Metrics struct {
	CPUPercent  float64 `json:"cpu_percent"`  // since the sample before, whose it repeats within 0.1 s; 100 is one core
	MemoryBytes int64   `json:"memory_bytes"` // resident, pages that processes share counted for each
	Processes   int     `json:"processes"`
	CPUSeconds  float64 `json:"cpu_seconds"` // user and system, so far
}
