package term

import "log/slog"

// Logger writes log lines to stderr, for a process that lives in the foreground.
func (t *Term) Logger(debug bool) *slog.Logger {
	level := slog.LevelInfo
	if debug {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(errWriter{t}, &slog.HandlerOptions{Level: level}))
}

// errWriter writes to stderr between other lines.
type errWriter struct{ t *Term }

func (w errWriter) Write(p []byte) (int, error) {
	w.t.write(false, string(p))
	return len(p), nil
}
