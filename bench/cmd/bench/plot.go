package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/longhaul/longhaul/bench/stat"
)

func plotCommand() *cobra.Command {
	dir := "docs/img"
	c := &cobra.Command{
		Use:   "plot RESULT...",
		Short: "Draw results as SVG, legible on light and dark pages",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			for _, name := range args {
				res, err := loadResult(name)
				if err != nil {
					return err
				}
				if err := res.plot(dir); err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().StringVarP(&dir, "output", "o", dir, "the folder for the pictures")
	return c
}

// plot writes one picture for each scenario that has a figure to compare, and one for each series.
func (res *result) plot(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, sc := range scenarios {
		c := sc.columns[0]
		var bars []bar
		for _, system := range res.systems(sc.name) {
			if s, ok := res.summary(sc.name, system+"/"+c.metric); ok {
				bars = append(bars, bar{system, s})
			}
		}
		if len(bars) < 2 {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, "bench-"+sc.name+".svg"), drawBars(sc.name+": "+c.title, bars), 0o644); err != nil {
			return err
		}
	}
	for _, x := range res.Series {
		if err := os.WriteFile(filepath.Join(dir, "growth-"+x.Name+".svg"), drawSeries(x), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// style has colours for both kinds of pages; the ground stays the page's own.
const style = `<style>
text{font:13px system-ui,sans-serif;fill:#1f2328}.t{font-weight:600}.s{fill:#59636e}
.ours{fill:#0a7f5c}.other{fill:#8c959f}.range{stroke:#1f2328;stroke-width:1.5}.axis{stroke:#8c959f}.curve{fill:none;stroke:#0a7f5c;stroke-width:2}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.s{fill:#9198a1}.ours{fill:#3fb98f}.other{fill:#6e7681}.range{stroke:#e6edf3}.curve{stroke:#3fb98f}}
</style>
`

func svg(width, height int, title string, body []byte) []byte {
	var b bytes.Buffer
	title = html.EscapeString(title)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`+"\n", width, height, width, height, title)
	fmt.Fprintf(&b, "%s<text class=\"t\" x=\"8\" y=\"20\">%s</text>\n", style, title)
	b.Write(body)
	b.WriteString("</svg>\n")
	return b.Bytes()
}

type bar struct {
	name string
	stat.Summary
}

// drawBars has the median as a bar and least to greatest as a line on it.
func drawBars(title string, bars []bar) []byte {
	const left, width, step = 130, 420, 26
	most := 0.0
	for _, x := range bars {
		most = max(most, x.Max)
	}
	scale := func(v float64) float64 { return left + width*v/max(most, 1e-12) }
	var b bytes.Buffer
	for i, x := range bars {
		y, class := 32+i*step, "other"
		if strings.HasPrefix(x.name, "longhaul") {
			class = "ours"
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, left-8, y+15, html.EscapeString(x.name))
		fmt.Fprintf(&b, `<rect class="%s" x="%d" y="%d" width="%.1f" height="18" rx="2"/>`, class, left, y+1, scale(x.Median)-left)
		fmt.Fprintf(&b, `<line class="range" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>`, scale(x.Min), y+10, scale(x.Max), y+10)
		fmt.Fprintf(&b, `<text class="s" x="%.1f" y="%d">%s</text>`+"\n", scale(x.Max)+8, y+15, number(x.Median))
	}
	return svg(left+width+90, 40+len(bars)*step, title, b.Bytes())
}

// drawSeries has one panel for each figure, with a logarithmic x where it spans more than a hundredfold.
func drawSeries(x *series) []byte {
	const panel, height, left, top = 230, 130, 50, 50
	var b bytes.Buffer
	at := axis(x)
	for m, title := range x.Metrics {
		x0, most := float64(left+m*(panel+left)), 0.0
		for _, p := range x.Points {
			most = max(most, p.Y[m].Max)
		}
		y := func(v float64) float64 { return top + height - height*v/max(most, 1e-12) }
		fmt.Fprintf(&b, `<text x="%.0f" y="%d">%s</text>`, x0, top-8, html.EscapeString(title))
		fmt.Fprintf(&b, `<path class="axis" fill="none" d="M%.0f %dv%dh%d"/>`, x0, top, height, panel)
		fmt.Fprintf(&b, `<text class="s" x="%.0f" y="%d" text-anchor="end">%s</text>`, x0-4, top+10, number(most))
		var path strings.Builder
		for i, p := range x.Points {
			px := x0 + panel*at(p.X)
			fmt.Fprintf(&path, "%c%.1f %.1f", "ML"[min(i, 1)], px, y(p.Y[m].Median))
			fmt.Fprintf(&b, `<circle class="ours" cx="%.1f" cy="%.1f" r="3"/><text class="s" x="%.1f" y="%d" text-anchor="middle">%s</text>`, px, y(p.Y[m].Median), px, top+height+16, short10(p.X))
		}
		fmt.Fprintf(&b, `<path class="curve" d="%s"/>`+"\n", path.String())
	}
	return svg(left+len(x.Metrics)*(panel+left), top+height+30, x.Name+": by "+x.X, b.Bytes())
}

// axis places an x between 0 and 1.
func axis(x *series) func(float64) float64 {
	low, high := math.Inf(1), math.Inf(-1)
	for _, p := range x.Points {
		low, high = min(low, p.X), max(high, p.X)
	}
	of := func(v float64) float64 { return v }
	if low > 0 && high/low > 100 {
		of = math.Log
	}
	return func(v float64) float64 {
		if high == low {
			return 0.5
		}
		return (of(v) - of(low)) / (of(high) - of(low))
	}
}

// short10 is a number that fits under a tick.
func short10(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%gM", v/1e6)
	case v >= 1e3:
		return fmt.Sprintf("%gk", v/1e3)
	}
	return fmt.Sprintf("%g", v)
}
