package app

import "runtime/debug"

// version is stamped by the linker: -X github.com/longhaul/longhaul/pkg/app.version=v1.2.3.
var version = ""

// Version names this build: the stamped release, else the commit, else "devel".
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				return s.Value[:12]
			}
		}
	}
	return "devel"
}
