package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// machine describes where it is measured, in the key-value lines of Go's benchmark
// format.
func machine(dir string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "goos: %s\ngoarch: %s\n", runtime.GOOS, runtime.GOARCH)
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				fmt.Fprintf(&b, "cpu: %s\n", strings.TrimSpace(value))
				break
			}
		}
	}
	if inMemory(dir) {
		fmt.Fprintf(&b, "disk: none, %s is in memory and nothing is synced: choose another with -dir\n", dir)
	}
	return b.String()
}
