package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

// figure is one thing that was measured, beside its floor and its goal.
type figure struct {
	// name is that of a Go benchmark without "Benchmark", what is for people.
	name, what string
	// n is how often it was measured.
	n int
	// ours and floor are in unit. p99 is 0 where it means nothing.
	unit           string
	ours, p99      float64
	floor, floor99 float64
	floorIs        string
	goal           goal
	higher         bool   // more is better
	because        string // what holds it back, shown when the goal is missed
	note           string // what it was measured with
}

// goal is a limit in the figure's unit, or as a multiple of the floor.
type goal struct {
	limit float64
	ratio float64 // of the median
	tail  float64 // of the 99th percentile, to the median of the floor; 0: none
}

func (f figure) ratio() float64 {
	if f.floor == 0 {
		return 0
	}
	return f.ours / f.floor
}

func (f figure) tail() float64 {
	if f.floor == 0 {
		return 0
	}
	return f.p99 / f.floor
}

// met tells whether the goal is reached; there may be none.
func (f figure) met() string {
	if f.goal == (goal{}) {
		return "–"
	}
	within := func(value, limit float64) bool {
		return limit == 0 || f.higher && value >= limit || !f.higher && value <= limit
	}
	if within(f.ours, f.goal.limit) && within(f.ratio(), f.goal.ratio) && within(f.tail(), f.goal.tail) {
		return "met"
	}
	return "MISSED"
}

func (g goal) String() string {
	var parts []string
	if g.ratio > 0 {
		parts = append(parts, fmt.Sprintf("%g×", g.ratio))
	}
	if g.tail > 0 {
		parts = append(parts, fmt.Sprintf("p99 %g×", g.tail))
	}
	return strings.Join(parts, ", ")
}

// line is the figure in Go's benchmark format.
func (f figure) line() string {
	s := fmt.Sprintf("Benchmark%s-%d\t%d", f.name, runtime.GOMAXPROCS(0), f.n)
	add := func(v float64, unit string) {
		if v != 0 {
			s += fmt.Sprintf("\t%s %s", number(v), unit)
		}
	}
	add(f.ours, f.unit)
	add(f.p99, "p99-"+f.unit)
	add(f.floor, "floor-"+f.unit)
	add(f.floor99, "floor-p99-"+f.unit)
	add(f.ratio(), "ratio")
	return s
}

func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// table shows all figures, then what holds back those that miss their goal.
func table(all []figure) string {
	rows := [][]string{{"", "p50", "p99", "floor", "ratio", "goal", ""}}
	for _, f := range all {
		goal := f.goal.String()
		if f.goal.limit > 0 {
			goal = strings.TrimPrefix(goal+", "+shown(f.goal.limit, f.unit), ", ")
		}
		if goal != "" {
			goal = map[bool]string{false: "≤ ", true: "≥ "}[f.higher] + goal
		}
		floor, ratio := "", ""
		if f.floor > 0 {
			floor, ratio = shown(f.floor, f.unit)+" "+f.floorIs, number(f.ratio())+"×"
		}
		rows = append(rows, []string{f.what, shown(f.ours, f.unit), shown(f.p99, f.unit), floor, ratio, goal, f.met()})
	}
	width := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, cell := range r {
			width[i] = max(width[i], len([]rune(cell)))
		}
	}
	var b strings.Builder
	b.WriteString("\n")
	for _, r := range rows {
		var line strings.Builder
		for i, cell := range r {
			line.WriteString(cell + strings.Repeat(" ", width[i]-len([]rune(cell))+2))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	b.WriteString("\n")
	for _, f := range all {
		if f.met() == "MISSED" {
			fmt.Fprintf(&b, "%s: %s.\n", f.what, f.because)
		}
	}
	for _, f := range all {
		if f.note != "" {
			fmt.Fprintf(&b, "%s: %s.\n", f.what, f.note)
		}
	}
	return b.String()
}

// shown is a value for people; units of time are nanoseconds.
func shown(v float64, unit string) string {
	if v == 0 {
		return ""
	}
	if unit != "ns" {
		return number(v) + " " + unit
	}
	switch d := time.Duration(v); {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	default:
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
}

// samples are measured times.
type samples []time.Duration

// at is the value below which a share of the samples lies, in nanoseconds.
func (s samples) at(share float64) float64 {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return float64(sorted[min(int(share*float64(len(sorted))), len(sorted)-1)])
}
