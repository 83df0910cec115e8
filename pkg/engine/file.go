package engine

// file is engines.yaml as it is written. docs/engines.md explains every key.
type file struct {
	Defaults defaultsFile           `yaml:"defaults"`
	Engines  map[string]*entryFile  `yaml:"engines"`
	Commands map[string]*rawCommand `yaml:"commands"`
}

// common are the keys that engines and commands share.
type common struct {
	Description    string            `yaml:"description"`
	Env            map[string]string `yaml:"env"`
	EnvFromRequest []string          `yaml:"env_from_request"`
	EnvFromWorker  []string          `yaml:"env_from_worker"`
	Secrets        secretsNode       `yaml:"secrets"`
	Cwd            string            `yaml:"cwd"`
	defaultsFile   `yaml:",inline"`
}

// defaultsFile are the keys that may also stand under defaults.
type defaultsFile struct {
	Timeout     seconds     `yaml:"timeout"`
	MaxTimeout  seconds     `yaml:"max_timeout"`
	Grace       seconds     `yaml:"grace"`
	Stalled     seconds     `yaml:"stalled_after"`
	Progress    seconds     `yaml:"progress_timeout"`
	Queue       string      `yaml:"queue"`
	MaxAttempts int         `yaml:"max_attempts"`
	OnInterrupt string      `yaml:"on_interrupt"`
	Limits      *limitsFile `yaml:"limits"`
}

type entryFile struct {
	common    `yaml:",inline"`
	Command   argv         `yaml:"command"`
	Args      templateNode `yaml:"args"`
	AllowArgs patterns     `yaml:"allow_args"`
	Params    schemaNode   `yaml:"params"`
	ParamsTo  string       `yaml:"params_to"`
	Warm      *warmFile    `yaml:"warm"`
}

type rawCommand struct {
	common `yaml:",inline"`
	Args   patterns `yaml:"args"`
}

type limitsFile struct {
	OpenFiles    uint64  `yaml:"open_files"`
	FileSize     size    `yaml:"file_size"`
	AddressSpace size    `yaml:"address_space"`
	CPUSeconds   seconds `yaml:"cpu_seconds"`
	Processes    uint64  `yaml:"processes"`
}
