package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/longhaul/longhaul/bench/stat"
)

func wellFormed(t *testing.T, svg []byte) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(string(svg))); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
	}
}

func TestPicturesAreWellFormedAndHaveColoursForDarkPages(t *testing.T) {
	one := func(y float64) stat.Summary { return stat.Summary{Median: y, Min: y / 2, Max: y * 2, N: 3} }
	for _, svg := range [][]byte{
		drawBars("a < b & c", []bar{{"longhaul", one(10)}, {"<other>", one(0)}}),
		drawSeries(&series{Name: "x", X: "n & m", Metrics: []string{"a", "<b>"}, Points: []point{
			{X: 1, Y: []stat.Summary{one(1), one(0)}}, {X: 1000, Y: []stat.Summary{one(2), one(0)}},
		}}),
	} {
		wellFormed(t, svg)
		if !strings.Contains(string(svg), "prefers-color-scheme:dark") || strings.Contains(string(svg), "NaN") {
			t.Errorf("%s", svg)
		}
	}
}

func TestAnAxisIsLogarithmicOnlyWhereItSpansMuch(t *testing.T) {
	at := func(xs ...float64) func(float64) float64 {
		s := &series{}
		for _, x := range xs {
			s.Points = append(s.Points, point{X: x})
		}
		return axis(s)
	}
	if f := at(1, 1e6)(1e3); math.Abs(f-0.5) > 1e-9 {
		t.Errorf("1,000 of a million is at %v", f)
	}
	if f := at(0, 5)(2.5); f != 0.5 {
		t.Errorf("half is at %v", f)
	}
}

func TestTheRelayHoldsBytesUpInBothDirectionsAndEndsBoth(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ended := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, err = io.Copy(c, c)
			_ = c.Close()
		}
		ended <- err
	}()
	r, err := relay(l.Addr().String(), 20*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	begin, buf := time.Now(), make([]byte, 5)
	if _, err := io.WriteString(c, "hello"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, buf); err != nil || string(buf) != "hello" {
		t.Fatalf("%q, %v", buf, err)
	}
	if took := time.Since(begin); took < 40*time.Millisecond {
		t.Errorf("there and back in %v", took)
	}
	_ = c.Close()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the other end was not closed")
	}
}

func TestTheSlopeLeavesTheBeginningOut(t *testing.T) {
	var points []point
	for i := range 9 {
		y := 5.0
		if i >= 3 {
			y = 10 + 2*float64(i)
		}
		points = append(points, point{X: float64(i), Y: []stat.Summary{{Median: y}}})
	}
	if got := slope(points, 0); math.Abs(got-2) > 1e-9 {
		t.Errorf("%v", got)
	}
	if got := slope(points[:1], 0); !math.IsNaN(got) {
		t.Errorf("the slope of one point is %v", got)
	}
}
