// Package engine owns the catalog: the file engines.yaml, which names the
// programs that callers may run and says how. It checks the file when it is
// loaded, a request against it (Complete, at the API), and turns a request into
// path, arguments and environment (Launch, at the worker). It starts no process
// and no goroutine; a loaded Catalog never changes and may be shared.
package engine

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Catalog is a checked engines.yaml.
type Catalog struct {
	dir      string // where relative paths of the file start
	engines  map[string]*entry
	commands map[string]*entry
}

// entry is one engine or one raw command, with the file's defaults filled in.
type entry struct {
	key         string // "engines.agent": how messages name the place to change
	name        string
	description string

	seen     *seen    // its program
	command  []string // argv before the template; for a raw command its name alone
	template []part
	anyArgs  bool             // any extra argument is taken
	allow    []*regexp.Regexp // else one of these must match all of it

	params   *params // nil: takes none
	paramsTo string  // paramsToArgs, paramsToStdin or paramsToEnv

	env            map[string]string
	envFromRequest []string
	envFromWorker  []string
	secrets        []secret

	cwd         string // "" is a fresh workdir
	timeout     time.Duration
	maxTimeout  time.Duration
	grace       time.Duration // 0: the worker's CANCEL_GRACE
	stalled     time.Duration // 0: off
	progress    time.Duration // 0: off
	queue       string
	limits      Limits
	maxAttempts int
	onInterrupt execution.OnInterrupt
	warm        *warm // nil: each execution starts the program anew
}

// params is the JSON Schema of an engine's parameters.
type params struct {
	schema   *jsonschema.Schema
	raw      []byte         // as JSON, properties in the file's order, for forms
	defaults map[string]any // of the properties
}

// secret is a variable whose value the worker knows and the catalog does not.
type secret struct {
	name     string // as the engine sees it
	env      string // as the worker's environment calls it; "" when file is set
	file     string
	optional bool
}

// Limits are resource limits of the engine's processes (setrlimit); 0 is the worker's own limit.
type Limits struct {
	OpenFiles    uint64 // descriptors of one process
	FileSize     uint64 // bytes of one file
	AddressSpace uint64 // bytes of one process
	CPUSeconds   uint64 // of one process
	Processes    uint64 // of the worker's user, engines of other slots included
}

// maxCatalogBytes keeps a wrong path (a log, an image) from being read whole.
const maxCatalogBytes = 4 << 20

// Load reads the catalog at path. A relative cwd or file in it is relative to
// the catalog's own folder. The error lists every problem, one a line.
func Load(path string) (*Catalog, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("catalog %s: %w", path, err)
	}
	info, err := os.Stat(abs)
	if err != nil {
		return nil, fmt.Errorf("catalog: %w (the setting ENGINES_FILE says where it is)", err)
	}
	if info.IsDir() || info.Size() > maxCatalogBytes {
		return nil, fmt.Errorf("catalog %s is a folder or larger than 4 MiB: set ENGINES_FILE to the file engines.yaml", path)
	}
	data, err := os.ReadFile(abs)
	if err != nil {
		return nil, fmt.Errorf("catalog: %w", err)
	}
	c, err := Parse(data, filepath.Dir(abs))
	if err != nil {
		return nil, fmt.Errorf("catalog %s:\n%w", path, err)
	}
	return c, nil
}

// find gives the entry that spec asks for. It is nil without an error where the
// spec names both or neither, which is Spec.Validate's to report.
func (c *Catalog) find(spec *execution.Spec) (*entry, error) {
	switch {
	case (spec.Engine == "") == (spec.Command == ""):
		return nil, nil
	case spec.Engine != "":
		if e := c.engines[spec.Engine]; e != nil {
			return e, nil
		}
		return nil, unknown("engine", "an engine", "engines", c.engines)
	}
	if e := c.commands[spec.Command]; e != nil {
		return e, nil
	}
	return nil, unknown("command", "a command", "commands", c.commands)
}

func unknown(location, what, key string, have map[string]*entry) error {
	message := "is not " + what + " that the catalog allows; it has " + strings.Join(slices.Sorted(maps.Keys(have)), ", ")
	if len(have) == 0 {
		message = "is not " + what + " that the catalog allows; it has none"
	}
	return execution.InvalidField(location, message+" (the key "+key+" in engines.yaml)")
}
