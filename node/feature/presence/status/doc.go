// Package status is what a session does and how one knows: it ranks sources and
// lets what was said grow old. It is a pure core: callers give the time.
package status
