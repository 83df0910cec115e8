package engine

import (
	"testing"

	"github.com/longhaul/longhaul/pkg/execution"
)

func TestTheShippedCatalogRunsTheSeedCommand(t *testing.T) {
	c, err := Load("../../engines.yaml")
	if err != nil {
		t.Fatal(err)
	}
	spec := &execution.Spec{Command: "python", Args: []string{"src/main.py", "voice-of-customer", "--multi-agent"}}
	if err := c.Complete(spec); err != nil {
		t.Fatal(err)
	}
	if spec.TimeoutSeconds != 7200 || spec.Queue != "default" {
		t.Fatalf("defaults not filled in: %+v", spec)
	}
}
