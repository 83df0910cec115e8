package config

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/configuration.md anew")

const docsFile = "../../docs/configuration.md"

const intro = `# Configuration

<!-- Written by "go test ./pkg/config -update" from the table in pkg/config/settings.go: change that. -->

Every setting is looked for in this order: the environment, the file, the default.

- The **environment** variable has the setting's name. An empty variable counts as not set.
- The **file** is the one that ` + "`LONGHAUL_CONFIG`" + ` names, else ` + "`longhaul.yaml`" + ` in the working directory, if it is there.
  It is YAML with one setting a line, such as ` + "`max_concurrent: 10`" + `; upper or lower case does not matter. A key that is no setting is an error.
- A **secret** can also come from a file: ` + "`API_TOKENS_FILE=/run/secrets/api_tokens`" + ` and so on for each.

A **duration** is ` + "`90s`, `15m`, `2h`, `7d`" + ` or a whole number of seconds. A **size** is ` + "`2MiB`, `1GiB`" + ` or a whole number of bytes.
A **list** has its items separated by commas.

A wrong value stops the start; all wrong values are reported at once. ` + "`--print-config`" + ` shows every setting with its
value and where it came from, secrets as ` + "`***`" + `.

`

const outro = `
## Traces

Off, unless ` + "`OTEL_EXPORTER_OTLP_ENDPOINT`" + ` is set, such as ` + "`http://collector:4318`" + `. These are OpenTelemetry's own variables, of the environment alone;
[operations.md](operations.md#traces) says what is traced.

| variable | |
|---|---|
| ` + "`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`" + ` | where the collector is; OTLP over HTTP, ` + "`http/protobuf`" + `, is the one protocol |
| ` + "`OTEL_EXPORTER_OTLP_HEADERS`" + ` | such as ` + "`authorization=Bearer …`" + `. A secret, and shown nowhere |
| ` + "`OTEL_EXPORTER_OTLP_TIMEOUT`, `OTEL_EXPORTER_OTLP_COMPRESSION`, `OTEL_EXPORTER_OTLP_CERTIFICATE`" + ` | of one transfer in milliseconds; ` + "`gzip`" + `; a file |
| ` + "`OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`" + ` | instead of ` + "`longhaul-api`, `longhaul-worker`" + `; such as ` + "`deployment.environment.name=production`" + ` |
| ` + "`OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG`" + ` | which traces are kept; all where the caller does not say, by default |
| ` + "`OTEL_BSP_SCHEDULE_DELAY`, `OTEL_BSP_MAX_QUEUE_SIZE`, `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`" + ` | how spans are gathered |
| ` + "`OTEL_TRACES_EXPORTER=none`, `OTEL_SDK_DISABLED=true`" + ` | off all the same |

## On Railway

` + "`PORT`" + ` is set by the platform. ` + "`RAILWAY_DEPLOYMENT_DRAINING_SECONDS`" + ` says how long the platform waits between SIGTERM and SIGKILL;
` + "`DRAIN_TIMEOUT`" + ` follows it. Without it Railway waits 0 seconds, and every deploy kills what runs.

A bucket's variables (` + "`ACCESS_KEY_ID`, `SECRET_ACCESS_KEY`, `ENDPOINT`, `REGION`, `BUCKET`" + `) are understood as they are;
` + "`ARTIFACTS_URL=s3:///outputs`" + ` is all that is left to set.
`

// document is the page as the table wants it.
func document() string {
	var b strings.Builder
	b.WriteString(intro)
	b.WriteString("| setting | default | used by | meaning |\n|---|---|---|---|\n")
	for _, s := range settings {
		def := s.defDoc
		if def == "" {
			def = "`" + s.def + "`"
		}
		used := map[Role]string{API: "API", Worker: "worker", both: "both", all: "all", Monitoring: "dashboard", API | Monitoring: "API, dashboard"}[s.roles]
		doc := s.doc
		if len(s.aliases) > 0 {
			doc += " Also read from `" + strings.Join(s.aliases, "`, `") + "`."
		}
		if s.secret {
			doc += " *Secret.*"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.name, def, used, strings.ReplaceAll(doc, "|", `\|`))
	}
	b.WriteString(outro)
	return b.String()
}

func TestEverySettingIsDocumented(t *testing.T) {
	want := document()
	if *update {
		if err := os.WriteFile(docsFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/configuration.md is not what the table says: run go test ./pkg/config -update")
	}
}

func TestTheTableIsComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range settings {
		if seen[s.name] || s.name != strings.ToUpper(s.name) {
			t.Errorf("%s is there twice, or not in capitals", s.name)
		}
		seen[s.name] = true
		if s.doc == "" || !strings.HasSuffix(s.doc, ".") || s.example == "" || s.roles == 0 || s.parse == nil || (s.def == "") == (s.defDoc == "") {
			t.Errorf("%s lacks something: %+v", s.name, s)
		}
		for _, text := range []string{s.def, s.example} {
			if text == "" {
				continue
			}
			if err := s.parse(&Config{}, text); err != nil {
				t.Errorf("%s does not take %q: %v", s.name, text, err)
			}
		}
	}
}
